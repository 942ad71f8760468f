"""Requests to an S3-compatible object store: signed, retried while that can help, and checked strictly.

We have our own client because no library offers all of this: multipart uploads that continue in another process, a
memory limit, and a limit for how long a request may wait (docs/storage.md).
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

_TRANSIENT_STATUSES: Final = frozenset({429, 500, 502, 503, 504})
_TRANSIENT_CODES: Final = frozenset({"InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown"})
_IN_PLACE_BYTES: Final = 256 << 10


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Time limits: to connect, to wait for the next byte, and for all retries of one request together.

    The last two are extended by the time that sending the body takes at `min_bytes_per_second`.
    """

    connect_seconds: float = 3.0
    read_seconds: float = 10.0
    total_seconds: float = 12.0
    first_pause_seconds: float = 0.1
    min_bytes_per_second: int = 256 << 10


DEFAULT_TIMEOUTS: Final = Timeouts()


@dataclass(frozen=True, slots=True)
class S3Request:
    """One request. `body` is a sequence of buffers, which are sent again when the request is retried.

    `moved_bytes` are those that the store copies itself before it responds.
    """

    method: str
    key: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Sequence[Buffer] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    moved_bytes: int = 0


@dataclass(frozen=True, slots=True)
class S3Response:
    """One response. With `content`, the body of a success is an object's bytes and never an error document."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    content: bool

    @property
    def code(self) -> str:
        """The error code in the body; empty if there is none. A response with status 200 may contain one too."""
        if self.content and self.status in {200, 206}:
            return ""
        return element(self.body, "Code") if b"<Error" in self.body[:512] else ""

    @property
    def is_transient(self) -> bool:
        """Whether the same request may succeed a moment later."""
        return is_transient(self.status) or self.code in _TRANSIENT_CODES


def is_transient(status: int) -> bool:
    """Whether a request that was answered with that status may succeed a moment later."""
    return status in _TRANSIENT_STATUSES


def element(document: bytes, name: str) -> str:
    """The text of the first element with that name, or "". This is enough for S3's flat documents."""
    found = re.search(rf"<{name}>([^<]*)</{name}>".encode(), document)
    return html.unescape(found[1].decode()) if found else ""


class S3Client:
    """One process's connections to one bucket."""

    def __init__(self, signer: Signer, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> None:
        self._signer = signer
        self._timeouts = timeouts
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def link(self, key: str, seconds: int) -> str:
        """A URL that anybody can use to fetch the object for that many seconds."""
        return self._signer.link(key, seconds)

    async def request(self, request: S3Request) -> S3Response:
        """Send a request and return the response, of any status. Raises Unavailable when retries do not help."""
        headers = {**request.headers, **await self._signed(request)}
        retries = Retries(self._timeouts, self._time_for(request))
        while True:
            try:
                async with self._open(request, headers) as raw:
                    body = await raw.read()
            except (aiohttp.ClientError, TimeoutError) as error:
                await retries.pause(type(error).__name__)
                continue
            response = S3Response(raw.status, raw.headers, body, request.method == "GET")
            if not response.is_transient:
                return response
            await retries.pause(response.code or str(response.status))

    @asynccontextmanager
    async def stream(self, request: S3Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request once; the caller reads the response as a stream. Raises aiohttp.ClientError, TimeoutError."""
        async with self._open(request, {**request.headers, **await self._signed(request)}) as response:
            yield response

    def retries(self) -> Retries:
        """The retries for a request that the caller repeats itself."""
        return Retries(self._timeouts)

    def _time_for(self, request: S3Request) -> float:
        return (sum(map(len, request.body)) + request.moved_bytes) / self._timeouts.min_bytes_per_second

    async def _signed(self, request: S3Request) -> dict[str, str]:
        # S3 rejects requests with headers of its own that are not signed.
        own = {name: value for name, value in request.headers.items() if name.startswith("x-amz-")}
        payload = await _sha256(request.body)
        return self._signer.headers(request.method, request.key, request.query, payload, own)

    @asynccontextmanager
    async def _open(self, request: S3Request, headers: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        url = URL(self._signer.url(request.key, request.query), encoded=True)
        length = {"content-length": str(sum(map(len, request.body)))} if request.method in {"PUT", "POST"} else {}
        timeout = aiohttp.ClientTimeout(
            sock_connect=self._timeouts.connect_seconds,
            sock_read=self._timeouts.read_seconds + self._time_for(request),
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
        """The session; created at the first request, in the event loop that serves."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # No limit: the time that a request waits for another's connection would be unlimited.
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                read_bufsize=CHUNK_BYTES // 2,
                skip_auto_headers=["content-type", "accept-encoding", "user-agent"],
            )
        return self._session


class Retries:
    """The time left for retries of a request, and the pauses between them: growing, with random jitter."""

    def __init__(self, timeouts: Timeouts, time_for_body: float = 0.0) -> None:
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + timeouts.total_seconds + time_for_body
        self._pause = timeouts.first_pause_seconds

    async def pause(self, failure: str) -> None:
        """Wait before the next attempt. Raises Unavailable when no time is left for one."""
        pause = self._pause * (0.5 + random.random())  # noqa: S311 - not a secret
        if self._loop.time() + pause > self._deadline:
            raise Unavailable(reason=f"The object store is not available ({failure})")
        self._pause *= 2
        await asyncio.sleep(pause)


async def _slices(body: Sequence[Buffer]) -> AsyncIterator[memoryview]:
    for buffer in body:
        view = memoryview(buffer)
        for start in range(0, len(view), CHUNK_BYTES):
            yield view[start : start + CHUNK_BYTES]


async def _sha256(body: Sequence[Buffer]) -> str:
    """The hash that the store compares with the received body. A large body is hashed in a thread."""
    if not body:
        return EMPTY_SHA256
    if sum(map(len, body)) <= _IN_PLACE_BYTES:
        return _sha256_now(body)
    return await asyncio.to_thread(_sha256_now, body)


def _sha256_now(body: Sequence[Buffer]) -> str:
    hasher = hashlib.sha256()
    for buffer in body:
        hasher.update(buffer)
    return hasher.hexdigest()
