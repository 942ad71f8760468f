"""A layer's whole life: begin an upload, append to it, complete it, and read it back.

The order that makes a crash harmless: bytes durable, then the row commits, then the answer. Whatever stops the program
in between leaves an upload that can go on, or bytes that no row names; never a row without its bytes.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final

from moorage import failpoints
from moorage.core.clock import Clock
from moorage.core.registry import repositories
from moorage.domain.errors import (
    EmptyUpload,
    InvalidLayer,
    InvalidLayerPart,
    LayerAlreadyExists,
    LayerInaccessible,
    LayerPartTooSmall,
    LayersNotFound,
    LayerTooLarge,
    LimitExceeded,
    RepositoryNotFound,
    Unavailable,
    UploadNotFound,
)
from moorage.domain.names import Registry
from moorage.domain.ports import BlobStore, StoreFull, UploadBusy, UploadMissing
from moorage.domain.units import HOUR
from moorage.metadata.database import Database, Transaction
from moorage.metadata.registry import layers, upload_states
from moorage.metadata.registry.layers import Blob, Upload
from moorage.metadata.registry.repositories import Repository

PART_SIZE: Final = 10_485_760
"""What InitiateLayerUpload asks clients to send at a time; other sizes are accepted."""

PART_MINIMUM: Final = 5_242_880
PART_LIMIT: Final = 4_200
LAYER_LIMIT: Final = 52_000 * 1024 * 1024
"""ECR quotas: minimum layer part size, layer parts per upload, maximum layer size."""

UPLOAD_LIFE: Final = 7 * 24 * HOUR
"""How long an upload can go on; ECR does not say. A week is what CNCF Distribution gives (uploadpurging, age)."""


FINISHED_LIFE: Final = HOUR
"""How long it is remembered which layer an upload became, for a client that lost the answer."""


@dataclass(frozen=True, slots=True)
class UploadScope:
    """Where an upload belongs: whoever names another repository or is another user does not see it."""

    registry: Registry
    repository: str
    owner: str


@dataclass(frozen=True, slots=True)
class Availability:
    """What a repository can say of a layer; `blob` is None when it may not see one of that digest.

    It is archived when every image that references it is.
    """

    digest: str
    blob: Blob | None
    media_type: str | None
    is_archived: bool


def availability(tx: Transaction, repository: Repository, digests: Iterable[str]) -> list[Availability]:
    """In the order asked. Layers are the repository's own: that another one has them is not told."""
    wanted = list(digests)
    found = layers.find_layers(tx, repository.id, wanted)
    return [_availability(tx, repository, digest, found.get(digest)) for digest in wanted]


def _availability(tx: Transaction, repository: Repository, digest: str, blob: Blob | None) -> Availability:
    if blob is None:
        return Availability(digest, None, None, is_archived=False)
    media_type = layers.media_type_of(tx, repository.id, blob.id)
    is_archived = media_type is not None and not layers.is_active(tx, repository.id, blob.id)
    return Availability(digest, blob, media_type, is_archived)


def for_download(tx: Transaction, repository: Repository, digest: str) -> Blob:
    """A layer that an active image of the repository references. Raises LayersNotFound or LayerInaccessible."""
    blob = layers.find_layer(tx, repository.id, digest)
    account = repository.registry.account
    if blob is None:
        raise LayersNotFound.for_download(digest, repository.name, account)
    if not layers.is_active(tx, repository.id, blob.id):
        raise LayerInaccessible(digest=digest, repository=repository.name, registry=account)
    return blob


