"""Where a vulnerability database comes from: a file, a URL, or an artifact in a registry."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urljoin

import msgspec

from moorage.domain import strict_json
from moorage.domain.errors import Unavailable
from moorage.domain.ports import CHUNK_BYTES, BlobMissing
from moorage.domain.strict_json import BadJson
from moorage.first_use import at_first_use

if TYPE_CHECKING:
    import aiohttp
else:
    aiohttp = at_first_use("aiohttp")

ARCHIVE_LIMIT: Final = 4 << 30
"""Maximum size of a database's archive in bytes. Grype's own has about 100 MB."""

_LISTING_LIMIT: Final = 1 << 20
_SECONDS: Final = {"total": 3600, "sock_connect": 10, "sock_read": 60}
_STATE_LIMIT: Final = 200
_CHECKSUM: Final = re.compile(r"sha256:[0-9a-f]{64}")


class SourceFailed(Exception):
    """The source has no database, or does not answer. The text says why."""


class DatabaseSource(Protocol):
    """A place with an archive of a vulnerability database."""

    async def fetch(self, known: str, into: Path) -> str | None:
        """Write the archive to the file `into`, and return a text that identifies its content.

        None if that is still `known`. Raises SourceFailed, OSError.
        """


class FileSource:
    """An archive on this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def fetch(self, known: str, into: Path) -> str | None:
        """See `DatabaseSource.fetch`."""
        return await asyncio.to_thread(self._copy, known, into)

    def _copy(self, known: str, into: Path) -> str | None:
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                state = f"file:{status.st_mtime_ns}-{status.st_size}"
                if state == known:
                    return None
                with into.open("wb") as copy:
                    for chunk in iter(lambda: file.read(CHUNK_BYTES), b""):
                        _check_size(copy.tell() + len(chunk))
                        copy.write(chunk)
        except OSError as error:
            if Path(error.filename or "") != self._path:
                raise
            raise SourceFailed(f"{self._path}: {error.strerror}") from None
        return state


class _Listing(msgspec.Struct, frozen=True):
    """Grype's `latest.json`: the newest archive, relative to it, with its digest."""

    path: str
    checksum: str


class UrlSource:
    """An archive at a URL, or Grype's listing `….json` of one. Redirects are followed; the archive may be anywhere."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def fetch(self, known: str, into: Path) -> str | None:
        """See `DatabaseSource.fetch`."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(**_SECONDS), auto_decompress=False) as session:
            if not self._url.partition("?")[0].endswith(".json"):
                return await self._fetch_archive(session, known, into)
            listing = await self._listing(session)
            if f"url:{listing.checksum}" == known:
                return None
            async with self._answer(session, urljoin(self._url, listing.path), {}) as answer:
                found = await write_archive(answer.content.iter_chunked(CHUNK_BYTES), into)
            if found != listing.checksum:
                raise SourceFailed(f"The archive of {self._url} has the digest {found}, not {listing.checksum}")
            return f"url:{found}"

    async def _fetch_archive(self, session: aiohttp.ClientSession, known: str, into: Path) -> str | None:
        headers = {"if-none-match": known.removeprefix("etag:")} if known.startswith("etag:") else {}
        async with self._answer(session, self._url, headers) as answer:
            if answer.status == 304:
                return None
            digest = await write_archive(answer.content.iter_chunked(CHUNK_BYTES), into)
            tag = answer.headers.get("etag", "")
            state = f"etag:{tag}" if 0 < len(tag) < _STATE_LIMIT else f"url:{digest}"
            return None if state == known else state

    async def _listing(self, session: aiohttp.ClientSession) -> _Listing:
        async with self._answer(session, self._url, {}) as answer:
            content = await answer.content.read(_LISTING_LIMIT + 1)
            while len(content) <= _LISTING_LIMIT and (more := await answer.content.read(_LISTING_LIMIT)):
                content += more
        try:
            listing = strict_json.read_as(_Listing, content)
        except BadJson as error:
            raise SourceFailed(f"{self._url} is not a listing of Grype: {error}") from None
        if _CHECKSUM.fullmatch(listing.checksum) is None:
            raise SourceFailed(f"{self._url} names no SHA-256 of its archive")
        return listing

    @asynccontextmanager
    async def _answer(
        self, session: aiohttp.ClientSession, url: str, headers: dict[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with session.get(url, headers=headers) as answer:
                if answer.status not in {200, 304}:
                    raise SourceFailed(f"{self._url} answered {answer.status}")
                yield answer
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise SourceFailed(f"{self._url} cannot be read: {str(error) or type(error).__name__}") from None


@dataclass(frozen=True, slots=True)
class Artifact:
    """The one layer of an artifact: its digest, and its bytes."""

    digest: str
    chunks: AsyncIterator[bytes]


OpenArtifact = Callable[[], Awaitable[Artifact]]
"""Opens the artifact in a registry that the settings name. Raises SourceFailed."""


class ArtifactSource:
    """An artifact with one layer, as `oras push` makes it."""

    def __init__(self, open_artifact: OpenArtifact) -> None:
        self._open = open_artifact

    async def fetch(self, known: str, into: Path) -> str | None:
        """See `DatabaseSource.fetch`."""
        artifact = await self._open()
        if artifact.digest == known:
            return None
        try:
            found = await write_archive(artifact.chunks, into)
        except (BlobMissing, Unavailable) as error:
            raise SourceFailed(f"The archive {artifact.digest} cannot be read: {error}") from None
        if found != artifact.digest:
            raise SourceFailed(f"The archive has the digest {found}, not {artifact.digest}")
        return artifact.digest


async def write_archive(chunks: AsyncIterator[bytes], into: Path) -> str:
    """Write an archive to a file, and return its digest. Raises SourceFailed if it is too large, OSError."""
    hasher = hashlib.sha256()
    with into.open("wb") as file:
        async for chunk in chunks:
            _check_size(file.tell() + len(chunk))
            hasher.update(chunk)
            await asyncio.to_thread(file.write, chunk)
    return f"sha256:{hasher.hexdigest()}"


def _check_size(size: int) -> None:
    if size > ARCHIVE_LIMIT:
        raise SourceFailed(f"The archive has more than {ARCHIVE_LIMIT >> 30} GiB")
