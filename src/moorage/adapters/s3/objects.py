"""The few operations of S3 that the store is built from, each strict about what comes back.

Nothing here copies, or relies on a conditional write: half of the stores that were tried ignore the latter. Only the
sweep asks for lists, and nobody waits for it.
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

from moorage.adapters.s3.client import Buffer, S3Answer, S3Client, S3Request, element
from moorage.adapters.s3.upload_state import Part
from moorage.domain.errors import Unavailable
from moorage.domain.ports import CHUNK_BYTES, BlobMissing, StoreFull, UploadMissing

_MOST_DELETES: Final = 1_000
_GONE_UPLOAD: Final = frozenset({"NoSuchUpload", "InvalidPart", "InvalidPartOrder"})
_FULL: Final = frozenset({"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull"})
_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class Objects:
    """Objects below one prefix of a bucket. Every method raises Unavailable when the store does not serve."""

    def __init__(self, client: S3Client, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    async def close(self) -> None:
        await self._client.close()

    def link(self, key: str, seconds: int) -> str:
        """A URL with which anybody can fetch an object for so long."""
        return self._client.link(self._prefix + key, seconds)

    async def check(self) -> None:
        """Ask for an object that nobody has: that it is missing only a key learns that opens the bucket."""
        answer = await self._client.request(S3Request("GET", f"{self._prefix}no-such-object"))
        if answer.status != 404 or answer.code not in {"NoSuchKey", ""}:
            _checked(answer)

    async def put(self, key: str, content: Sequence[Buffer]) -> None:
        """Store an object. Raises StoreFull."""
        answer = await self._ask("PUT", key, body=content)
        _etag(answer)

    async def get(self, key: str) -> bytes:
        """A whole object. Raises BlobMissing."""
        answer = await self._client.request(S3Request("GET", self._prefix + key))
        if answer.status == 404:
            raise BlobMissing(key)
        return _checked(answer).body

    async def size(self, key: str) -> int | None:
        """The size of an object; None when there is none."""
        answer = await self._client.request(S3Request("HEAD", self._prefix + key))
        return None if answer.status == 404 else int(_checked(answer).headers["content-length"])

    async def read(self, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """Bytes of an object; goes on where it was when a connection breaks.

        Raises BlobMissing, and OSError when the object ends sooner.
        """
        attempts = self._client.attempts()
        while start < stop:
            try:
                async for chunk in self._part_of(key, start, stop):
                    start += len(chunk)
                    attempts = self._client.attempts()
                    yield chunk
            except (aiohttp.ClientError, TimeoutError) as error:
                await attempts.pause(type(error).__name__)

    async def _part_of(self, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        request = S3Request("GET", self._prefix + key, headers={"range": f"bytes={start}-{stop - 1}"})
        async with self._client.stream(request) as response:
            if response.status == 404:
                raise BlobMissing(key)
            found = _RANGE.fullmatch(response.headers.get("content-range", ""))
            if response.status == 416:
                raise OSError(errno.EIO, f"ends before byte {start}", key)
            if response.status != 206 or found is None or int(found[1]) != start:
                raise aiohttp.ClientPayloadError(f"status {response.status}")
            async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                yield chunk
            if int(found[3]) < stop:
                raise OSError(errno.EIO, f"ends at byte {found[3]}", key)

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove objects, a thousand in a request; one that is not there is already removed."""
        for start in range(0, len(keys), _MOST_DELETES):
            names = (
                f"<Object><Key>{escape(self._prefix + key)}</Key></Object>" for key in keys[start:][:_MOST_DELETES]
            )
            document = f"<Delete><Quiet>true</Quiet>{''.join(names)}</Delete>".encode()
            digest = hashlib.md5(document, usedforsecurity=False).digest()
            headers = {"content-md5": base64.b64encode(digest).decode(), "content-type": "application/xml"}
            answer = await self._client.request(S3Request("POST", "", {"delete": ""}, [document], headers))
            if b"<Error>" in _checked(answer).body:
                raise Unavailable(reason=f"The object store did not delete ({element(answer.body, 'Code')})")

    async def begin(self, key: str) -> str:
        """Begin a multipart upload and return its id."""
        answer = await self._ask("POST", key, {"uploads": ""})
        upload = element(answer.body, "UploadId")
        if not upload:
            raise Unavailable(reason="The object store gave no upload id")
        return upload

    async def send(self, key: str, upload: str, number: int, content: Sequence[Buffer]) -> Part:
        """Store a part. Raises UploadMissing, StoreFull."""
        answer = await self._ask("PUT", key, {"partNumber": str(number), "uploadId": upload}, content)
        return Part(number, sum(map(len, content)), _etag(answer))

    async def complete(self, key: str, upload: str, parts: Sequence[Part]) -> None:
        """Make an object of parts. Raises UploadMissing when one of them is not there as it was sent."""
        listed = (
            f"<Part><PartNumber>{part.number}</PartNumber><ETag>{escape(part.etag)}</ETag></Part>" for part in parts
        )
        document = f"<CompleteMultipartUpload>{''.join(listed)}</CompleteMultipartUpload>".encode()
        await self._ask("POST", key, {"uploadId": upload}, [document])

    async def abort(self, key: str, upload: str) -> None:
        """Forget a multipart upload and its parts; one that is not there is already forgotten."""
        answer = await self._client.request(S3Request("DELETE", self._prefix + key, {"uploadId": upload}))
        if answer.status != 404:
            _checked(answer)

    async def listed(self, prefix: str) -> AsyncIterator[list[tuple[str, int]]]:
        """Keys and sizes of all objects whose key begins so, a page at a time."""
        query = {"list-type": "2", "prefix": self._prefix + prefix}
        async for page in self._pages(query, {"continuation-token": "NextContinuationToken"}):
            yield [(key, int(element(entry, "Size"))) for key, entry in self._entries(page, "Contents")]

    async def begun(self, prefix: str) -> AsyncIterator[list[tuple[str, str]]]:
        """Keys and ids of all multipart uploads under way whose key begins so, a page at a time."""
        query = {"uploads": "", "prefix": self._prefix + prefix}
        markers = {"key-marker": "NextKeyMarker", "upload-id-marker": "NextUploadIdMarker"}
        async for page in self._pages(query, markers):
            entries = self._entries(page, "Upload")
            yield [(key, element(entry, "UploadId")) for key, entry in entries if key.startswith(prefix)]

    async def _pages(self, query: dict[str, str], markers: dict[str, str]) -> AsyncIterator[bytes]:
        """A list's pages. `markers`: which parameter goes on where which element of the page before says."""
        while True:
            page = _checked(await self._client.request(S3Request("GET", "", query))).body
            yield page
            after = {**query, **{parameter: element(page, name) for parameter, name in markers.items()}}
            if element(page, "IsTruncated") != "true" or after == query:
                return
            query = after

    def _entries(self, page: bytes, name: str) -> Iterator[tuple[str, bytes]]:
        """The entries of a list with their keys below the prefix."""
        for found in re.finditer(rf"<{name}>(.*?)</{name}>".encode(), page, re.DOTALL):
            yield element(found[1], "Key").removeprefix(self._prefix), found[1]

    async def _ask(
        self, method: str, key: str, query: dict[str, str] | None = None, body: Sequence[Buffer] = ()
    ) -> S3Answer:
        return _checked(await self._client.request(S3Request(method, self._prefix + key, query or {}, body)))


def _checked(answer: S3Answer) -> S3Answer:
    """An answer that says yes; S3 may say no under a status of 200, since it begins to answer before it is done."""
    if answer.status // 100 == 2 and not answer.code:
        return answer
    if answer.code in _GONE_UPLOAD:
        raise UploadMissing(answer.code)
    if answer.code in _FULL or answer.status == 507:
        raise StoreFull(answer.code or "it is full")
    raise Unavailable(reason=f"The object store refuses ({answer.code or answer.status})")


def _etag(answer: S3Answer) -> str:
    etag = answer.headers.get("etag", "")
    if not etag:
        raise Unavailable(reason="The object store did not confirm what it received")
    return etag
