"""The database interface that the rest of the program uses, independent of the engine.

A use case is a plain function over a `Transaction`. It may run again from the beginning on another snapshot, so it has
no effects outside the transaction. Its SQL is written once for both engines, in their common dialect plus three forms:

    digest = ANY(:digests)      one of a list or tuple of values
    FOR UPDATE, FOR SHARE       with or without SKIP LOCKED, to lock rows on an engine with several writers
    INDEXED BY name             after a table: SQLite uses this index, or rejects the statement

SQLite plans without statistics (docs/decisions/0061-plans-without-statistics.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Generic, Protocol, TypeVar

T = TypeVar("T")
D = TypeVar("D")
K = TypeVar("K")

LARGEST_INTEGER: Final = 2**63 - 1
"""The largest number that a column of either engine holds."""


class DatabaseUnusable(Exception):
    """The database cannot be opened by this program; the text says what to do."""


class Transaction(Protocol):
    """The statements that a use case can run, inside a transaction that the caller has opened."""

    def one(self, sql: str, **values: Any) -> tuple[Any, ...] | None:
        """Return the first row, or None."""

    def all(self, sql: str, **values: Any) -> list[tuple[Any, ...]]: ...

    def run(self, sql: str, **values: Any) -> int:
        """Return the number of changed rows."""

    def run_each(self, sql: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """`run` once for each row's values, with fewer round trips."""

    def fill(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Add many whole rows to a table in the fastest way of the engine."""

    def insert(self, sql: str, **values: Any) -> int:
        """Return the new row's id."""

    def insert_all(self, statements: Sequence[str], **values: Any) -> list[int | None]:
        """Run statements that write and return (RETURNING) an integer each; in one trip, if the engine can.

        Returns the integer of each one, or None if it changed no row. In later statements, `:result_1` stands for the
        integer of the first one, and so on. No statement sees rows that another one writes.
        """


Work = Callable[[Transaction], T]
"""The database part of a use case: a function that may run again and has no effects outside its transaction."""


def mark_retrieved(done: asyncio.Future[Any]) -> None:
    """Retrieve the exception of a future, if any: asyncio logs that of a future whose waiter was canceled meanwhile."""
    if not done.cancelled():
        done.exception()


def is_found(result: object) -> bool:
    return result is not None


def size_of_row(_: object) -> int:
    """About how many bytes of memory a row of names, numbers and digests takes."""
    return 1024


class CachedUntil(IntEnum):
    """What ends the life of a cached lookup: any commit, or only one that changes access data.

    Access data are identities, policies, account settings and the names of repositories: the tables that have the
    triggers of migration 0016, which calls them rules.
    """

    ANY_CHANGE = 0
    ACCESS_CHANGE = 1


@dataclass(slots=True)  # Freezing would take four times as long, several times a request.
class Lookup(Generic[T]):
    """A read whose result can be cached.

    `is_single`: `work` is a single statement. `keep` decides whether a result is worth caching. `until` says which
    changes are relevant; use the same value for a `key` every time. `size` is about how many bytes of memory the result
    takes; the cache is bounded in bytes.
    """

    key: Hashable
    work: Work[T]
    keep: Callable[[T], bool] = is_found
    until: CachedUntil = CachedUntil.ANY_CHANGE
    size: Callable[[T], int] = size_of_row
    is_single: bool = False


class Snapshot(Protocol):
    """A state of the database that does not change."""

    async def read(self, work: Work[T]) -> T: ...


class Database(Protocol):
    """One process's connections to the database. Call `start` before use and `close` after it.

    Every method raises Unavailable when the database cannot do the work now but may be able to later.
    """

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a snapshot."""

    async def read_one(self, work: Work[T]) -> T:
        """`read` for work of a single statement, which is a snapshot by itself and needs fewer round trips."""

    def read_blocking(self, work: Work[T]) -> T:
        """`read` for callers without an event loop."""

    def snapshot(self) -> AbstractAsyncContextManager[Snapshot]:
        """One state of the database for a long series of small reads, with other work in between."""

    async def read_cached(self, lookup: Lookup[T]) -> T:
        """`read`, or the cached result for the same key if no process has committed a relevant change since.

        For lookups that every request or every pull needs.
        """

    async def decide_and_read_one(
        self, decide: Callable[[], Awaitable[D]], read: Callable[[D], Work[T]]
    ) -> tuple[D, T]:
        """A decision about access, which only makes cached lookups, and then `read_one` for the work that follows.

        The decision may run twice. An engine may let it begin with older access data, if the read then shows that they
        are current: the result is that of access data which are not older than this call.
        """

    def access_version(self) -> bytes | None:
        """A value that stays the same until a commit changes access data; None if it takes a wait to know it.

        What was decided from these data alone is still true while the value is the same.
        """

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction; returns after its commit has reached the disk.

        An exception from `work` rolls back its own changes only.
        """

    async def write_after(self, ready: Future[K], work: Callable[[K], Work[T]]) -> T:
        """`write` for the work that depends on a result of another thread. Raises what `ready` raises.

        The write may happen although the caller is cancelled meanwhile.
        """

    def write_later(self, work: Work[T]) -> asyncio.Future[T]:
        """`write` for callers that do not wait; they handle the result of the future."""

    async def is_reachable(self) -> bool:
        """Whether the database can serve reads now."""

    def start(self) -> None:
        """Start in the process that uses the database, after any fork."""

    def close(self) -> None:
        """Finish started work and close the connections."""
