"""Whether a history of operations on one tag could have happened one at a time, in an order that fits the clock.

The search of Wing and Gong with Lowe's memory of what was tried (https://doi.org/10.1145/78969.78972): exponential in
the worst case, quick for histories of a few hundred operations with few at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Operation(NamedTuple):
    """What a client asked of a tag, and when. `end` is infinite for a request whose answer never came.

    "put": `value` is the digest. "put once": the same on an immutable tag, `answer` is "ok" or "exists".
    "get": `answer` is the digest, or None for no such tag. "delete": `answer` is "ok" or "missing".
    """

    start: float
    end: float
    kind: str
    value: str | None = None
    answer: str | None = None


def is_linearizable(history: Sequence[Operation]) -> bool:
    """Whether some order of the operations explains every answer; a tag names nothing in the beginning."""
    answered = sum(1 << number for number, one in enumerate(history) if one.end < math.inf)
    seen: set[tuple[int, str | None]] = set()
    open_ends: list[tuple[int, str | None]] = [(0, None)]
    while open_ends:
        done, state = open_ends.pop()
        if done & answered == answered:
            return True
        if (done, state) in seen:
            continue
        seen.add((done, state))
        left = [number for number in range(len(history)) if not done >> number & 1]
        first_end = min(history[number].end for number in left)
        for number in left:
            if history[number].start <= first_end:
                fits, after = _apply(history[number], state)
                if fits:
                    open_ends.append((done | 1 << number, after))
    return False


def _apply(one: Operation, state: str | None) -> tuple[bool, str | None]:
    """Whether the answer fits when the tag names `state`, and what it names then."""
    unknown = one.end == math.inf
    match one.kind:
        case "put":
            return True, one.value
        case "put once":
            fits = unknown or (one.answer == "ok") is (state is None)
            return fits, state or one.value
        case "delete":
            return unknown or (one.answer == "ok") is (state is not None), None
        case _:
            return unknown or one.answer == state, state
