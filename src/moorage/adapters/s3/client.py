"""Requests to an S3-compatible object store: signed, tried again while that can help, and read strictly.

The client is our own because no library has all of this: multipart uploads that go on in another process, a bound on
memory, and a time after which a request that waits is told so (docs/storage.md).
"""

from __future__ import annotations

import asyncio
import hashlib
import html
import random
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from yarl import URL

from moorage.adapters.s3.signing import Signer
from moorage.domain.errors import Unavailable
from moorage.domain.ports import CHUNK_BYTES

Buffer = bytes | bytearray
EMPTY_SHA256: Final = hashlib.sha256().hexdigest()

_PASSING_STATUSES: Final = frozenset({429, 500, 502, 503, 504})
_PASSING_CODES: Final = frozenset({"InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown"})
_IN_PLACE_BYTES: Final = 256 << 10


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the store is waited for: to connect, for its next byte, and for all attempts at one request together.

    A body gives the last two the time in which it is sent if the connection is as slow as `floor` bytes a second.
    """

    connect_seconds: float = 3.0
    silence_seconds: float = 10.0
    total_seconds: float = 12.0
    first_pause_seconds: float = 0.1
    floor: int = 256 << 10


PATIENCE: Final = Patience()


@dataclass(frozen=True, slots=True)
class S3Request:
    """`body` is in pieces, which are sent again as they are when the request is tried again."""

    method: str
    key: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Sequence[Buffer] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class S3Answer:
    """`content` says that a body under status 200 is an object's bytes, whatever they look like."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    content: bool

    @property
    def code(self) -> str:
        """The error code in the body, which may be one under a status of 200 too; empty when there is none."""
        if self.content and self.status == 200:
            return ""
        return element(self.body, "Code") if b"<Error" in self.body[:512] else ""

    @property
    def passes(self) -> bool:
        """Whether the same request may succeed a moment later."""
        return self.status in _PASSING_STATUSES or self.code in _PASSING_CODES


def element(document: bytes, name: str) -> str:
    """The text of the first element of that name; empty when there is none. S3's answers are flat enough for that."""
    found = re.search(rf"<{name}>([^<]*)</{name}>".encode(), document)
    return html.unescape(found[1].decode()) if found else ""


class S3Client:
    """One process's connections to one bucket."""

    def __init__(self, signer: Signer, patience: Patience = PATIENCE) -> None:
        self._signer = signer
        self._patience = patience
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Give back the connections; the next request opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def link(self, key: str, seconds: int) -> str:
        """A URL with which anybody can fetch an object for so long."""
        return self._signer.link(key, seconds)

    async def request(self, request: S3Request) -> S3Answer:
        """The store's answer to a request, whatever it is. Raises Unavailable when trying again did not help."""
        headers = {**request.headers, **await self._signed(request)}
        attempts = Attempts(self._patience, self._time_for(request))
        while True:
            try:
                async with self._open(request, headers) as response:
                    body = await response.read()
            except (aiohttp.ClientError, TimeoutError) as error:
                await attempts.pause(type(error).__name__)
                continue
            answer = S3Answer(response.status, response.headers, body, request.method == "GET")
            if not answer.passes:
                return answer
            await attempts.pause(answer.code or str(answer.status))

    @asynccontextmanager
    async def stream(self, request: S3Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """One attempt at a request whose answer is too long to be kept. Raises aiohttp.ClientError, TimeoutError."""
        async with self._open(request, {**request.headers, **await self._signed(request)}) as response:
            yield response

    def attempts(self) -> Attempts:
        """The patience for a request that the caller tries again by itself."""
        return Attempts(self._patience)

    def _time_for(self, request: S3Request) -> float:
        return sum(map(len, request.body)) / self._patience.floor

    async def _signed(self, request: S3Request) -> dict[str, str]:
        return self._signer.headers(request.method, request.key, request.query, await _sha256(request.body))

    @asynccontextmanager
    async def _open(self, request: S3Request, headers: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        url = URL(self._signer.url(request.key, request.query), encoded=True)
        length = {"content-length": str(sum(map(len, request.body)))} if request.method in {"PUT", "POST"} else {}
        timeout = aiohttp.ClientTimeout(
            sock_connect=self._patience.connect_seconds,
            sock_read=self._patience.silence_seconds + self._time_for(request),
        )
        async with self._connected().request(
            request.method,
            url,
            headers={**headers, **length},
            data=_slices(request.body) if request.body else None,
            allow_redirects=False,
            timeout=timeout,
        ) as response:
            yield response

    def _connected(self) -> aiohttp.ClientSession:
        """The session, made at the first request, on the loop that serves."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # As many as there are requests: one that waits for another's connection would have no end of waiting.
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                read_bufsize=CHUNK_BYTES // 2,
                skip_auto_headers=["content-type", "accept-encoding", "user-agent"],
            )
        return self._session


class Attempts:
    """The time that is left to try a request again, and the pauses in between: longer each time, and never in step."""

    def __init__(self, patience: Patience, time_for_body: float = 0.0) -> None:
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + patience.total_seconds + time_for_body
        self._pause = patience.first_pause_seconds

    async def pause(self, failure: str) -> None:
        """Wait before the next attempt. Raises Unavailable when there is no time for one."""
        pause = self._pause * (0.5 + random.random())  # noqa: S311 - no secret
        if self._loop.time() + pause > self._deadline:
            raise Unavailable(reason=f"The object store does not serve at the moment ({failure})")
        self._pause *= 2
        await asyncio.sleep(pause)


async def _slices(body: Sequence[Buffer]) -> AsyncIterator[memoryview]:
    for piece in body:
        view = memoryview(piece)
        for start in range(0, len(view), CHUNK_BYTES):
            yield view[start : start + CHUNK_BYTES]


async def _sha256(body: Sequence[Buffer]) -> str:
    """The hash that the store compares with what it received; of much, in a thread."""
    if not body:
        return EMPTY_SHA256
    if sum(map(len, body)) <= _IN_PLACE_BYTES:
        return _sha256_now(body)
    return await asyncio.to_thread(_sha256_now, body)


def _sha256_now(body: Sequence[Buffer]) -> str:
    hasher = hashlib.sha256()
    for piece in body:
        hasher.update(piece)
    return hasher.hexdigest()
