"""The answer to whoever may read a blob: whole or a range of it, by the server itself wherever it can."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, Protocol

from moorage.domain.ports import BlobStore, FileLink, UrlLink
from moorage.http.conditional import etag_of, is_unchanged
from moorage.http.messages import Headers, Request, Response

_TYPE: Final = (b"content-type", b"application/octet-stream")
_RANGES: Final = (b"accept-ranges", b"bytes")
_CACHE: Final = (b"cache-control", b"private, max-age=31536000, immutable")

_SMALL_BYTES: Final = 16 << 10
"""Up to this size, as image configurations have it, a blob is read sooner than it is handed to the server to send."""


class ServedBlob(Protocol):
    """What must be known of a blob to send it; `size` in bytes, `key` as the store knows it."""

    @property
    def digest(self) -> str: ...

    @property
    def size(self) -> int: ...

    @property
    def key(self) -> str: ...


async def blob_response(request: Request, blobs: BlobStore, blob: ServedBlob) -> Response:
    """Answer a GET or HEAD of a blob that the client may read (RFC 9110, sections 13 and 14).

    A file that is missing or has another size is an OSError, never the 404 or the short answer that the server would
    make of it; what a store loses while a blob is read ends the answer short of its Content-Length. A client that is
    sent to the store asks there for its range. Raises Unavailable.
    """
    etag = etag_of(blob.digest)
    headers = [_TYPE, _RANGES, _CACHE, (b"etag", etag), (b"docker-content-digest", blob.digest.encode())]
    if is_unchanged(request, etag):
        return Response(304, headers)
    if request.method == "HEAD":
        return Response(200, [*headers, _length(blob.size)])
    link = blobs.link(blob.key) if blob.size > _SMALL_BYTES else None
    if isinstance(link, UrlLink):
        return Response(307, [(b"location", link.url.encode()), _length(0)])
    wanted = _wanted(request, etag, blob.size)
    if wanted is None:
        return await _whole(blobs, blob, link, headers)
    if not wanted:
        return Response(416, [(b"content-range", b"bytes */%d" % blob.size), _length(0)])
    headers += [
        (b"content-range", b"bytes %d-%d/%d" % (wanted.start, wanted.stop - 1, blob.size)),
        _length(len(wanted)),
    ]
    return Response(206, headers, stream=await _begun(blobs, blob, wanted), size=len(wanted))


def byte_range(value: bytes, size: int) -> range | None:
    """The positions that a Range header asks for, of content of `size` bytes; empty when none of them exists.

    RFC 9110 lets a server ignore `500-0`; the conformance program of the distribution-spec wants it refused.

    None stands for the whole: for several ranges at once, which a server need not serve, and for what is no range.
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
    """Whether these are decimal digits, not more than any size has."""
    return text.isdigit() and len(text) <= 18


def _suffix(last: bytes, size: int) -> range | None:
    return range(max(size - int(last), 0), size) if is_number(last) else None


def _wanted(request: Request, etag: bytes, size: int) -> range | None:
    value = request.headers.get(b"range")
    if value is None or request.headers.get(b"if-range", etag) != etag:
        return None
    return byte_range(value, size)


async def _whole(blobs: BlobStore, blob: ServedBlob, link: FileLink | None, headers: Headers) -> Response:
    headers.append(_length(blob.size))
    if blob.size <= _SMALL_BYTES:
        content = await blobs.content(blob.key)
        if len(content) != blob.size:
            raise OSError(f"{blob.key} has {len(content)} bytes, not {blob.size}")
        return Response(200, headers, content)
    if link is None:
        return Response(200, headers, stream=await _begun(blobs, blob, range(blob.size)), size=blob.size)
    if link.path.stat().st_size != blob.size:
        raise OSError(f"{link.path} does not have {blob.size} bytes")
    return Response(200, headers, file=link.path, size=blob.size)


async def _begun(blobs: BlobStore, blob: ServedBlob, wanted: range) -> AsyncIterator[bytes]:
    """The bytes of a range, of which the first are there: a store that has none is found out before the status is."""
    stream = blobs.read(blob.key, wanted.start, wanted.stop)
    first = await anext(stream)

    async def everything() -> AsyncIterator[bytes]:
        yield first
        async for chunk in stream:
            yield chunk

    return everything()


def _length(size: int) -> tuple[bytes, bytes]:
    return (b"content-length", b"%d" % size)
