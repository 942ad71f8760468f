"""Bodies of answers: short ones whole and within a limit, and blobs in chunks that are verified while they arrive."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeVar

import aiohttp

from moorage.adapters.remote_registry.failures import failure_for
from moorage.domain import strict_json
from moorage.domain.remote_registries import RemoteBlob, RemoteInvalid, RemoteUnavailable
from moorage.domain.strict_json import BadJson

T = TypeVar("T")

_SHORT_SECONDS: Final = 60.0
"""Time limit for a whole short body."""

_RESUMPTIONS: Final = 5
"""How often a blob is continued after its connection broke."""

_MOST_BYTES: Final = 64 << 30
"""Bytes of a blob whose size nobody names. A layer of ECR has 52,000 MiB at most."""

_HASHED_IN_PLACE: Final = 64 << 10

_PATIENCE_SECONDS: Final = 60.0
_LEAST_BYTES_PER_SECOND: Final = 4096
"""A blob that arrives more slowly for longer than the patience is given up. The consumer's own pauses do not count."""


async def read_short(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    """The whole body. Raises RemoteInvalid if it is longer than the limit or compressed, RemoteUnavailable."""
    host = answer.url.host or ""
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise RemoteInvalid(f"{host} sent a compressed body that was not asked for")
    if (answer.content_length or 0) > limit:
        raise RemoteInvalid(f"{host} sent a body of more than {limit} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(_SHORT_SECONDS):
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise RemoteInvalid(f"{host} sent a body of more than {limit} bytes")
    except (aiohttp.ClientError, TimeoutError) as error:
        raise failure_for(error, host) from None
    return bytes(body)


async def read_json(answer: aiohttp.ClientResponse, kind: type[T], limit: int) -> T:
    """The body as JSON of a type. Raises RemoteInvalid, RemoteUnavailable."""
    body = await read_short(answer, limit)
    try:
        return strict_json.read_as(kind, body)
    except BadJson as error:
        raise RemoteInvalid(f"{answer.url.host} did not send the JSON of the protocol: {error}") from None


Continue = Callable[[int], Awaitable[aiohttp.ClientResponse]]
"""Opens a blob from a byte on; the status is 206 if the registry can do that."""


class BlobReading:
    """One blob that is being read, over one connection after another."""

    def __init__(self, answer: aiohttp.ClientResponse, again: Continue, digest: str, size: int | None) -> None:
        self._answer = answer
        self._again = again
        self._digest = digest
        self._size = size
        self._hash = hashlib.new(digest.partition(":")[0], usedforsecurity=False)
        self._received = 0
        self._waited = 0.0

    def blob(self, *, verified: bool) -> RemoteBlob:
        """The blob, of which nothing was read yet. Raises RemoteInvalid if its size is not the expected one."""
        length = self._answer.content_length
        if self._answer.status != 200 or (length is not None and self._size not in {None, length}):
            raise self._wrong(f"has {length} bytes instead of {self._size}")
        if self._size is None:
            self._size = length
        return RemoteBlob(self._size, self._verified() if verified else self._measured())

    def close(self) -> None:
        """Give the connection back, or close it if the blob was not read to its end."""
        self._answer.release()

    async def _verified(self) -> AsyncIterator[bytes]:
        held = b""
        hashing: asyncio.Future[None] | None = None
        async for chunk in self._measured():
            if hashing is not None:
                await hashing
            hashing = self._hashed(chunk)
            if held:
                yield held
            held = chunk
        if hashing is not None:
            await hashing
        if self._hash.hexdigest() != self._digest.partition(":")[2]:
            raise self._wrong("has other bytes")
        if held:
            yield held

    async def _measured(self) -> AsyncIterator[bytes]:
        """The bytes as they arrive. Raises RemoteInvalid if they are not as many as the size says."""
        async for chunk in self._arriving():
            self._received += len(chunk)
            if self._received > (_MOST_BYTES if self._size is None else self._size):
                raise self._wrong("is longer than its size")
            yield chunk
        if self._size not in {None, self._received}:
            raise self._wrong("is shorter than its size")

    def _hashed(self, chunk: bytes) -> asyncio.Future[None] | None:
        """Hash a chunk; a large one in a thread, while the next one arrives."""
        if len(chunk) < _HASHED_IN_PLACE:
            self._hash.update(chunk)
            return None
        return asyncio.get_running_loop().run_in_executor(None, self._hash.update, chunk)

    async def _arriving(self) -> AsyncIterator[bytes]:
        for attempt in range(_RESUMPTIONS + 1):
            received = self._received
            try:
                while chunk := await self._next():
                    yield chunk
            except (aiohttp.ClientError, TimeoutError) as error:
                if attempt == _RESUMPTIONS or self._received == received:
                    raise failure_for(error, self._host) from None
            else:
                return
            await self._continue()

    async def _next(self) -> bytes:
        """The next bytes. Raises RemoteUnavailable if they arrive too slowly."""
        begin = asyncio.get_running_loop().time()
        chunk = await self._answer.content.readany()
        self._waited += asyncio.get_running_loop().time() - begin
        if self._waited > _PATIENCE_SECONDS + self._received / _LEAST_BYTES_PER_SECOND:
            raise RemoteUnavailable(f"{self._host} sends {self._digest} too slowly")
        return chunk

    async def _continue(self) -> None:
        self.close()
        self._answer = await self._again(self._received)
        start = self._answer.headers.get("Content-Range", "").partition("-")[0]
        if self._answer.status != 206 or start != f"bytes {self._received}":
            raise RemoteUnavailable(f"{self._host} broke off {self._digest} and cannot continue it")

    @property
    def _host(self) -> str:
        return self._answer.url.host or ""

    def _wrong(self, what: str) -> RemoteInvalid:
        return RemoteInvalid(f"{self._host} sent a blob that is not {self._digest}: it {what}")
