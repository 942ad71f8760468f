"""Cached lookups for PostgreSQL: results are kept until a relevant commit, and missing ones are looked up together.

After a commit, all requests need the same lookups again: a key, the policies of its user. A request that does not find
its result joins the next transaction, which does all pending lookups, each once. One such transaction runs at a time,
so a commit costs each process one transaction, not one per request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

import psycopg

from moorage.metadata.database import CachedUntil, Lookup, Transaction
from moorage.metadata.engines.postgres.connections import Connection
from moorage.metadata.engines.postgres.versions import CURRENT_VERSION, DataVersion, VersionReader
from moorage.metadata.engines.result_cache import ResultCache
from moorage.shares import current_request

T = TypeVar("T")
D = TypeVar("D")

Run = Callable[[Callable[[Connection], Any]], "asyncio.Future[Any]"]
"""Runs a function in a thread that has a connection."""


class Assumption:
    """Which revisions of the access data a decision relied on, before it is known whether they are current."""

    __slots__ = ("_revisions",)

    def __init__(self) -> None:
        self._revisions: set[bytes] = set()

    def rely_on(self, revision: bytes) -> None:
        self._revisions.add(revision)

    def is_confirmed_by(self, revision: bytes) -> bool:
        """Whether the decision is right while this revision is current."""
        return self._revisions <= {revision}


_assumption: ContextVar[Assumption | None] = ContextVar("assumption", default=None)
"""What the running task may assume, instead of a query of the version."""


class _PendingLookup:
    """A pending lookup, and the futures and requests that wait for it. After it has run, `result` or `error` is set."""

    __slots__ = ("error", "lookup", "result", "waiters")

    def __init__(self, lookup: Lookup[Any]) -> None:
        self.lookup = lookup
        self.waiters: list[tuple[asyncio.Future[Any], object | None]] = []
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self, tx: Transaction) -> None:
        self.error = None
        try:
            self.result = self.lookup.work(tx)
        except Exception as error:
            self.error = error
            if isinstance(error, psycopg.Error):  # the transaction has failed too
                raise

    def resolve(self) -> None:
        for future, _ in self.waiters:
            if future.done():  # the request was cancelled
                continue
            if self.error is None:
                future.set_result(self.result)
            else:
                future.set_exception(self.error)


class LookupCache:
    """One process's cached lookups; used on its event loop only."""

    def __init__(self, versions: VersionReader, run: Run) -> None:
        self._versions = versions
        self._run = run
        self._cached = {until: ResultCache() for until in CachedUntil}
        self._pending: dict[Hashable, _PendingLookup] = {}
        self._task: asyncio.Task[None] | None = None

    async def read_cached(self, lookup: Lookup[T]) -> T:
        """The result of a lookup, as of now or as of an assumption. Raises what its work raises, and Unavailable."""
        assumption = _assumption.get()
        if assumption is not None and lookup.until is CachedUntil.ACCESS_CHANGE:
            assumed = self._cached[CachedUntil.ACCESS_CHANGE]
            if lookup.key in assumed.results:
                assumption.rely_on(assumed.version)
                assumed_result: T = assumed.results[lookup.key]
                return assumed_result
        self._set_version(await self._versions.current())
        results = self._cached[lookup.until].results
        if lookup.key in results:
            known: T = results[lookup.key]
            return known
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._pending.setdefault(lookup.key, _PendingLookup(lookup)).waiters.append((future, current_request()))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run_pending())
        return await future

    async def assuming(self, decide: Callable[[], Awaitable[D]]) -> tuple[D, Assumption] | None:
        """A decision for which cached lookups of access data are not checked, and what must be confirmed.

        None if it is a refusal: nobody may be refused for access data that are no longer current.
        """
        assumption = Assumption()
        token = _assumption.set(assumption)
        try:
            return await decide(), assumption
        except Exception:  # noqa: BLE001 - the decision runs again, and then it counts
            return None
        finally:
            _assumption.reset(token)

    async def _run_pending(self) -> None:
        """Run the pending lookups until there are none."""
        while self._pending:
            pending, self._pending = self._pending, {}
            try:
                version = await self._run(partial(_run_all, list(pending.values())))
                self._set_version(version)
            except Exception as error:  # noqa: BLE001 - passed on to the requests that wait
                self._handle_failure(pending, error)
                continue
            for key, one in pending.items():
                if one.error is None and one.lookup.keep(one.result):
                    self._cached[one.lookup.until].add(key, one.result, one.lookup.size(one.result))
                one.resolve()
            self._versions.hold(version, [request for one in pending.values() for _, request in one.waiters])

    def _handle_failure(self, lookups: dict[Hashable, _PendingLookup], error: Exception) -> None:
        """Fail the lookups whose statement failed; queue the others again."""
        failed = [lookup for lookup in lookups.values() if lookup.error is not None] or list(lookups.values())
        for lookup in failed:
            lookup.error = lookup.error if isinstance(error, psycopg.Error) else error
            lookup.resolve()
        for key, lookup in lookups.items():
            if lookup not in failed:
                queued = self._pending.setdefault(key, lookup)
                if queued is not lookup:
                    queued.waiters += lookup.waiters

    def _set_version(self, version: DataVersion) -> None:
        self._cached[CachedUntil.ANY_CHANGE].set_version(version.snapshot)
        self._cached[CachedUntil.ACCESS_CHANGE].set_version(version.access_revision)


def _run_all(lookups: list[_PendingLookup], connection: Connection) -> DataVersion:
    """Run lookups on one snapshot, and return its version; a lookup of a single statement needs no transaction."""
    if len(lookups) == 1 and lookups[0].lookup.is_single:
        _, version = connection.read_one_with_version(lookups[0].run)
        return DataVersion(*version)
    return connection.read(partial(_run_in, lookups))


def _run_in(lookups: list[_PendingLookup], tx: Transaction) -> DataVersion:
    snapshot, revision = tx.one(CURRENT_VERSION) or ("", "")
    for lookup in lookups:
        lookup.run(tx)
    return DataVersion(snapshot.encode(), revision.encode())
