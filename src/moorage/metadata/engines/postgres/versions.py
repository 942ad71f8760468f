"""The current version of the data in PostgreSQL: one query serves all requests that wait for it at the same time.

Two snapshots with the same text show the same rows, so a result read in one is true in the other (PostgreSQL, "System
Information Functions", pg_current_snapshot). Two versions with the same revision have the same access data. A query in
flight may have been answered before a request came, so the request waits for the next query, which starts when the
current one has finished. So a request waits for two queries at most. The event loop sends them itself, without a
thread.

A request that reads on at once, without waiting for anything else, needs no second query: the version is not older than
the request. All its decisions about access are from one moment then.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, NamedTuple

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn

from moorage.domain.errors import Unavailable
from moorage.metadata.database import mark_retrieved
from moorage.metadata.engines.postgres.connections import first_line
from moorage.metadata.engines.postgres.servers import for_reads_after
from moorage.shares import current_request

CURRENT_VERSION: Final = "SELECT pg_current_snapshot()::text, revision::text FROM rules"

_STATEMENT: Final = b"current_version"
_TIMEOUT: Final = 5.0
"""Seconds after which a server that does not respond counts as lost."""


class DataVersion(NamedTuple):
    """A version of the data: `snapshot` changes with any row, `access_revision` with the access data."""

    snapshot: bytes
    access_revision: bytes


class _Waiting(NamedTuple):
    """A call of `VersionReader.current`, and the request that makes it, if any."""

    future: asyncio.Future[DataVersion]
    request: object | None


class VersionReader:
    """Queries the version over a connection of its own; opened on first use and again after it was lost."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._owner: psycopg.AsyncConnection | None = None
        self._connection: PGconn | None = None
        self._until = math.inf
        self._connecting: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[_Waiting] = []
        self._in_flight: list[_Waiting] = []
        self._latest: DataVersion | None = None
        self._resumed: list[object] = []
        self._result: DataVersion | None = None
        self._may_retry = True
        self._socket = -1
        self._deadline: asyncio.TimerHandle | None = None

    async def current(self) -> DataVersion:
        """A version that is not older than this call, or than the request that makes it. Raises Unavailable."""
        request = current_request()
        if self._latest is not None and request in self._resumed:
            return self._latest
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self.close()
            self._loop = loop
        future: asyncio.Future[DataVersion] = loop.create_future()
        self._waiting.append(_Waiting(future, request))
        if not self._in_flight:
            self._send_query()
        return await future

    def hold(self, version: DataVersion, requests: Iterable[object | None]) -> None:
        """Let these requests, which are about to go on, use a version that was read after they began.

        Call this after their futures got results, so that they run before the version is forgotten.
        """
        self._latest = version
        self._resumed = [request for request in requests if request is not None]
        asyncio.get_running_loop().call_soon(self._forget_latest)

    def close(self) -> None:
        """Close the connection; waiting calls raise Unavailable."""
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        self._disconnect()
        self._fail("The server is stopping")

    def _send_query(self) -> None:
        if time.monotonic() > self._until:
            self._disconnect()
        if self._connection is None:
            if self._connecting is None:
                self._connecting = asyncio.get_running_loop().create_task(self._connect())
            return
        self._in_flight, self._waiting = self._waiting, []
        try:
            self._connection.send_query_prepared(_STATEMENT, None)
            self._connection.flush()
        except psycopg.Error:
            self._reconnect()
            return
        self._deadline = asyncio.get_running_loop().call_later(_TIMEOUT, self._reconnect)

    def _on_readable(self) -> None:
        """Read what has arrived: the result, the end of the response, or the end of the connection."""
        if self._connection is None:
            return
        try:
            self._connection.consume_input()
            while not self._connection.is_busy():
                result = self._connection.get_result()
                if result is None:
                    self._resolve()
                    return
                if result.status == ExecStatus.TUPLES_OK:
                    self._result = DataVersion(result.get_value(0, 0) or b"", result.get_value(0, 1) or b"")
        except psycopg.Error:
            self._reconnect()

    def _resolve(self) -> None:
        result, self._result = self._result, None
        if result is None:
            self._reconnect()
            return
        if self._deadline is not None:
            self._deadline.cancel()
        finished, self._in_flight = self._in_flight, []
        self._may_retry = True
        for future, _ in finished:
            if not future.done():
                future.set_result(result)
        self.hold(result, [request for _, request in finished])
        if self._waiting:
            self._send_query()

    def _forget_latest(self) -> None:
        self._latest = None
        self._resumed = []

    def _reconnect(self) -> None:
        """Drop the connection and repeat the query once on another; it changes nothing, so this is safe."""
        self._disconnect()
        self._waiting, self._in_flight = self._in_flight + self._waiting, []
        if not self._may_retry:
            self._fail("The connection to the database was lost")
        elif self._waiting:
            self._may_retry = False
            self._send_query()

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT):
                self._owner, self._until = await _connect(self._address)
            self._connection = self._owner.pgconn
            self._connection.prepare(_STATEMENT, CURRENT_VERSION.encode())
            self._socket = self._connection.socket
            asyncio.get_running_loop().add_reader(self._socket, self._on_readable)
        except (psycopg.Error, TimeoutError) as error:
            reason = first_line(error) if isinstance(error, psycopg.Error) else "it does not respond"
            self._disconnect()
            self._fail(f"The database is not available: {reason}")
            return
        finally:
            self._connecting = None
        if self._waiting:
            self._send_query()

    def _disconnect(self) -> None:
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
        self._may_retry = True
        waiting, self._in_flight, self._waiting = self._in_flight + self._waiting, [], []
        for future, _ in waiting:
            if not future.done():
                with suppress(RuntimeError):  # the loop is closed
                    future.set_exception(Unavailable(reason=reason))
                    mark_retrieved(future)


async def _connect(address: str) -> tuple[psycopg.AsyncConnection, float]:
    """A new connection, and until when (monotonic seconds) to use it."""
    try:
        return await psycopg.AsyncConnection.connect(address, autocommit=True), math.inf
    except psycopg.OperationalError as error:
        other = for_reads_after(error, address)
        if other is None:
            raise
    return await psycopg.AsyncConnection.connect(other.address, autocommit=True), other.until
