"""Reading from and writing to the non-blocking socket of one connection, with or without TLS.

Waiting is bounded: `SocketIo.expire`, which the worker process calls once per second, ends waits that took too long.
Each wait costs no timer of its own.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import ssl
import struct
import sys
from collections.abc import Awaitable
from contextlib import suppress
from typing import ClassVar, Final, NamedTuple

from moorage.domain.ports import CHUNK_BYTES
from moorage.http.bodies import ClientGone
from moorage.http.messages import FilePart
from moorage.sendfile import SLICE_BYTES, OutgoingFile

_BLOCKED: Final = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_UNSENT: Final = 0x5411
"""The request SIOCOUTQ of Linux: the number of bytes in the socket's queue that the client has not acknowledged."""


_MORE: Final = getattr(socket, "MSG_MORE", 0)
"""The flag of send(2) with which the head waits for the first bytes of the file, and both leave in one packet."""

_SHORT_SLICE: Final = 64 << 10
"""How much of a file is sent at once at first, and to clients elsewhere while other files are sent, too: clients that
share the server get their first bytes sooner. A client alone gets its file faster in longer slices."""


class _Piece(NamedTuple):
    """The next bytes of a file to send: at most `size`, on the event loop at most `at_once`."""

    file: OutgoingFile
    position: int
    size: int
    at_once: int


class SocketIo:
    """A connection's socket on the event loop. One task at a time uses it."""

    _files_in_progress: ClassVar = 0

    __slots__ = ("_deadline", "_fd", "_is_local", "_loop", "_reading", "_socket", "_unsent", "_waiter", "_writing")

    def __init__(self, loop: asyncio.AbstractEventLoop, connection: socket.socket, *, is_local: bool = False) -> None:
        """`is_local`: the client is on this machine."""
        self._is_local = is_local
        self._loop = loop
        self._socket = connection
        self._fd = connection.fileno()
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = 0.0
        self._unsent = -1
        self._reading = self._writing = False

    @property
    def _is_encrypted(self) -> bool:
        return isinstance(self._socket, ssl.SSLSocket)

    async def handshake(self, context: ssl.SSLContext, seconds: float) -> None:
        """Begin TLS. Raises ClientGone."""
        deadline = self._loop.time() + seconds
        try:
            self._socket = tls = context.wrap_socket(self._socket, server_side=True, do_handshake_on_connect=False)
            while True:
                try:
                    tls.do_handshake()
                except ssl.SSLWantReadError:
                    await self.readable(deadline - self._loop.time())
                except ssl.SSLWantWriteError:
                    await self._writable(deadline - self._loop.time())
                else:
                    return
        except OSError as error:  # TimeoutError and ssl.SSLError are OSErrors.
            raise ClientGone from error

    def receive(self, size: int) -> bytes | None:
        """The bytes that have arrived, at most `size`; None if there are none, empty at the end. Raises ClientGone."""
        try:
            return self._socket.recv(size)
        except _BLOCKED:
            return None
        except OSError as error:
            raise ClientGone from error

    async def send(self, data: bytes, seconds: float, flags: int = 0) -> None:
        """Send all bytes. Raises ClientGone, also when the client accepts nothing for that long."""
        rest: bytes | memoryview = data
        while True:
            try:
                sent = self._socket.send(rest, flags)
            except _BLOCKED:
                await self._writable(seconds)
                continue
            except OSError as error:
                raise ClientGone from error
            if sent == len(rest):
                return
            rest = memoryview(rest)[sent:]  # TLS sends one record at a time.

    async def send_file(self, head: bytes, part: FilePart, size: int, seconds: float) -> None:
        """Send a head, and bytes of a file. Raises ClientGone, OSError, and EOFError if the file is too short.

        Between two slices of the file, other connections are served.
        """
        await self.send(head, seconds, 0 if self._is_encrypted else _MORE)
        file, position, end = OutgoingFile(part.descriptor), part.start, part.start + size
        send_some = self._send_encrypted if self._is_encrypted else self._send_plain
        SocketIo._files_in_progress += 1
        try:
            while position < end:
                is_short = position == part.start or (SocketIo._files_in_progress > 1 and not self._is_local)
                piece = _Piece(
                    file, position, min(end - position, CHUNK_BYTES), _SHORT_SLICE if is_short else SLICE_BYTES
                )
                sent = await send_some(piece, seconds)
                if sent == 0:
                    raise EOFError(f"{position} bytes instead of {end}")
                position += sent
                if position < end:
                    await asyncio.sleep(0)
        finally:
            SocketIo._files_in_progress -= 1

    async def _send_plain(self, piece: _Piece, seconds: float) -> int:
        """Send bytes of a file as they are; returns how many."""
        send_some = piece.file.copy_some if self._is_local else piece.file.send_some
        while True:
            try:
                return await send_some(self._fd, piece.position, piece.size, piece.at_once)
            except BlockingIOError:
                await self._writable(seconds)
            except (ConnectionError, TimeoutError) as error:
                raise ClientGone from error

    async def _send_encrypted(self, piece: _Piece, seconds: float) -> int:
        data = await piece.file.read_some(piece.position, piece.size, piece.at_once)
        await self.send(data, seconds)
        return len(data)

    def readable(self, seconds: float) -> Awaitable[None]:
        """Wait until bytes arrive, unless TLS has some that the socket does not show. Raises TimeoutError."""
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return asyncio.sleep(0)
        if not self._reading:
            self._loop.add_reader(self._fd, self._on_readable)
            self._reading = True
        return self._wait(seconds)

    async def _writable(self, seconds: float) -> None:
        """Wait until the client has accepted bytes. Raises ClientGone after that long without any."""
        self._loop.add_writer(self._fd, self._on_writable)
        self._writing = True
        self._unsent = self._unsent_bytes()
        try:
            await self._wait(seconds)
        except TimeoutError as error:
            raise ClientGone from error
        finally:
            if self._writing:
                self._writing = False
                self._loop.remove_writer(self._fd)

    async def _wait(self, seconds: float) -> None:
        self._deadline = self._loop.time() + seconds
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _on_readable(self) -> None:
        waiter = self._waiter
        if waiter is None or self._writing:  # Nobody reads now; the socket's buffer keeps the bytes.
            self._loop.remove_reader(self._fd)
            self._reading = False
        elif not waiter.done():
            waiter.set_result(None)

    def _on_writable(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def expire(self, now: float, extension: float) -> None:
        """End a wait whose time is over. A client that has accepted bytes meanwhile gets `extension` seconds more."""
        waiter = self._waiter
        if waiter is None or waiter.done() or now < self._deadline:
            return
        if self._writing:
            unsent = self._unsent_bytes()
            if unsent < self._unsent:
                self._unsent, self._deadline = unsent, now + extension
                return
        waiter.set_exception(TimeoutError())

    def _unsent_bytes(self) -> int:
        """The bytes that the client has not acknowledged. The socket becomes writable long after the first of them."""
        if sys.platform != "linux":
            return 0
        return int(struct.unpack("i", fcntl.ioctl(self._fd, _UNSENT, b"\0\0\0\0"))[0])

    def finish_sending(self) -> None:
        """Send the end of the stream; bytes can still be received."""
        if not isinstance(self._socket, ssl.SSLSocket):
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)

    def interrupt(self) -> None:
        """End a wait for bytes as if the client had disconnected."""
        if self._waiter is not None and not self._waiter.done() and not self._writing:
            self._waiter.set_exception(ClientGone())

    def close(self) -> None:
        if self._reading:
            self._loop.remove_reader(self._fd)
        self._socket.close()
