"""Layers: start an upload, append to it, complete it to a layer, and find layers.

The order makes a crash harmless: first the bytes are durable, then the row is committed, then the client gets the
response. A crash leaves an upload that can continue, or bytes without a row, but never a row without its bytes.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final

from moorage import failpoints
from moorage.core.clock import Clock
from moorage.core.limits import Limits
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
"""The part size that InitiateLayerUpload recommends to clients; other sizes are accepted."""

PART_MINIMUM: Final = 5_242_880
PART_LIMIT: Final = 4_200
LAYER_LIMIT: Final = 52_000 * 1024 * 1024
"""ECR quotas: minimum layer part size, layer parts per upload, maximum layer size."""

UPLOAD_LIFE: Final = 7 * 24 * HOUR
"""How long an upload can take. ECR does not document it; CNCF Distribution allows a week (uploadpurging, age)."""

FINISHED_LIFE: Final = HOUR
"""How long the result of a completed upload is kept, for clients that did not get the response."""


@dataclass(frozen=True, slots=True)
class UploadScope:
    """The repository and the user that an upload belongs to. Others do not see it."""

    registry: Registry
    repository: str
    owner: str


@dataclass(frozen=True, slots=True)
class LayerAvailability:
    """A digest and the repository's layer with that digest; `blob` is None if it has none.

    `is_archived`: all images that reference the layer are archived.
    """

    digest: str
    blob: Blob | None
    media_type: str | None
    is_archived: bool


def availability(tx: Transaction, repository: Repository, digests: Iterable[str]) -> list[LayerAvailability]:
    """The availability of layers in a repository, in the order of `digests`. Other repositories do not count."""
    requested = list(digests)
    found = layers.find_layers(tx, repository.id, requested)
    return [_availability(tx, repository, digest, found.get(digest)) for digest in requested]


def _availability(tx: Transaction, repository: Repository, digest: str, blob: Blob | None) -> LayerAvailability:
    if blob is None:
        return LayerAvailability(digest, None, None, is_archived=False)
    media_type = layers.media_type_of(tx, repository.id, blob.id)
    is_archived = media_type is not None and not layers.is_active(tx, repository.id, blob.id)
    return LayerAvailability(digest, blob, media_type, is_archived)


def for_download(tx: Transaction, repository: Repository, digest: str) -> Blob:
    """The layer to download: an active image must reference it. Raises LayersNotFound or LayerInaccessible."""
    blob = layers.find_layer(tx, repository.id, digest)
    account = repository.registry.account
    if blob is None:
        raise LayersNotFound.for_download(digest, repository.name, account)
    if not layers.is_active(tx, repository.id, blob.id):
        raise LayerInaccessible(digest=digest, repository=repository.name, registry=account)
    return blob


class Layers:
    """The use cases of uploads, over the blob store and the database."""

    def __init__(self, database: Database, blobs: BlobStore, now: Clock, limits: Limits) -> None:
        self._database = database
        self._blobs = blobs
        self._now = now
        self._require_space = limits.require_space

    async def start(self, scope: UploadScope) -> Upload:
        """Start an upload. Raises RepositoryNotFound, Unavailable."""
        self._require_space()
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
        """Append bytes from offset `first` on; returns the updated upload.

        Raises InvalidLayerPart (a gap, a repetition, or another request at the same time), LayerTooLarge,
        Unavailable. Exceptions of `chunks` pass through and leave the upload unchanged.
        """
        if first != upload.size:
            raise _out_of_order(scope, upload, first)
        self._require_space()
        with _translated_errors(scope, upload):
            size = await self._blobs.append(upload.id, upload.size, _limited(chunks, LAYER_LIMIT - upload.size))
        after = _appended(upload, size)
        if not await self._database.write(lambda tx: layers.record_part(tx, upload, after)):
            raise _busy(scope, upload)
        failpoints.hit("U4")
        return after

    async def complete(self, scope: UploadScope, upload: Upload, digests: list[str], *, strict: bool) -> str:
        """Complete an upload to a layer if one of `digests` matches; returns that digest.

        `strict` applies the API's rules for parts: at least one part, and all but the last have the minimum size.
        Raises EmptyUpload, LayerPartTooSmall, InvalidLayer, LayerAlreadyExists, UploadNotFound, InvalidLayerPart.
        """
        if strict:
            _check_parts(scope, upload)
        failpoints.hit("U5")
        digest = await self._matching_digest(scope, upload, digests)
        if not await self._reuse(scope, upload, digest):
            await self._commit(scope, upload, digest)
        failpoints.hit("U11")
        return digest

    async def finished(self, scope: UploadScope, upload_id: str) -> str | None:
        """The digest of an upload that was completed recently; None if the repository no longer has that layer.

        The layer's grace period restarts.
        """
        now = self._now()

        def find_and_restart(tx: Transaction) -> str | None:
            repository = repositories.get(tx, scope.registry, scope.repository)
            digest = layers.find_finished(tx, upload_id, repository.id, scope.owner, now - FINISHED_LIFE)
            return digest if digest and layers.restart_grace_period(tx, repository.id, digest, now) else None

        return await self._database.write(find_and_restart)

    async def cancel(self, scope: UploadScope, upload: Upload) -> None:
        """Delete an upload. Raises UploadNotFound."""
        if await self._database.write(lambda tx: layers.delete_upload(tx, upload.id)) is None:
            raise _not_found(scope, upload.id)
        await self._abandon(upload)

    async def _abandon(self, upload: Upload) -> None:
        """Delete the bytes of an upload that has ended. If the store is unavailable, the collector deletes them."""
        with suppress(Unavailable):
            await self._blobs.abandon(upload.id)

    async def _matching_digest(self, scope: UploadScope, upload: Upload, digests: list[str]) -> str:
        """The first of `digests` that matches; if none does, the upload is canceled. Raises InvalidLayer.

        ECR compares only algorithms that it knows: its documented example completes with a digest of another one.
        """
        known = [digest for digest in digests if digest.startswith(("sha256:", "sha512:"))]
        for algorithm in dict.fromkeys(digest[:6] for digest in known) or ["sha256"]:
            try:
                computed = await self._blobs.digest(upload.id, upload.size, algorithm)
            except UploadMissing:
                return await self._commit_again(scope, upload, known)
            except UploadBusy:
                raise _busy(scope, upload) from None
            if computed in digests or not known:
                return computed
        failpoints.hit("U6")
        await self.cancel(scope, upload)
        raise InvalidLayer

    async def _commit_again(self, scope: UploadScope, upload: Upload, digests: list[str]) -> str:
        """The digest under which the store committed the upload before a crash prevented the row."""
        for digest in digests:
            with suppress(UploadMissing, ValueError):
                await self._blobs.commit(upload.id, digest, upload.size)
                return digest
        raise _not_found(scope, upload.id)

    async def _commit(self, scope: UploadScope, upload: Upload, digest: str) -> None:
        with _translated_errors(scope, upload):
            key = await self._blobs.commit(upload.id, digest, upload.size)
        now = self._now()

        def record(tx: Transaction) -> bool:
            blob_id, is_new = layers.store_blob(tx, digest, upload.size, key, now)
            if _end(tx, scope, upload, digest, now):
                upload_states.forget(tx, upload.id)
            layers.link_blob(tx, upload.repository_id, blob_id, now)
            return is_new

        if not await self._database.write(record):
            # Another upload of the same bytes was faster: no row references this key, and the layer exists anyway.
            with suppress(Unavailable):
                await self._blobs.delete(key)
        failpoints.hit("U10")

    async def _reuse(self, scope: UploadScope, upload: Upload, digest: str) -> bool:
        """End the upload with an existing blob of that digest; False if there is none."""
        if await self._database.read_one(lambda tx: layers.find_blob(tx, digest)) is None:
            return False
        now = self._now()

        def link(tx: Transaction) -> bool | None:
            blob = layers.lock_blob(tx, digest)
            if blob is None:
                return None
            _end(tx, scope, upload, digest, now)
            return layers.link_blob(tx, upload.repository_id, blob.id, now)

        is_new = await self._database.write(link)
        if is_new is None:
            return False
        failpoints.hit("U10")
        await self._abandon(upload)
        if not is_new:
            raise LayerAlreadyExists(digest=digest, repository=scope.repository, registry=scope.registry.account)
        return True


@contextmanager
def _translated_errors(scope: UploadScope, upload: Upload) -> Iterator[None]:
    """Translate the blob store's errors into the errors of the API."""
    try:
        yield
    except UploadBusy:
        raise _busy(scope, upload) from None
    except UploadMissing:
        raise _not_found(scope, upload.id) from None
    except StoreFull as error:
        raise Unavailable(reason=f"The blob store does not accept more layers ({error})") from None


