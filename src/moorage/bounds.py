"""Bounds of what clients send and the program keeps, writes or returns: texts and caches.

A client can send long texts, and lists of them. Logs, audit records and messages have only the beginning of a long one.
A cache that only counts entries keeps each for as long as the process runs. `tests/project/test_bounds.py` lists all
caches of the program.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Final, ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")


TEXT_LIMIT: Final = 1024
"""Characters of a text in the log and in audit records. Names, digests and ARNs are shorter."""

MESSAGE_LIMIT: Final = 8192
"""Characters of a message for a client. A list of 100 digests is shorter."""

TRACE_LIMIT: Final = 16_384
"""Characters of a traceback, or of any other text of the program, in the log."""


def shortened(text: str, limit: int = TEXT_LIMIT) -> str:
    """The text; of one with more than `limit` characters the beginning, and how many it had."""
    if len(text) <= limit:
        return text
    note = f"… ({len(text)} characters)"
    return text[: limit - len(note)] + note


def size_of_texts(*arguments: object) -> int:
    """The characters and bytes of the arguments that are texts."""
    return sum(len(argument) for argument in arguments if isinstance(argument, str | bytes))


def bounded_cache(
    entries: int, size: int, weigh: Callable[..., int] = size_of_texts
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Cache the results of a pure function, like `lru_cache`; exceptions are not cached.

    `weigh` is called with the arguments, and `size` bounds the sum of its results: when a new entry would exceed it,
    the cache is cleared. Choose it by the memory that the results take beside the arguments. A hit costs as much as one
    of `lru_cache`, because entries are weighed when they are added.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        held = 0

        @wraps(function)
        def add(*arguments: P.args, **named: P.kwargs) -> T:
            nonlocal held
            result = function(*arguments, **named)
            held += weigh(*arguments, *named.values())
            if held > size:
                cached.cache_clear()
                held = weigh(*arguments, *named.values())
            return result

        cached = lru_cache(maxsize=entries)(add)
        return cast("Callable[P, T]", cached)

    return decorate
