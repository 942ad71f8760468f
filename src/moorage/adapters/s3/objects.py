"""The few S3 operations that the blob store uses, with strict checks of the responses.

Nothing here relies on conditional writes: half of the stores that we tested ignore them. Only the sweeper and imports
list objects, and only imports copy them.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape

import aiohttp

from moorage.adapters.s3.client import Buffer, S3Client, S3Request, S3Response, element, is_transient
from moorage.adapters.s3.upload_state import Part
from moorage.domain.batches import batches
from moorage.domain.errors import Unavailable
from moorage.domain.ports import CHUNK_BYTES, BlobMissing, StoreFull, UploadMissing

_MAX_DELETES: Final = 1_000
_GONE_UPLOAD: Final = frozenset({"NoSuchUpload", "InvalidPart", "InvalidPartOrder"})
_FULL: Final = frozenset({"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull"})
_NOT_COPIED: Final = frozenset({400, 403, 404, 405, 501})
"""Responses of a store that copies no objects, not this one, or not for these credentials."""
_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class Objects:
    """Objects below one prefix of a bucket. Every method raises Unavailable when the store is not available."""

    def __init__(self, client: S3Client, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    async def close(self) -> None:
        await self._client.close()

    def link(self, key: str, seconds: int) -> str:
        """A URL that anybody can use to fetch the object for that many seconds."""
        return self._client.link(self._prefix + key, seconds)

    async def check(self) -> None:
        """Request an object that does not exist. Only credentials that can use the bucket get "no such key"."""
        response = await self._client.request(S3Request("GET", f"{self._prefix}no-such-object"))
        if response.status != 404 or response.code not in {"NoSuchKey", ""}:
            _checked(response)

    async def put(self, key: str, content: Sequence[Buffer]) -> None:
        """Store an object. Raises StoreFull."""
        response = await self._request("PUT", key, body=content)
        _etag(response)

    async def get(self, key: str) -> bytes:
        """Read a whole object. Raises BlobMissing."""
        response = await self._client.request(S3Request("GET", self._prefix + key))
        if response.status == 404:
            raise BlobMissing(key)
        return _checked(response).body

    async def start_of(self, key: str, limit: int) -> bytes:
        """The first bytes of an object, all of them if it is not longer than the limit. Raises BlobMissing."""
        headers = {"range": f"bytes=0-{limit - 1}"}
        response = await self._client.request(S3Request("GET", self._prefix + key, headers=headers))
        if response.status == 404:
            raise BlobMissing(key)
        return b"" if response.status == 416 else _checked(response).body

    async def copy(self, bucket: str, source: str, key: str, size: int) -> bool:
        """Make an object of one of that size in any bucket of the store; False if the store does not copy it.

        The keys have only characters that a URL can have. Raises StoreFull.
        """
        headers = {"x-amz-copy-source": f"/{bucket}/{source}"}
        request = S3Request("PUT", self._prefix + key, headers=headers, moved_bytes=size)
        response = await self._client.request(request)
        if response.status in _NOT_COPIED:
            return False
        _checked(response)
        return True

    async def size(self, key: str) -> int | None:
        """The size of an object in bytes; None if it does not exist."""
        response = await self._client.request(S3Request("HEAD", self._prefix + key))
        return None if response.status == 404 else int(_checked(response).headers["content-length"])

    async def read(self, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """Read bytes of an object; after a broken connection, continue where it ended.

        Raises BlobMissing, Unavailable, and OSError when the object ends early.
        """
        retries = self._client.retries()
        while start < stop:
            try:
                async for chunk in self._part_of(key, start, stop):
                    start += len(chunk)
                    retries = self._client.retries()
                    yield chunk
            except (aiohttp.ClientError, TimeoutError) as error:
                await retries.pause(type(error).__name__)

    async def _part_of(self, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        request = S3Request("GET", self._prefix + key, headers={"range": f"bytes={start}-{stop - 1}"})
        async with self._client.stream(request) as response:
            if response.status == 404:
                raise BlobMissing(key)
            found = _RANGE.fullmatch(response.headers.get("content-range", ""))
            if response.status == 416:
                raise OSError(errno.EIO, f"ends before byte {start}", key)
            if response.status // 100 != 2 and not is_transient(response.status):
                _checked(S3Response(response.status, response.headers, await response.read(), content=False))
            if response.status != 206 or found is None or int(found[1]) != start:
                raise aiohttp.ClientPayloadError(f"status {response.status}")
            async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                yield chunk
            if int(found[3]) < stop:
                raise OSError(errno.EIO, f"ends at byte {found[3]}", key)

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects, a thousand per request; objects that do not exist are ignored."""
        for batch in batches(keys, _MAX_DELETES):
            names = (f"<Object><Key>{escape(self._prefix + key)}</Key></Object>" for key in batch)
            document = f"<Delete><Quiet>true</Quiet>{''.join(names)}</Delete>".encode()
            digest = hashlib.md5(document, usedforsecurity=False).digest()
            headers = {"content-md5": base64.b64encode(digest).decode(), "content-type": "application/xml"}
            response = await self._client.request(S3Request("POST", "", {"delete": ""}, [document], headers))
            if b"<Error>" in _checked(response).body:
                raise Unavailable(reason=f"The object store did not delete objects ({element(response.body, 'Code')})")

    async def create_multipart(self, key: str) -> str:
        """Create a multipart upload and return its id."""
        response = await self._request("POST", key, {"uploads": ""})
        upload = element(response.body, "UploadId")
        if not upload:
            raise Unavailable(reason="The object store returned no upload id")
        return upload

    async def upload_part(self, key: str, upload: str, number: int, content: Sequence[Buffer]) -> Part:
        """Upload a part. Raises UploadMissing, StoreFull."""
        response = await self._request("PUT", key, {"partNumber": str(number), "uploadId": upload}, content)
        return Part(number, sum(map(len, content)), _etag(response))

    async def complete(self, key: str, upload: str, parts: Sequence[Part]) -> None:
        """Make an object of the parts. Raises UploadMissing when a part is missing or differs from what was sent."""
        listed = (
            f"<Part><PartNumber>{part.number}</PartNumber><ETag>{escape(part.etag)}</ETag></Part>" for part in parts
        )
        document = f"<CompleteMultipartUpload>{''.join(listed)}</CompleteMultipartUpload>".encode()
        await self._request("POST", key, {"uploadId": upload}, [document])

    async def abort(self, key: str, upload: str) -> None:
        """Abort a multipart upload and discard its parts; one that does not exist is ignored."""
        response = await self._client.request(S3Request("DELETE", self._prefix + key, {"uploadId": upload}))
        if response.status != 404:
            _checked(response)

    async def list_objects(self, prefix: str) -> AsyncIterator[list[tuple[str, int]]]:
        """The keys and sizes of all objects whose key starts with `prefix`, one page at a time."""
        query = {"list-type": "2", "prefix": self._prefix + prefix}
        async for page in self._pages(query, {"continuation-token": "NextContinuationToken"}):
            yield [(key, int(element(entry, "Size"))) for key, entry in self._entries(page, "Contents")]

    async def list_folders(self, prefix: str) -> AsyncIterator[list[str]]:
        """What follows `prefix` in keys up to the next slash, one page at a time."""
        start = self._prefix + prefix
        query = {"list-type": "2", "prefix": start, "delimiter": "/"}
        async for page in self._pages(query, {"continuation-token": "NextContinuationToken"}):
            found = re.findall(rb"<CommonPrefixes>.*?</CommonPrefixes>", page, re.DOTALL)
            yield [element(entry, "Prefix").removeprefix(start).removesuffix("/") for entry in found]

    async def list_multipart_uploads(self, prefix: str) -> AsyncIterator[list[tuple[str, str]]]:
        """The keys and ids of all multipart uploads whose key starts with `prefix`, one page at a time."""
        query = {"uploads": "", "prefix": self._prefix + prefix}
        markers = {"key-marker": "NextKeyMarker", "upload-id-marker": "NextUploadIdMarker"}
        async for page in self._pages(query, markers):
            entries = self._entries(page, "Upload")
            yield [(key, element(entry, "UploadId")) for key, entry in entries if key.startswith(prefix)]

    async def _pages(self, query: dict[str, str], markers: dict[str, str]) -> AsyncIterator[bytes]:
        """The pages of a list. `markers` maps a request parameter to the element of the previous page that sets it."""
        while True:
            page = _checked(await self._client.request(S3Request("GET", "", query))).body
            yield page
            after = {**query, **{parameter: element(page, name) for parameter, name in markers.items()}}
            if element(page, "IsTruncated") != "true" or after == query:
                return
            query = after

    def _entries(self, page: bytes, name: str) -> Iterator[tuple[str, bytes]]:
        """The entries of a list page, each with its key relative to the prefix."""
        for found in re.finditer(rf"<{name}>(.*?)</{name}>".encode(), page, re.DOTALL):
            yield element(found[1], "Key").removeprefix(self._prefix), found[1]

    async def _request(
        self, method: str, key: str, query: dict[str, str] | None = None, body: Sequence[Buffer] = ()
    ) -> S3Response:
        return _checked(await self._client.request(S3Request(method, self._prefix + key, query or {}, body)))


def _checked(response: S3Response) -> S3Response:
    """Return a successful response. S3 may report an error with status 200, because it responds before it is done."""
    if response.status // 100 == 2 and not response.code:
        return response
    if response.code in _GONE_UPLOAD:
        raise UploadMissing(response.code)
    if response.code in _FULL or response.status == 507:
        raise StoreFull(response.code or "it is full")
    raise Unavailable(reason=f"The object store rejects requests ({response.code or response.status})")


def _etag(response: S3Response) -> str:
    etag = response.headers.get("etag", "")
    if not etag:
        raise Unavailable(reason="The object store did not confirm the received bytes")
    return etag