class Layers:
    """The use cases that move bytes, over the blob store and the database."""

    def __init__(self, database: Database, blobs: BlobStore, now: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._now = now

    async def start(self, scope: UploadScope) -> Upload:
        """Begin an upload. Raises RepositoryNotFound."""
        upload_id, now = str(uuid.uuid4()), self._now()
        upload = await self._database.write(
            lambda tx: layers.start_upload(tx, scope.registry, scope.repository, upload_id, scope.owner, now)
        )
        if upload is None:
            raise RepositoryNotFound(repository=scope.repository, registry=scope.registry.account)
        failpoints.hit("U1")
        return upload

    async def find(self, scope: UploadScope, upload_id: str) -> Upload:
        """Raises RepositoryNotFound, UploadNotFound (also for an upload that has expired)."""
        oldest = self._now() - UPLOAD_LIFE
        return await self._database.read_one(lambda tx: _find(tx, scope, upload_id, oldest))

    async def append(self, scope: UploadScope, upload: Upload, first: int, chunks: AsyncIterator[bytes]) -> Upload:
        """Append bytes whose first one has the offset `first`, and return the upload as it is then.

        Raises InvalidLayerPart (a gap, a repetition, or another request at the same time), LayerTooLarge,
        Unavailable; what `chunks` raises passes through and leaves the upload as it was.
        """
        if first != upload.size:
            raise _out_of_order(scope, upload, first)
        with _refusing(scope, upload):
            size = await self._blobs.append(upload.id, upload.size, _limited(chunks, LAYER_LIMIT - upload.size))
        after = _grown(upload, size)
        if not await self._database.write(lambda tx: layers.record_part(tx, upload, after)):
            raise _busy(scope, upload)
        failpoints.hit("U4")
        return after

    async def complete(self, scope: UploadScope, upload: Upload, digests: list[str], *, strict: bool) -> str:
        """Make a layer of an upload if one of `digests` is right, and return its digest.

        `strict` applies the API's rules for parts: at least one, and all but the last of the minimum size.
        Raises EmptyUpload, LayerPartTooSmall, InvalidLayer, LayerAlreadyExists, UploadNotFound, InvalidLayerPart.
        """
        if strict:
            _check_parts(scope, upload)
        failpoints.hit("U5")
        digest = await self._matching(scope, upload, digests)
        if not await self._reuse(scope, upload, digest):
            await self._commit(scope, upload, digest)
        failpoints.hit("U11")
        return digest

    async def finished(self, scope: UploadScope, upload_id: str) -> str | None:
        """The digest of the layer that this upload became lately, if the repository sees it still: told once more."""
        now = self._now()

        def tell(tx: Transaction) -> str | None:
            repository = repositories.get(tx, scope.registry, scope.repository)
            digest = layers.find_finished(tx, upload_id, repository.id, scope.owner, now - FINISHED_LIFE)
            return digest if digest and layers.restart_grace_period(tx, repository.id, digest, now) else None

        return await self._database.write(tell)

    async def cancel(self, scope: UploadScope, upload: Upload) -> None:
        """Raises UploadNotFound."""
        if await self._database.write(lambda tx: layers.delete_upload(tx, upload.id)) is None:
            raise _not_found(scope, upload.id)
        await self._abandon(upload)

    async def _abandon(self, upload: Upload) -> None:
        """Remove the bytes of an upload that is over; while the store does not serve, they stay for the collector."""
        with suppress(Unavailable):
            await self._blobs.abandon(upload.id)

    async def _matching(self, scope: UploadScope, upload: Upload, digests: list[str]) -> str:
        """The first of `digests` that is right, else the upload ends.

        ECR compares only algorithms it knows: its documented example completes with a digest of another one.
        """
        known = [digest for digest in digests if digest.startswith(("sha256:", "sha512:"))]
        for algorithm in dict.fromkeys(digest[:6] for digest in known) or ["sha256"]:
            try:
                computed = await self._blobs.digest(upload.id, upload.size, algorithm)
            except UploadMissing:
                return await self._committed_before(scope, upload, known)
            except UploadBusy:
                raise _busy(scope, upload) from None
            if computed in digests or not known:
                return computed
        failpoints.hit("U6")
        await self.cancel(scope, upload)
        raise InvalidLayer

    async def _committed_before(self, scope: UploadScope, upload: Upload, digests: list[str]) -> str:
        """The one of `digests` under which the store has made a blob of the upload; a crash came before the row did."""
        for digest in digests:
            with suppress(UploadMissing, ValueError):
                await self._blobs.commit(upload.id, digest, upload.size)
                return digest
        raise _not_found(scope, upload.id)

    async def _commit(self, scope: UploadScope, upload: Upload, digest: str) -> None:
        with _refusing(scope, upload):
            key = await self._blobs.commit(upload.id, digest, upload.size)
        now = self._now()

        def record(tx: Transaction) -> bool:
            blob_id, is_ours = layers.store_blob(tx, digest, upload.size, key, now)
            if _end(tx, scope, upload, digest, now):
                upload_states.forget(tx, upload.id)
            layers.link_blob(tx, upload.repository_id, blob_id, now)
            return is_ours

        if not await self._database.write(record):
            with suppress(Unavailable):  # The layer is there all the same.
                await self._blobs.delete(key)  # Another upload of it was faster; no row ever named this key.
        failpoints.hit("U10")

    async def _reuse(self, scope: UploadScope, upload: Upload, digest: str) -> bool:
        """End the upload with the blob of that digest which the store has; False when it has none (any more)."""
        if await self._database.read_one(lambda tx: layers.find_blob(tx, digest)) is None:
            return False
        now = self._now()

        def link(tx: Transaction) -> bool | None:
            known = layers.lock_blob(tx, digest)
            if known is None:
                return None
            _end(tx, scope, upload, digest, now)
            return layers.link_blob(tx, upload.repository_id, known.id, now)

        is_new = await self._database.write(link)
        if is_new is None:
            return False
        failpoints.hit("U10")
        await self._abandon(upload)
        if not is_new:
            raise LayerAlreadyExists(digest=digest, repository=scope.repository, registry=scope.registry.account)
        return True


@contextmanager
def _refusing(scope: UploadScope, upload: Upload) -> Iterator[None]:
    """What the store cannot do with an upload, in the words of the doors."""
    try:
        yield
    except UploadBusy:
        raise _busy(scope, upload) from None
    except UploadMissing:
        raise _not_found(scope, upload.id) from None
    except StoreFull as error:
        raise Unavailable(reason=f"The store takes no more layers ({error})") from None


def _find(tx: Transaction, scope: UploadScope, upload_id: str, oldest: int) -> Upload:
    has_repository, upload = layers.find_upload(tx, scope.registry, scope.repository, upload_id)
    if not has_repository:
        raise RepositoryNotFound(repository=scope.repository, registry=scope.registry.account)
    if upload is None or upload.owner != scope.owner or upload.created_at < oldest:
        raise _not_found(scope, upload_id)
    return upload


def _end(tx: Transaction, scope: UploadScope, upload: Upload, digest: str, now: int) -> bool:
    """End the upload, and remember for a while which layer it became; True when the store has notes of it."""
    has_notes = layers.delete_upload(tx, upload.id)
    if has_notes is None:
        raise _not_found(scope, upload.id)
    layers.record_finished(tx, upload, digest, now)
    return has_notes


def _grown(upload: Upload, size: int) -> Upload:
    too_short = upload.parts > 0 and upload.last_part < PART_MINIMUM
    return replace(
        upload,
        size=size,
        parts=upload.parts + 1,
        last_part=size - upload.size,
        short_part=upload.short_part or too_short,
    )


def _check_parts(scope: UploadScope, upload: Upload) -> None:
    if upload.size == 0:
        raise EmptyUpload(upload=upload.id, repository=scope.repository, registry=scope.registry.account)
    if upload.short_part:
        raise LayerPartTooSmall


async def _limited(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    received = 0
    async for chunk in chunks:
        received += len(chunk)
        if received > limit:
            raise LayerTooLarge(limit=LAYER_LIMIT)
        yield chunk


def check_part(scope: UploadScope, upload: Upload, first: int, last: int, size: int) -> None:
    """The API's rules for a part of `size` bytes that says it reaches from byte `first` to byte `last`.

    Raises InvalidLayerPart, LimitExceeded. The docker door has no parts: a chunk there may have any size.
    """
    if first != upload.size:
        raise _out_of_order(scope, upload, first)
    if last < first:
        raise invalid_part(scope, upload, f"The layer part ends at byte {last} before it begins at byte {first}")
    if size != last - first + 1:
        reason = f"The layer part has {size} bytes, not the {last - first + 1} from byte {first} to byte {last}"
        raise invalid_part(scope, upload, reason)
    if upload.parts >= PART_LIMIT:
        raise LimitExceeded(reason=f"The upload has the maximum number of layer parts: {PART_LIMIT}")


def invalid_part(scope: UploadScope, upload: Upload, reason: str) -> InvalidLayerPart:
    """The refusal of a part, with all that a client needs to go on."""
    members = {
        "registryId": scope.registry.account,
        "repositoryName": scope.repository,
        "uploadId": upload.id,
        "lastValidByteReceived": max(upload.size - 1, 0),  # The shape allows no -1: 0 says "nothing" too.
    }
    return InvalidLayerPart(received=upload.size, members=members, reason=reason)


def _out_of_order(scope: UploadScope, upload: Upload, first: int) -> InvalidLayerPart:
    return invalid_part(scope, upload, f"First byte of the layer part is {first} instead of {upload.size}")


def _busy(scope: UploadScope, upload: Upload) -> InvalidLayerPart:
    return invalid_part(scope, upload, "Another request is writing to the upload")


def _not_found(scope: UploadScope, upload_id: str) -> UploadNotFound:
    return UploadNotFound(upload=upload_id, repository=scope.repository, registry=scope.registry.account)
