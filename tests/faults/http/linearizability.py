"""Check whether a history of operations on one tag is linearizable.

The algorithm of Wing and Gong with Lowe's cache of visited states (https://doi.org/10.1145/78969.78972). It is
exponential in the worst case and fast for a few hundred operations with few at the same time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Operation(NamedTuple):
    """One operation on a tag, with its times. `end` is infinite for a request without a response.

    "put": `value` is the digest. "put once": the same on an immutable tag; `answer` is "ok" or "exists". "get":
    `answer` is the digest, or None if there is no such tag. "delete": `answer` is "ok" or "missing".
    """

    start: float
    end: float
    kind: str
    value: str | None = None
    answer: str | None = None


def is_linearizable(history: Sequence[Operation]) -> bool:
    """Whether some order of the operations explains every answer. The tag names nothing at first."""
    with_response = sum(1 << number for number, each in enumerate(history) if each.end < math.inf)
    seen: set[tuple[int, str | None]] = set()
    open_ends: list[tuple[int, str | None]] = [(0, None)]
    while open_ends:
        done, state = open_ends.pop()
        if done & with_response == with_response:
            return True
        if (done, state) in seen:
            continue
        seen.add((done, state))
        remaining = [number for number in range(len(history)) if not done >> number & 1]
        first_end = min(history[number].end for number in remaining)
        for number in remaining:
            if history[number].start <= first_end:
                fits, after = _apply(history[number], state)
                if fits:
                    open_ends.append((done | 1 << number, after))
    return False


def _apply(operation: Operation, state: str | None) -> tuple[bool, str | None]:
    """Whether the answer is possible if the tag names `state`, and what the tag names afterwards."""
    unknown = operation.end == math.inf
    match operation.kind:
        case "put":
            return True, operation.value
        case "put once":
            fits = unknown or (operation.answer == "ok") is (state is None)
            return fits, state or operation.value
        case "delete":
            return unknown or (operation.answer == "ok") is (state is not None), None
        case _:
            return unknown or operation.answer == state, state
