"""The checker accepts valid histories and rejects invalid ones."""

from __future__ import annotations

import math
import random

import pytest

from tests.faults.http.linearizability import Operation, is_linearizable


def put(start: float, end: float, value: str) -> Operation:
    return Operation(start, end, "put", value)


def get(start: float, end: float, answer: str | None) -> Operation:
    return Operation(start, end, "get", None, answer)


@pytest.mark.parametrize(
    ("history", "good"),
    [
        ([], True),
        ([get(0, 1, None), put(2, 3, "a"), get(4, 5, "a")], True),
        ([put(0, 1, "a"), get(2, 3, None)], False),
        ([put(0, 1, "a"), put(2, 3, "b"), get(4, 5, "a")], False),
        ([put(0, 1, "a"), put(2, 9, "b"), get(3, 4, "a"), get(5, 6, "b")], True),
        ([put(0, 1, "a"), put(2, 9, "b"), get(3, 4, "b"), get(5, 6, "a")], False),
        ([put(0, math.inf, "a"), get(1, 2, None), get(8, 9, "a")], True),
        ([put(0, math.inf, "a"), get(1, 2, "a"), get(8, 9, None)], False),
        ([put(0, 1, "a"), Operation(2, 3, "delete", None, "ok"), get(4, 5, None)], True),
        ([put(0, 1, "a"), Operation(2, 3, "delete", None, "missing")], False),
        ([Operation(0, 2, "put once", "a", "ok"), Operation(1, 3, "put once", "b", "ok")], False),
        ([Operation(0, 2, "put once", "a", "ok"), Operation(1, 3, "put once", "b", "exists"), get(4, 5, "a")], True),
    ],
)
def test_a_history_is_checked(history: list[Operation], good: bool) -> None:
    assert is_linearizable(history) is good


def test_a_single_stale_read_among_hundreds_is_found() -> None:
    chosen = random.Random(1)
    history, state = [], None
    for number in range(400):
        start = float(number)
        if chosen.random() < 0.3:
            state = str(number)
            history.append(put(start, start + 0.9, state))
        else:
            history.append(get(start, start + 0.9, state))

    assert is_linearizable(history)
    history[200] = get(200, 200.9, "stale")
    assert not is_linearizable(history)
