"""The response for a blob: whole or a range, sent by the HTTP server or the store where possible."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, Protocol

from moorage.domain.ports import BlobStore, FileLink, UrlLink
from moorage.http.conditional import etag_of, is_expected, is_unchanged
from moorage.http.messages import FilePart, Request, Response

_TYPE: Final = (b"content-type", b"application/octet-stream")
_RANGES: Final = (b"accept-ranges", b"bytes")
_CACHE: Final = (b"cache-control", b"private, max-age=31536000, immutable")

_SMALL_BYTES: Final = 16 << 10
"""Blobs up to this size, such as image configurations, are read here: that is faster than a file response."""


class ServedBlob(Protocol):
    """What a response needs to know of a blob: `size` in bytes, `key` in the store."""

    @property
    def digest(self) -> str: ...

    @property
    def size(self) -> int: ...

    @property
    def key(self) -> str: ...


async def blob_response(request: Request, blobs: BlobStore, blob: ServedBlob) -> Response:
    """Respond to a GET or HEAD of a blob that the client may read (RFC 9110, sections 13 and 14).

    Raises OSError for a file that is missing or has a different size; the server itself would send a 404 or a short
    response. If the store loses bytes during a read, the response ends before its Content-Length. Clients that are
    redirected to the store send their range there. Raises Unavailable.
    """
    etag = etag_of(blob.digest)
    headers = [_TYPE, _RANGES, _CACHE, (b"etag", etag), (b"docker-content-digest", blob.digest.encode())]
    if not is_expected(request, etag):
        return Response(412, [_length(0)])
    if is_unchanged(request, etag):
        return Response(304, headers)
    if request.method == "HEAD":
        return Response(200, [*headers, _length(blob.size)])
    link = blobs.link(blob.key) if blob.size > _SMALL_BYTES else None
    if isinstance(link, UrlLink):
        return Response(307, [(b"location", link.url.encode()), _length(0)])
    requested = _requested_range(request, etag, blob.size)
    if requested is None:
        return await _content_response(Response(200, headers), blobs, blob, range(blob.size))
    if not requested:
        return Response(416, [(b"content-range", b"bytes */%d" % blob.size), _length(0)])
    headers.append((b"content-range", b"bytes %d-%d/%d" % (requested.start, requested.stop - 1, blob.size)))
    return await _content_response(Response(206, headers), blobs, blob, requested)


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


async def _content_response(response: Response, blobs: BlobStore, blob: ServedBlob, selected: range) -> Response:
    """Complete a response with the selected bytes of a blob. Raises OSError, Unavailable."""
    response.headers.append(_length(len(selected)))
    if blob.size <= _SMALL_BYTES:
        content = await blobs.content(blob.key)
        if len(content) != blob.size:
            raise OSError(f"{blob.key} has {len(content)} bytes, not {blob.size}")
        response.body = content[selected.start : selected.stop]
        return response
    link = blobs.link(blob.key)
    if isinstance(link, FileLink):
        response.file = FilePart(_opened(link.path, blob.size), selected.start)
    else:
        response.stream = await _started(blobs, blob, selected)
    response.size = len(selected)
    return response


def _opened(path: Path, size: int) -> int:
    """The descriptor of a file with that size, opened before the status is sent. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    if os.fstat(descriptor).st_size != size:
        os.close(descriptor)
        raise OSError(f"{path} does not have {size} bytes")
    return descriptor


async def _started(blobs: BlobStore, blob: ServedBlob, requested: range) -> AsyncIterator[bytes]:
    """The bytes of a range. The first chunk is read at once, so a missing blob is found before the status is sent."""
    stream = blobs.read(blob.key, requested.start, requested.stop)
    first = await anext(stream)

    async def all_chunks() -> AsyncIterator[bytes]:
        yield first
        async for chunk in stream:
            yield chunk

    return all_chunks()


def _length(size: int) -> tuple[bytes, bytes]:
    return (b"content-length", b"%d" % size)
