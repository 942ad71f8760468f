"""The database as the rest of the program sees it, whichever engine it is.

A use case is a plain function over a `Transaction`. It may be run again from its beginning, on another snapshot, so it
has no effects outside. Its SQL is written once for both engines, in what they have in common and two forms more:

    digest = ANY(:digests)      one of a list or tuple of values
    FOR UPDATE, FOR SHARE       with or without SKIP LOCKED, where a row must be locked on an engine with many writers
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from enum import Enum
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class DatabaseUnusable(Exception):
    """The database cannot be opened by this program; the text says what to do."""


class Transaction(Protocol):
    """What a use case sees of the database: statements, run inside the transaction that the caller opened."""

    def one(self, sql: str, **values: Any) -> tuple[Any, ...] | None:
        """The first row, or None."""

    def all(self, sql: str, **values: Any) -> list[tuple[Any, ...]]: ...

    def run(self, sql: str, **values: Any) -> int:
        """The number of rows changed."""

    def run_each(self, sql: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """`run` with the values of one row after the other, for fewer trips to the database."""

    def fill(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Add many whole rows to a table, in the way that is fastest."""

    def insert(self, sql: str, **values: Any) -> int:
        """The new row's id."""


Work = Callable[[Transaction], T]
"""A use case's part in the database: a plain function, repeatable, without effects outside its transaction."""


def is_there(result: object) -> bool:
    return result is not None


class CachedUntil(Enum):
    """What ends the memory of a look-up: any commit, or one that changes what migration 0016 calls the rules."""

    ANY_CHANGE = 0
    CHANGE_OF_RULES = 1


class Snapshot(Protocol):
    """A state of the database that stays as it is."""

    async def read(self, work: Work[T]) -> T: ...


class Database(Protocol):
    """One process's connections to the database. `start` and `close` frame its use on an event loop.

    Everything raises Unavailable when the database cannot do it now and may be able to later.
    """

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a snapshot."""

    async def read_one(self, work: Work[T]) -> T:
        """`read` for work of one statement, which is a snapshot by itself: for fewer trips to the database."""

    def read_blocking(self, work: Work[T]) -> T:
        """`read` for callers that are not on an event loop."""

    def snapshot(self) -> AbstractAsyncContextManager[Snapshot]:
        """One state of the database for a reader that takes its time, in small reads with other work in between."""

    async def read_cached(
        self,
        key: Hashable,
        work: Work[T],
        *,
        keep: Callable[[T], bool] = is_there,
        until: CachedUntil = CachedUntil.ANY_CHANGE,
    ) -> T:
        """`read`, or what it gave for the same `key` if nothing that matters was committed since, by any process.

        For the look-ups of every request and every pull. `keep` says of a result whether it is worth its memory, and
        `until` what matters: a `key` always has the same.
        """

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction; returns after its commit has reached the disk.

        Whatever `work` raises undoes its own changes only.
        """

    def write_later(self, work: Work[T]) -> asyncio.Future[T]:
        """`write` for callers that do not wait; what the future holds is theirs to look at."""

    async def is_reachable(self) -> bool:
        """Whether reads would work now."""

    def start(self) -> None:
        """To be called in the process that uses it, after any fork."""

    def close(self) -> None:
        """Finish what is begun and close the connections."""
