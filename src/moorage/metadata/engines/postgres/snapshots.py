"""Which transactions are visible now: one question to PostgreSQL, answered for all who ask at the same time.

Two snapshots with the same text show the same rows, so what was read at one is true at the other (PostgreSQL, "System
Information Functions", pg_current_snapshot); two with the same number in `rules` show the same rules. A question that
is under way may have been answered before we came; so whoever comes waits for the next one, which starts as soon as
that is back. However many requests there are, two questions are the longest wait, and the event loop itself asks: no
thread takes part.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final, NamedTuple

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn

from moorage.domain.errors import Unavailable
from moorage.metadata.engines.postgres.connections import first_line

MOMENT: Final = "SELECT pg_current_snapshot()::text, revision::text FROM rules"

_STATEMENT: Final = b"moment"
_TIMEOUT: Final = 5.0
"""Seconds after which a server that does not answer is taken for gone."""


class Moment(NamedTuple):
    """Texts that are the same when all rows are, and when the rules are."""

    snapshot: bytes
    rules: bytes


class Snapshots:
    """Asks over a connection of its own, which is opened at the first question and again after it was lost."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._owner: psycopg.AsyncConnection | None = None
        self._connection: PGconn | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[asyncio.Future[Moment]] = []
        self._asked: list[asyncio.Future[Moment]] = []
        self._answer: Moment | None = None
        self._again = True
        self._socket = -1
        self._deadline: asyncio.TimerHandle | None = None

    async def current(self) -> Moment:
        """A moment that is no older than this call. Raises Unavailable."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self.close()
            self._loop = loop
        future: asyncio.Future[Moment] = loop.create_future()
        self._waiting.append(future)
        if not self._asked:
            self._ask()
        return await future

    def close(self) -> None:
        """Close the connection; whoever waits is told that there is no answer."""
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        self._hang_up()
        self._fail("The server is stopping")

    def _ask(self) -> None:
        if self._connection is None:
            if self._connecting is None:
                self._connecting = asyncio.get_running_loop().create_task(self._connect())
            return
        self._asked, self._waiting = self._waiting, []
        try:
            self._connection.send_query_prepared(_STATEMENT, None)
            self._connection.flush()
        except psycopg.Error:
            self._lost()
            return
        self._deadline = asyncio.get_running_loop().call_later(_TIMEOUT, self._lost)

    def _answered(self) -> None:
        """Something has arrived: the answer, what says that it was all of it, or the end of the connection."""
        if self._connection is None:
            return
        try:
            self._connection.consume_input()
            while not self._connection.is_busy():
                result = self._connection.get_result()
                if result is None:
                    self._tell()
                    return
                if result.status == ExecStatus.TUPLES_OK:
                    self._answer = Moment(result.get_value(0, 0) or b"", result.get_value(0, 1) or b"")
        except psycopg.Error:
            self._lost()

    def _tell(self) -> None:
        answer, self._answer = self._answer, None
        if answer is None:
            self._lost()
            return
        if self._deadline is not None:
            self._deadline.cancel()
        asked, self._asked = self._asked, []
        self._again = True
        for future in asked:
            if not future.done():
                future.set_result(answer)
        if self._waiting:
            self._ask()

    def _lost(self) -> None:
        """The connection is gone: ask once more on another one, since nothing was changed."""
        self._hang_up()
        self._waiting, self._asked = self._asked + self._waiting, []
        if not self._again:
            self._fail("The connection to the database was lost")
        elif self._waiting:
            self._again = False
            self._ask()

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT):
                self._owner = await psycopg.AsyncConnection.connect(self._address, autocommit=True)
            self._connection = self._owner.pgconn
            self._connection.prepare(_STATEMENT, MOMENT.encode())
            self._socket = self._connection.socket
            asyncio.get_running_loop().add_reader(self._socket, self._answered)
        except (psycopg.Error, TimeoutError) as error:
            why = first_line(error) if isinstance(error, psycopg.Error) else "it does not answer"
            self._hang_up()
            self._fail(f"The database does not answer: {why}")
            return
        finally:
            self._connecting = None
        if self._waiting:
            self._ask()

    def _hang_up(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._socket)
        connection.finish()
        self._owner = None

    def _fail(self, reason: str) -> None:
        self._again = True
        waiting, self._asked, self._waiting = self._asked + self._waiting, [], []
        for future in waiting:
            if not future.done():
                with suppress(RuntimeError):  # The loop is closed.
                    future.set_exception(Unavailable(reason=reason))
