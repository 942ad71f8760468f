"""The bytes of imported blobs: taken over where the store can do it, else copied and compared with their digest."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from moorage.core.clock import Clock
from moorage.domain.errors import Unavailable
from moorage.domain.image_sources import BlobLinks, BlobToLink, ImageSource, SourceBroken
from moorage.domain.ports import BlobStore
from moorage.domain.registry.manifests import Descriptor
from moorage.domain.registry.upload_ids import UploadIds
from moorage.metadata.database import Database, Transaction
from moorage.metadata.registry import layers, upload_states, uploads
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.registry.uploads import Upload

_OWNER: Final = "import"
"""The owner of the uploads of imports: no user has such an id."""

_COPIES_AT_ONCE: Final = 4

_BYTES_AT_ONCE: Final = 4 << 30
"""The bytes of blobs that are linked together. They have rows long before the sweeper takes them for abandoned."""


@dataclass(frozen=True, slots=True)
class StoredBytes:
    """The bytes of a blob that no row has yet. `upload` is the upload that brought copied bytes."""

    digest: str
    size: int
    key: str
    upload: str | None = None


@dataclass(slots=True)
class Transferred:
    """How many blobs an import has linked and copied, and the bytes of the copies."""

    linked: int = 0
    copied: int = 0
    copied_bytes: int = 0


class BlobImports:
    """Stores blobs of one source. `links` is None if blobs must be copied. `verify`: read what is linked."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        links: BlobLinks | None,
        ids: UploadIds,
        now: Clock,
        *,
        verify: bool = True,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._links = links
        self._ids = ids
        self._now = now
        self._verify = verify
        self._room = asyncio.Semaphore(_COPIES_AT_ONCE)
        self.done = "linked" if links is None else links.done
        self.transferred = Transferred()

    async def bring(
        self, source: ImageSource, name: str, repository: Repository, wanted: Mapping[str, Descriptor]
    ) -> dict[str, str]:
        """Make blobs visible in a repository; returns the reasons for those that the source does not have.

        `name` is that of the repository in the source. Raises StoreFull, Unavailable, OSError.
        """
        visible, known = await self._database.read(partial(_present, repository=repository, digests=list(wanted)))
        missing = [blob for digest, blob in wanted.items() if digest not in visible | known]
        linked: set[str] = set()
        broken: dict[str, str] = {}
        for some in _groups(missing):
            stored, reasons = await self._link(source, name, repository, some)
            await self._keep(repository, list(stored.values()), set())
            linked |= stored.keys()
            broken |= reasons
        rest = [blob for blob in missing if blob.digest not in broken and blob.digest not in linked]
        copies = await asyncio.gather(*(self._copy(source, name, repository, blob) for blob in rest))
        for blob, copy in zip(rest, copies, strict=True):
            if isinstance(copy, SourceBroken):
                broken[blob.digest] = str(copy)
        await self._keep(repository, [copy for copy in copies if isinstance(copy, StoredBytes)], known)
        return broken

    async def _link(
        self, source: ImageSource, name: str, repository: Repository, wanted: Sequence[Descriptor]
    ) -> tuple[dict[str, StoredBytes], dict[str, str]]:
        if self._links is None:
            return {}, {}
        blobs = []
        for blob in wanted:
            found = source.place(name, blob.digest)
            if found is not None:
                place = (repository.id, repository.created_at)
                upload = self._ids.issue(place, _OWNER, blob.digest.partition(":")[0], self._now())
                blobs.append(BlobToLink(found, upload, blob.digest, blob.size))
        stored, broken = {}, {}
        for each, result in zip(blobs, await self._links.link_all(blobs, verify=self._verify), strict=True):
            if result.key is not None:
                stored[each.digest] = StoredBytes(each.digest, each.size, result.key)
            elif result.reason:
                broken[each.digest] = result.reason
        self.transferred.linked += len(stored)
        return stored, broken

    async def _copy(
        self, source: ImageSource, name: str, repository: Repository, blob: Descriptor
    ) -> StoredBytes | SourceBroken:
        upload, algorithm = str(uuid.uuid4()), blob.digest.partition(":")[0]
        async with self._room:
            new = Upload(upload, 0, f"{_OWNER}:{upload}", 0, 0, 0, False, self._now(), algorithm=algorithm)
            await self._database.write(lambda tx: uploads.start_upload(tx, repository.registry, repository.name, new))
            try:
                size = await self._blobs.append(upload, 0, _limited(source.blob(name, blob.digest, blob.size), blob))
                found = await self._blobs.digest(upload, size, algorithm)
                _compare(size, found, blob)
                key = await self._blobs.commit(upload, blob.digest, size)
            except SourceBroken as broken:
                await self._give_up(upload)
                return broken
            except BaseException:
                await asyncio.shield(asyncio.create_task(self._give_up(upload)))
                raise
        self.transferred.copied += 1
        self.transferred.copied_bytes += size
        return StoredBytes(blob.digest, size, key, upload)

    async def _give_up(self, upload: str) -> None:
        """Delete an upload. If that fails, it expires."""
        with suppress(OSError, Unavailable):
            await self._database.write(lambda tx: uploads.delete_upload(tx, upload))
            await self._blobs.abandon(upload)

    async def _keep(self, repository: Repository, stored: Sequence[StoredBytes], known: set[str]) -> None:
        """Make blobs visible in the repository."""
        if stored or known:
            surplus = await self._database.write(partial(self._record, repository, stored, known))
            with suppress(OSError, Unavailable):  # The sweeper removes what is left.
                await self._blobs.delete(*surplus)

    def _record(
        self, repository: Repository, stored: Sequence[StoredBytes], known: set[str], tx: Transaction
    ) -> list[str]:
        """Write the rows; returns the keys of bytes that were here before."""
        now, surplus = self._now(), []
        for each in stored:
            blob_id, is_new = layers.store_blob(tx, each.digest, each.size, each.key, now)
            if each.upload is not None and uploads.delete_upload(tx, each.upload):
                upload_states.forget(tx, each.upload)
            layers.link_blob(tx, repository.id, blob_id, now)
            if not is_new:
                surplus.append(each.key)
        for digest in known:
            blob = layers.lock_blob(tx, digest)
            if blob is not None:  # Else it was collected just now, and its image is refused.
                layers.link_blob(tx, repository.id, blob.id, now)
        return surplus


def _compare(size: int, digest: str, blob: Descriptor) -> None:
    """Raises SourceBroken."""
    if (size, digest) != (blob.size, blob.digest):
        raise SourceBroken(f"has {size} bytes with the digest {digest}")


def _present(tx: Transaction, repository: Repository, digests: list[str]) -> tuple[set[str], set[str]]:
    """The digests that the repository can see, and those of blobs that other repositories have."""
    visible = set(layers.find_layers(tx, repository.id, digests))
    return visible, layers.existing(tx, [digest for digest in digests if digest not in visible])


def _groups(blobs: Sequence[Descriptor]) -> Iterator[list[Descriptor]]:
    """The blobs in groups of some gigabytes."""
    group: list[Descriptor] = []
    size = 0
    for blob in blobs:
        if group and size + blob.size > _BYTES_AT_ONCE:
            yield group
            group, size = [], 0
        group.append(blob)
        size += blob.size
    if group:
        yield group


async def _limited(chunks: AsyncIterator[bytes], blob: Descriptor) -> AsyncIterator[bytes]:
    """The chunks, unless they are more than the manifest says."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > blob.size:
            raise SourceBroken(f"has more than {blob.size} bytes")
        yield chunk
