"""Bodies of uploads to a registry: chunks or, over a connection without TLS, part of a file that the kernel copies."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from moorage.domain.ports import CHUNK_BYTES
from moorage.domain.remote_registries import FilePart, UploadContent
from moorage.sendfile import OutgoingFile

IDLE_SECONDS: Final = 30.0
"""How long a registry may accept nothing."""


class UploadBody(aiohttp.Payload):
    """The content of an upload as aiohttp sends it.

    What the registry accepts extends the deadline; while the source of the content is read, there is none.
    """

    def __init__(self, content: UploadContent, deadline: asyncio.Timeout) -> None:
        super().__init__(content)
        self._size = content.size
        self._content = content
        self._deadline = deadline

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002 - the parameters are aiohttp's
        """See `aiohttp.Payload.decode`."""
        raise TypeError("the content of an upload is not text")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """See `aiohttp.Payload.write`."""
        transport, file = writer.transport, self._content.file
        if transport is None or file is None or transport.get_extra_info("sslcontext") is not None:
            return await self._send_chunks(writer)
        try:
            descriptor = os.open(file.path, os.O_RDONLY)
        except FileNotFoundError:
            return await self._send_chunks(writer)  # They tell what is missing.
        try:
            await self._send_file(writer, transport, descriptor, file)
        finally:
            os.close(descriptor)

    async def _send_chunks(self, writer: AbstractStreamWriter) -> None:
        while True:
            self._deadline.reschedule(None)
            chunk = await anext(self._content.chunks, None)
            self._extend()
            if chunk is None:
                return
            await writer.write(chunk)

    async def _send_file(
        self, writer: AbstractStreamWriter, transport: asyncio.WriteTransport, descriptor: int, file: FilePart
    ) -> None:
        writer.send_headers()
        transport.set_write_buffer_limits(0)  # `drain` waits until the head is sent: the bytes must not overtake it.
        await writer.drain()
        transport.set_write_buffer_limits()
        position, stop = file.start, file.start + self._content.size
        outgoing = OutgoingFile(descriptor)
        with _second_descriptor(transport) as connection:
            while position < stop:
                size = min(CHUNK_BYTES, stop - position)
                self._deadline.reschedule(None)
                await file.pace(size)
                await self._send_piece(connection, outgoing, position, size)
                position += size

    async def _send_piece(self, connection: int, file: OutgoingFile, position: int, size: int) -> None:
        end = position + size
        while position < end:
            try:
                sent = await file.send_some(connection, position, end - position)
            except BlockingIOError:
                self._extend()
                await _writable(connection)
                continue
            if sent == 0:
                raise OSError(errno.EIO, f"a blob ends at byte {position}")
            position += sent

    def _extend(self) -> None:
        self._deadline.reschedule(asyncio.get_running_loop().time() + IDLE_SECONDS)


@contextmanager
def _second_descriptor(transport: asyncio.WriteTransport) -> Iterator[int]:
    """Another descriptor of a transport's socket: the event loop lets nobody else wait for the transport's own."""
    descriptor = os.dup(transport.get_extra_info("socket").fileno())
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def _writable(connection: int) -> None:
    """Wait until a connection accepts bytes, or has failed."""
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()
    loop.add_writer(connection, _wake, waiter)
    try:
        await waiter
    finally:
        loop.remove_writer(connection)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
