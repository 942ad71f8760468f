"""What look-ups gave, remembered until a commit that matters; and those that are missing, looked up together.

After a commit every request asks again for what it needs, most of them for the same: a key, the policies of its user.
Whoever finds nothing in memory joins the next transaction, which looks up everything that is wanted by then, each thing
once. There is one such transaction at a time, so a commit costs each process one, and not one for each request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, Final, TypeVar

import psycopg

from moorage.metadata.database import CachedUntil, Transaction, Work
from moorage.metadata.engines.postgres.connections import Connection
from moorage.metadata.engines.postgres.snapshots import MOMENT, Moment, Snapshots

T = TypeVar("T")

_REMEMBERED: Final = 2048
"""Results that a process remembers at most."""

Run = Callable[[Callable[[Connection], Any]], "asyncio.Future[Any]"]
"""Does something in a thread that has a connection."""


class _Wanted:
    """A look-up that is missing, and those who wait for it. `result` or `error` is there when it was done."""

    __slots__ = ("error", "keep", "result", "until", "waiting", "work")

    def __init__(self, work: Work[Any], keep: Callable[[Any], bool], until: CachedUntil) -> None:
        self.work = work
        self.keep = keep
        self.until = until
        self.waiting: list[asyncio.Future[Any]] = []
        self.result: Any = None
        self.error: BaseException | None = None

    def read_blocking(self, tx: Transaction) -> None:
        self.error = None
        try:
            self.result = self.work(tx)
        except Exception as error:
            self.error = error
            if isinstance(error, psycopg.Error):  # The transaction has failed with it.
                raise

    def answer(self) -> None:
        for future in self.waiting:
            if future.done():  # Whoever waited is gone.
                continue
            if self.error is None:
                future.set_result(self.result)
            else:
                future.set_exception(self.error)


class _Remembered:
    """Results that are true for as long as a text stays the same."""

    __slots__ = ("_at", "results")

    def __init__(self) -> None:
        self._at = b""
        self.results: dict[Hashable, Any] = {}

    def be_at(self, text: bytes) -> None:
        if text != self._at:
            self.results.clear()
            self._at = text

    def add(self, key: Hashable, result: Any) -> None:
        if len(self.results) >= _REMEMBERED:
            self.results.clear()
        self.results[key] = result


class Memory:
    """One process's memory of look-ups; used on its event loop only."""

    def __init__(self, snapshots: Snapshots, run: Run) -> None:
        self._snapshots = snapshots
        self._run = run
        self._remembered = {until: _Remembered() for until in CachedUntil}
        self._wanted: dict[Hashable, _Wanted] = {}
        self._looking: asyncio.Task[None] | None = None

    async def read_cached(self, key: Hashable, work: Work[T], keep: Callable[[T], bool], until: CachedUntil) -> T:
        """What `work` gives for `key` now. Raises what it raises, and Unavailable."""
        self._be_at(await self._snapshots.current())
        results = self._remembered[until].results
        if key in results:
            known: T = results[key]
            return known
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._wanted.setdefault(key, _Wanted(work, keep, until)).waiting.append(future)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return await future

    async def _look(self) -> None:
        """Look up what is wanted, until nothing is."""
        while self._wanted:
            wanted, self._wanted = self._wanted, {}
            look = partial(_at_one_snapshot, list(wanted.values()))
            try:
                self._be_at(await self._run(lambda connection, look=look: connection.read(look)))  # type: ignore[misc] # a default
            except Exception as error:  # noqa: BLE001 - whatever it was, it is told to those who wait
                self._tell_apart(wanted, error)
                continue
            for key, one in wanted.items():
                if one.error is None and one.keep(one.result):
                    self._remembered[one.until].add(key, one.result)
                one.answer()

    def _tell_apart(self, wanted: dict[Hashable, _Wanted], error: Exception) -> None:
        """A statement of one look-up has failed, which is its own affair: the others are looked up again without it."""
        failed = [one for one in wanted.values() if one.error is not None] or list(wanted.values())
        for one in failed:
            one.error = one.error if isinstance(error, psycopg.Error) else error
            one.answer()
        for key, one in wanted.items():
            if one not in failed:
                again = self._wanted.setdefault(key, one)
                if again is not one:
                    again.waiting += one.waiting

    def _be_at(self, moment: Moment) -> None:
        self._remembered[CachedUntil.ANY_CHANGE].be_at(moment.snapshot)
        self._remembered[CachedUntil.CHANGE_OF_RULES].be_at(moment.rules)


def _at_one_snapshot(wanted: list[_Wanted], tx: Transaction) -> Moment:
    snapshot, rules = tx.one(MOMENT) or ("", "")
    for one in wanted:
        one.read_blocking(tx)
    return Moment(snapshot.encode(), rules.encode())
