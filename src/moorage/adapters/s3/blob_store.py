"""Blobs as objects of an S3-compatible store.

    PREFIX/blobs/4b/4beb25a3-b780-46dd-88c3-ae037f77d14d-a0b1c2d3e4f50617      a blob, or bytes of an upload under way

The key is chosen when the first byte arrives, not when the digest is known, so nothing is ever copied or renamed; the
database says which key holds which digest. An upload's id and a random number in it make every key one of a kind.
What is under way is noted in `UploadStates`, of which the newest version wins: of requests that write to one upload at
the same time one succeeds, without a lock that a dead node could keep.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import msgspec

from moorage import failpoints
from moorage.adapters.s3.append import Append, Means, reserve
from moorage.adapters.s3.client import Buffer
from moorage.adapters.s3.objects import Objects
from moorage.adapters.s3.upload_state import UUID, Blob, Content, Ledger, Notes, Piece
from moorage.domain.ports import BlobMissing, StoredObject, UploadBusy, UploadMissing, UploadStates, UrlLink

LINK_SECONDS: Final = 3600
SENDERS: Final = 4
"""Parts of one process that are sent at the same time; the sender of the next one waits, and so does its client."""

_KEY: Final = re.compile(rf"blobs/([0-9a-f]{{2}})/(?=\1)(?P<upload>{UUID})-[0-9a-f]{{16}}")


class S3BlobStore:
    """A `BlobStore` in a bucket, shared by any number of nodes that share the upload states.

    Each process makes its own instance, after a fork, and uses it from one event loop.
    """

    def __init__(self, objects: Objects, states: UploadStates, *, redirect: bool = True) -> None:
        self._objects = objects
        self._states = states
        self._redirect = redirect
        self._means = Means(objects, asyncio.Semaphore(SENDERS))

    async def close(self) -> None:
        """Give back the connections."""
        await self._objects.close()

    async def check(self) -> None:
        """Raises Unavailable when the bucket cannot be used, or does not answer, at the moment."""
        await self._objects.check()

    async def append(self, upload: str, offset: int, chunks: AsyncIterator[bytes]) -> int:
        """See `BlobStore.append`."""
        ledger = await Ledger.open(self._states, upload)
        content = ledger.notes.at(offset)
        if content is None or content.sealed or ledger.notes.blob is not None:
            raise UploadMissing(upload)
        if content is not ledger.notes.now:
            ledger.notes.cut(content)
        return await Append(self._means, ledger).run(chunks)

    async def digest(self, upload: str, size: int, algorithm: str) -> str:
        """See `BlobStore.digest`. Free for sha256; for another one the bytes are read again."""
        ledger, content = await self._at(upload, size)
        known = content.digest(algorithm)
        if known is None:
            known = await self._read_digest(ledger, content, algorithm)
            await ledger.save()
        return known

    async def commit(self, upload: str, digest: str, size: int) -> str:
        """See `BlobStore.commit`."""
        ledger = await Ledger.open(self._states, upload)
        blob = ledger.notes.blob or await self._make(ledger, digest, size)
        if (blob.digest, blob.size) != (digest, size):
            raise UploadMissing(upload)
        await self._clear(ledger.notes)
        failpoints.hit("U9")
        return blob.key

    async def abandon(self, upload: str) -> None:
        """See `BlobStore.abandon`. What is noted goes last, so that a crash leaves nothing that nobody knows of."""
        with suppress(UploadMissing):
            while (ledger := await Ledger.open(self._states, upload)).is_known:
                notes = ledger.notes
                if notes.blob is None:
                    contents = [content for content in (notes.now, notes.before) if content is not None]
                    notes.spent += [piece.key for content in contents for piece in content.pieces]
                await self._clear(notes)
                if await ledger.remove():
                    return

    async def content(self, key: str) -> bytes:
        """See `BlobStore.content`."""
        return await self._objects.get(_checked(key))

    async def size(self, key: str) -> int:
        """See `BlobStore.size`."""
        size = await self._objects.size(_checked(key))
        if size is None:
            raise BlobMissing(key)
        return size

    async def read(self, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """See `BlobStore.read`."""
        async for chunk in self._objects.read(_checked(key), start, stop):
            yield chunk

    def link(self, key: str) -> UrlLink | None:
        """See `BlobStore.link`."""
        return UrlLink(self._objects.link(_checked(key), LINK_SECONDS)) if self._redirect else None

    async def delete(self, *keys: str) -> None:
        """See `BlobStore.delete`."""
        await self._objects.delete([_checked(key) for key in keys])

    async def objects(self) -> AsyncIterator[list[StoredObject]]:
        """See `Listing.objects`."""
        async for listed in self._objects.listed("blobs/"):
            found = ((key, _KEY.fullmatch(key), size) for key, size in listed)
            yield [StoredObject(key, name["upload"], size) for key, name, size in found if name]

    async def uploads(self) -> AsyncIterator[list[str]]:
        """See `Listing.uploads`: those with a multipart upload."""
        async for begun in self._objects.begun("blobs/"):
            yield sorted({name["upload"] for key, _ in begun if (name := _KEY.fullmatch(key))})

    async def remove_upload(self, upload: str) -> None:
        """See `Listing.remove_upload`. A process that died noted no multipart upload that it had just begun."""
        await self.abandon(upload)
        async for begun in self._objects.begun(f"blobs/{upload[:2]}/{upload}-"):
            for key, multipart in begun:
                await self._objects.abort(key, multipart)

    async def _at(self, upload: str, size: int) -> tuple[Ledger, Content]:
        """The notes of an upload that is no blob yet, and its content at that size."""
        ledger = await Ledger.open(self._states, upload)
        content = ledger.notes.at(size)
        if content is None or ledger.notes.blob is not None:
            raise UploadMissing(upload)
        return ledger, content

    async def _make(self, ledger: Ledger, digest: str, size: int) -> Blob:
        """Make the first `size` bytes a blob, if they have that digest."""
        content = ledger.notes.at(size)
        if content is None:
            raise UploadMissing(ledger.upload)
        algorithm = digest.partition(":")[0]
        known = content.digest(algorithm) or await self._read_digest(ledger, content, algorithm)
        if known != digest:
            raise UploadMissing(ledger.upload)
        failpoints.hit("U7")
        blob = Blob((await self._seal(ledger, content)).key, digest, size)
        failpoints.hit("U8")
        ledger.notes.blob = blob
        try:
            await ledger.save()
        except UploadBusy:
            return await self._made_by_another(ledger.upload, blob)
        return blob

    async def _made_by_another(self, upload: str, blob: Blob) -> Blob:
        """The blob that another request made of the same upload at the same time. Raises UploadBusy."""
        found = (await Ledger.open(self._states, upload)).notes.blob
        if found is None or (found.digest, found.size) != (blob.digest, blob.size):
            raise UploadBusy(upload)
        if found.key != blob.key:
            await self._objects.delete([blob.key])
        return found

    async def _read_digest(self, ledger: Ledger, content: Content, algorithm: str) -> str:
        """Read an upload for its digest, and note it without saving."""
        hasher = hashlib.new(algorithm)
        whole = await self._seal(ledger, content)
        async for chunk in self._objects.read(whole.key, 0, whole.size):
            await asyncio.to_thread(hasher.update, chunk)
        digest = f"{algorithm}:{hasher.hexdigest()}"
        now = ledger.notes.now
        ledger.notes.now = msgspec.structs.replace(now, digests=(*now.digests, digest))
        return digest

    async def _seal(self, ledger: Ledger, content: Content) -> Piece:
        """Bring an upload's content into one object, and note it without saving."""
        notes = ledger.notes
        content = notes.at(content.size) or content
        if content is not notes.now:
            notes.cut(content)
        if content.whole is not None:
            return content.whole
        whole = await (self._complete(ledger) if content.parts else self._join(ledger))
        notes.spent += [piece.key for piece in content.pieces]
        notes.now = Content(content.size, 0, (whole,), digests=content.digests, sealed=True)
        notes.before = None
        return whole

    async def _join(self, ledger: Ledger) -> Piece:
        """The pieces of an upload that has no parts, in one object."""
        whole = Piece(ledger.new_key(), ledger.notes.now.size)
        await self._objects.put(whole.key, await self._pieces(ledger))
        return whole

    async def _complete(self, ledger: Ledger) -> Piece:
        """The object of a multipart upload, whose last part the pieces become."""
        notes, parts = ledger.notes, list(ledger.notes.parts)
        assert notes.multipart is not None  # noqa: S101 - for the type checker: there are parts
        key, size = notes.multipart.key, notes.now.size
        with suppress(UploadMissing):  # another request may have completed it: its size tells
            if notes.now.pieces:
                multipart, number = await reserve(self._objects, ledger)
                parts.append(await self._objects.send(key, multipart.id, number, await self._pieces(ledger)))
            await self._objects.complete(key, notes.multipart.id, parts)
        if await self._objects.size(key) != size:
            raise UploadMissing(ledger.upload)
        notes.multipart, notes.parts = None, []
        return Piece(key, size)

    async def _pieces(self, ledger: Ledger) -> list[Buffer]:
        return [await self._objects.get(piece.key) for piece in ledger.notes.now.pieces]

    async def _clear(self, notes: Notes) -> None:
        """Remove what holds nothing of an upload any more."""
        if notes.multipart is not None:
            await self._objects.abort(notes.multipart.key, notes.multipart.id)
        if notes.spent:
            await self._objects.delete(notes.spent)


def _checked(key: str) -> str:
    """Raises BlobMissing for a key that this store cannot have given."""
    if _KEY.fullmatch(key) is None:
        raise BlobMissing(key)
    return key