def _find(tx: Transaction, scope: UploadScope, upload_id: str, oldest: int) -> Upload:
    has_repository, upload = layers.find_upload(tx, scope.registry, scope.repository, upload_id)
    if not has_repository:
        raise RepositoryNotFound(repository=scope.repository, registry=scope.registry.account)
    if upload is None or upload.owner != scope.owner or upload.created_at < oldest:
        raise _not_found(scope, upload_id)
    return upload


def _end(tx: Transaction, scope: UploadScope, upload: Upload, digest: str, now: int) -> bool:
    """Delete the upload and record its digest; True if the store has a state of it. Raises UploadNotFound."""
    has_state = layers.delete_upload(tx, upload.id)
    if has_state is None:
        raise _not_found(scope, upload.id)
    layers.record_finished(tx, upload, digest, now)
    return has_state


def _appended(upload: Upload, size: int) -> Upload:
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
    """Check the API's rules for a part of `size` bytes, declared as byte `first` to byte `last`.

    Raises InvalidLayerPart, LimitExceeded. The registry endpoint does not use this: chunks can have any size.
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
    """The error for a part, with the members that a client needs to continue the upload."""
    members = {
        "registryId": scope.registry.account,
        "repositoryName": scope.repository,
        "uploadId": upload.id,
        "lastValidByteReceived": max(upload.size - 1, 0),  # The shape does not allow -1; 0 also means "nothing".
    }
    return InvalidLayerPart(received=upload.size, members=members, reason=reason)


def _out_of_order(scope: UploadScope, upload: Upload, first: int) -> InvalidLayerPart:
    return invalid_part(scope, upload, f"First byte of the layer part is {first} instead of {upload.size}")


def _busy(scope: UploadScope, upload: Upload) -> InvalidLayerPart:
    return invalid_part(scope, upload, "Another request is writing to the upload")


def _not_found(scope: UploadScope, upload_id: str) -> UploadNotFound:
    return UploadNotFound(upload=upload_id, repository=scope.repository, registry=scope.registry.account)
