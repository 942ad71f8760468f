"""Cut a sequence into batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """At most `size` items at a time, in their order."""
    for first in range(0, len(items), size):
        yield items[first : first + size]
