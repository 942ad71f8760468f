"""The response for a blob: whole or a range, sent by the HTTP server or the store where possible."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, Protocol

from moorage.bounds import bounded_cache
from moorage.domain.ports import BlobMissing, BlobStore, FileLink, UrlLink
from moorage.http.conditional import etag_of, is_expected, is_unchanged
from moorage.http.messages import FilePart, Headers, Request, Response
from moorage.http.small_blobs import SMALL_BYTES, ServedBlob, SmallBlobs

_TYPE: Final = (b"content-type", b"application/octet-stream")
_RANGES: Final = (b"accept-ranges", b"bytes")
_COMPARING: Final = frozenset({b"if-match", b"if-range", b"if-unmodified-since"})
OF_CONSOLE: Final = b"x-moorage-build"
"""A header that only the console's pages send: the build of the pages."""

_KEY_PREFIX: Final = "blobs/"
"""With this the key of each file begins. nginx sees only the files in this folder."""

_CACHE: Final = (b"cache-control", b"private, max-age=31536000, immutable")


class ArrivingBlob(Protocol):
    """A blob that is still arriving, but whose size is known."""

    def read(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """Bytes `start` to `stop` (exclusive), as they arrive. Any exception ends the response before its length."""


class BlobResponses:
    """Responses with the blobs of a store.

    `accel_location` is the internal location from which nginx, as the trusted proxy, sends blobs that are files; empty
    if the server sends them itself.
    """

    def __init__(self, blobs: BlobStore, accel_location: str = "") -> None:
        self._blobs = blobs
        self._accel_location = accel_location
        self._small = SmallBlobs(blobs)

    async def response(self, request: Request, blob: ServedBlob) -> Response:
        """Respond to a GET or HEAD of a blob that the client may read (RFC 9110, sections 13 and 14).

        The blob is opened before the status is sent. Raises BlobMissing for one that is missing or has a different
        size, OSError for one that cannot be read now, Unavailable. If the store loses bytes during a read, the response
        ends before its Content-Length. Clients that are redirected to the store send their range there.
        """
        etag, known = _head_of(blob.digest)
        if not is_expected(request, etag):
            return Response(412, [_length(0)])
        headers = list(known)
        if is_unchanged(request, etag):
            return Response(304, headers)
        if request.method == "HEAD":
            headers.append(_length(blob.size))
            return Response(200, headers)
        link = self._blobs.link(blob.key) if blob.size > SMALL_BYTES else None
        if isinstance(link, UrlLink):
            if OF_CONSOLE not in request.headers:
                return Response(307, [(b"location", link.url.encode()), _length(0)])
            link = None  # The policy of the console's pages lets them read nothing from elsewhere.
        if link is not None and self._accel_location and _can_be_sent_by_nginx(request):
            os.close(_opened(link.path, blob))
            place = self._accel_location + blob.key.removeprefix(_KEY_PREFIX)
            return Response(200, [*headers, (b"x-accel-redirect", place.encode()), _length(0)])
        response, selected = _ranged(request, headers, etag, blob.size)
        return response if selected is None else await self._with_content(response, blob, link, selected)

    async def _with_content(
        self, response: Response, blob: ServedBlob, link: FileLink | None, selected: range
    ) -> Response:
        """Complete a response with the selected bytes of a blob. Raises BlobMissing, OSError, Unavailable."""
        response.headers.append(_length(len(selected)))
        if blob.size <= SMALL_BYTES:
            content = await self._small.content(blob)
            response.body = content[selected.start : selected.stop]
            return response
        if link is not None:
            response.file = FilePart(_opened(link.path, blob), selected.start)
        else:
            response.stream = await _started(self._blobs.read(blob.key, selected.start, selected.stop))
        response.size = len(selected)
        return response


def _can_be_sent_by_nginx(request: Request) -> bool:
    """Whether nginx may send the bytes: it gets the request's Range, but does not compare our entity tags."""
    return request.is_from_proxy and not _COMPARING & request.headers.keys()


async def arriving_response(request: Request, arriving: ArrivingBlob, digest: str, size: int) -> Response:
    """Respond to a GET of a blob that is still arriving. Waits for its first bytes, so that a failure has a status."""
    etag, headers = _head_of(digest)
    response, selected = _ranged(request, list(headers), etag, size)
    if selected is not None:
        response.headers.append(_length(len(selected)))
        response.stream = await _started(arriving.read(selected.start, selected.stop)) if selected else None
        response.size = len(selected)
    return response


def size_response(digest: str, size: int) -> Response:
    """The response to a HEAD of a blob that is still arriving."""
    return Response(200, [*_head_of(digest)[1], _length(size)])


@bounded_cache(entries=4096, size=1 << 20)
def _head_of(digest: str) -> tuple[bytes, Headers]:
    """The entity tag of a blob, and the headers that each of its responses has."""
    etag = etag_of(digest)
    return etag, [_TYPE, _RANGES, _CACHE, (b"etag", etag), (b"docker-content-digest", digest.encode())]


def _ranged(request: Request, headers: Headers, etag: bytes, size: int) -> tuple[Response, range | None]:
    """The head of the response, and the positions that it sends; None for a range that does not exist."""
    requested = _requested_range(request, etag, size)
    if requested is None:
        return Response(200, headers), range(size)
    if not requested:
        return Response(416, [(b"content-range", b"bytes */%d" % size), _length(0)]), None
    headers.append((b"content-range", b"bytes %d-%d/%d" % (requested.start, requested.stop - 1, size)))
    return Response(206, headers), requested


def byte_range(value: bytes, size: int) -> range | None:
    """The positions that a Range header selects in content of `size` bytes; empty when none of them exists.

    RFC 9110 allows a server to ignore `500-0`; the conformance program of the distribution-spec expects an error.

    None means the whole content: for several ranges, which a server need not support, and for invalid ranges.
    """
    unit, _, spec = value.partition(b"=")
    first, separator, last = (part.strip() for part in spec.partition(b"-"))
    if unit.strip().lower() != b"bytes" or not separator:
        return None
    if not first:
        return _suffix(last, size)
    if not is_number(first) or (last and not is_number(last)):
        return None
    if not last:
        return range(int(first), size)
    return range(int(first), min(int(last) + 1, size))


def is_number(text: bytes) -> bool:
    """Whether the text consists of decimal digits, at most as many as a size has."""
    return text.isdigit() and len(text) <= 18


def _suffix(last: bytes, size: int) -> range | None:
    return range(max(size - int(last), 0), size) if is_number(last) else None


def _requested_range(request: Request, etag: bytes, size: int) -> range | None:
    value = request.headers.get(b"range")
    if value is None or request.headers.get(b"if-range", etag) != etag:
        return None
    return byte_range(value, size)


def _opened(path: Path, blob: ServedBlob) -> int:
    """The descriptor of a blob's file, opened before the status is sent. Raises BlobMissing, OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise BlobMissing(blob.key) from None
    size = os.fstat(descriptor).st_size
    if size != blob.size:
        os.close(descriptor)
        raise BlobMissing(f"{blob.key} has {size} bytes, not {blob.size}")
    return descriptor


async def _started(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes. The first chunk is read at once, so a missing blob is found before the status is sent."""
    first = await anext(stream)

    async def all_chunks() -> AsyncIterator[bytes]:
        yield first
        async for chunk in stream:
            yield chunk

    return all_chunks()


def _length(size: int) -> tuple[bytes, bytes]:
    return (b"content-length", b"%d" % size)
