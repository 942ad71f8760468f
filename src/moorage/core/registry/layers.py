"""Layers: start an upload, append to it, complete it to a layer, and find layers.

The order makes a crash harmless: first the bytes are durable, then the row is committed, then the client gets the
response. A crash leaves an upload that can continue, or bytes without a row, but never a row without its bytes. The
first part of a small upload is the exception: it is only made durable when the upload is completed (decision 0066).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from moorage import failpoints
from moorage.core.clock import Clock
from moorage.core.limits import Limits
from moorage.core.registry import repositories
from moorage.core.registry.open_uploads import (
    LAYER_LIMIT,
    SMALL_BYTES,
    OpenUploads,
    PeekedBody,
    UntilInterrupted,
    UploadScope,
    appended,
    busy,
    is_unrecorded,
    limited,
    not_found,
    out_of_order,
)
from moorage.domain import failures
from moorage.domain.errors import Unavailable
from moorage.domain.ports import DEFAULT_ALGORITHM, BlobStore, StoreFull, UploadBusy, UploadMissing
from moorage.domain.registry.errors import (
    EmptyUpload,
    InvalidLayer,
    LayerAlreadyExists,
    LayerInaccessible,
    LayerPartTooSmall,
    LayersNotFound,
    RepositoryNotFound,
)
from moorage.domain.registry.upload_ids import UploadIds
from moorage.domain.units import HOUR
from moorage.metadata.database import Database, Transaction, Work
from moorage.metadata.registry import layers, upload_states, uploads
from moorage.metadata.registry.layers import Blob
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.registry.uploads import FoundUpload, OpenUploadRows, Upload

PART_SIZE: Final = 10_485_760
"""The part size that InitiateLayerUpload recommends to clients; other sizes are accepted."""

UPLOAD_LIFE: Final = 7 * 24 * HOUR
"""How long an upload can take. ECR does not document it; CNCF Distribution allows a week (uploadpurging, age)."""

FINISHED_LIFE: Final = HOUR
"""How long the result of a completed upload is kept, for clients that did not get the response."""


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
    if layers.is_active(tx, repository.id, blob.id):
        return blob
    if layers.media_type_of(tx, repository.id, blob.id) is None:
        raise LayerInaccessible.without_image(digest, repository.name, account)
    raise LayerInaccessible.archived(digest, repository.name, account)


def lookup(tx: Transaction, scope: UploadScope, upload_id: str, digest: str = "") -> FoundUpload:
    """What `Layers.found` needs. `digest` is the one with which the caller completes the upload, if that is known."""
    return uploads.find_upload(tx, scope.registry, scope.repository, upload_id, digest)


class Layers:
    """The use cases of uploads, over the blob store and the database."""

    def __init__(self, database: Database, blobs: BlobStore, ids: UploadIds, now: Clock, limits: Limits) -> None:
        self._database = database
        self._blobs = blobs
        self._now = now
        self._require_space = limits.require_space
        self._open_uploads = OpenUploads(database, limits, ids, now)

    async def start(
        self, scope: UploadScope, algorithm: str = DEFAULT_ALGORITHM, others: OpenUploadRows | None = None
    ) -> Upload:
        """Start an upload that is hashed with this algorithm while it arrives. `others`: the result of `count_for`.

        Raises RepositoryNotFound, UploadsExceeded, Unavailable.
        """
        self._require_space()
        upload = await self._open_uploads.start(scope, algorithm, others)
        failpoints.hit("U1")
        return upload

    def count_for(self, scope: UploadScope) -> Work[OpenUploadRows]:
        """The work that reads what `start` depends on."""
        return self._open_uploads.count_for(scope)

    async def find(self, scope: UploadScope, upload_id: str) -> Upload:
        """Raises RepositoryNotFound, UploadNotFound (also for an upload that has expired)."""
        found = await self._database.read_one(partial(lookup, scope=scope, upload_id=upload_id))
        return self.found(scope, upload_id, found)

    def found(self, scope: UploadScope, upload_id: str, found: FoundUpload) -> Upload:
        """The upload that `lookup` has found. Raises what `find` raises."""
        if found.repository is None:
            raise RepositoryNotFound(repository=scope.repository, registry=scope.registry.account)
        if found.upload is None:
            return self._find_unrecorded(scope, found, upload_id)
        if found.upload.owner != scope.owner or found.upload.created_at < self._now() - UPLOAD_LIFE:
            raise not_found(scope, upload_id)
        return found.upload

    def _find_unrecorded(self, scope: UploadScope, found: FoundUpload, upload_id: str) -> Upload:
        upload = self._open_uploads.unrecorded(scope, found, upload_id)
        if upload is None:
            raise not_found(scope, upload_id)
        size = self._blobs.small_size(upload_id)
        return (appended(upload, size) if size else upload)._replace(has_blob=found.has_blob)

    async def status(self, scope: UploadScope, upload_id: str) -> Upload:
        """The upload, for a client that wants to continue it. What an interrupted request left counts from now on.

        Raises RepositoryNotFound, UploadNotFound.
        """
        upload = await self.find(scope, upload_id)
        if not upload.kept:
            return upload
        after = appended(upload, upload.size + upload.kept)
        is_recorded = await self._database.write(lambda tx: uploads.record_part(tx, upload, after))
        return after if is_recorded else await self.find(scope, upload_id)

    async def append(
        self,
        scope: UploadScope,
        upload: Upload,
        first: int,
        chunks: AsyncIterator[bytes],
        interruptions: tuple[type[Exception], ...] = (),
    ) -> Upload:
        """Append bytes from offset `first` on; returns the updated upload.

        Raises InvalidLayerPart (a gap, a repetition, or another request at the same time), LayerTooLarge,
        UploadsExceeded, Unavailable. Exceptions of `chunks` pass through and leave the upload unchanged. After one of
        `interruptions` what had arrived is kept, and `status` continues the upload behind it.
        """
        if first != upload.size:
            raise out_of_order(scope, upload, first)
        self._require_space()
        if upload.kept:
            upload = await self._forget_kept(scope, upload)
        body = UntilInterrupted(chunks, interruptions)
        arriving = self._open_uploads.limited(scope, upload, limited(body.chunks(), LAYER_LIMIT - upload.size))
        async with aclosing(arriving):
            pieces = PeekedBody(arriving)
            if not upload.is_recorded:
                if await pieces.is_within(SMALL_BYTES) and not body.interruption:
                    stored = await self._store_small(scope, upload, pieces.ahead)
                    if stored is not None:
                        return stored._replace(has_blob=upload.has_blob)
                upload = await self._open_uploads.record(scope, upload)
            with _translated_errors(scope, upload):
                size = await self._blobs.append(upload.id, upload.size, pieces, upload.algorithm)
        after = upload._replace(kept=size - upload.size) if body.interruption else appended(upload, size)
        is_recorded = await self._database.write(lambda tx: uploads.record_part(tx, upload, after))
        if body.interruption:
            raise body.interruption
        if not is_recorded:
            raise busy(scope, upload)
        failpoints.hit("U4")
        return after

    async def _store_small(self, scope: UploadScope, upload: Upload, chunks: Sequence[bytes]) -> Upload | None:
        """Store the first part of an upload that needs no row for it; None if it needs one."""
        size = sum(map(len, chunks))
        if upload.size or not size:
            return None
        with _translated_errors(scope, upload):
            if not await self._blobs.store_small(upload.id, chunks, upload.algorithm):
                return None
        failpoints.hit("U4")
        return appended(upload, size)

    async def _forget_kept(self, scope: UploadScope, upload: Upload) -> Upload:
        """Before the bytes that an interrupted request left are overwritten: record that they no longer count."""
        after = upload._replace(kept=0)
        if not await self._database.write(lambda tx: uploads.record_part(tx, upload, after)):
            raise busy(scope, upload)
        return after

    async def complete(self, scope: UploadScope, upload: Upload, digests: list[str], *, strict: bool) -> str:
        """Complete an upload to a layer if one of `digests` matches; returns that digest.

        `strict` applies the API's rules for parts: at least one part, and all but the last have the minimum size.
        Raises EmptyUpload, LayerPartTooSmall, InvalidLayer, LayerAlreadyExists, UploadNotFound, InvalidLayerPart.
        """
        if not upload.is_recorded and not upload.size:
            # A crash may have prevented its row after the store had committed it.
            committed = self._blobs.small_size(upload.id, *digests)
            upload = appended(upload, committed) if committed else upload
        if strict:
            _check_parts(scope, upload)
        failpoints.hit("U5")
        digest = await self._matching_digest(scope, upload, digests)
        try:
            if not await self._reuse(scope, upload, digest):
                await self._commit(scope, upload, digest)
        finally:
            self._open_uploads.forget(upload.id)
        failpoints.hit("U11")
        return digest

    async def finished(self, scope: UploadScope, upload_id: str) -> str | None:
        """The digest of an upload that was completed recently; None if the repository no longer has that layer.

        The layer's grace period restarts.
        """
        now = self._now()

        def find_and_restart(tx: Transaction) -> str | None:
            repository = repositories.get(tx, scope.registry, scope.repository)
            digest = uploads.find_finished(tx, upload_id, repository.id, scope.owner, now - FINISHED_LIFE)
            return digest if digest and layers.restart_grace_period(tx, repository.id, digest, now) else None

        return await self._database.write(find_and_restart)

    async def cancel(self, scope: UploadScope, upload: Upload) -> None:
        """Delete an upload. Raises UploadNotFound."""
        await self._database.write(lambda tx: self._end(tx, scope, upload, ""))
        self._open_uploads.forget(upload.id)
        await self._abandon(upload)

    async def discard(self, upload: Upload) -> None:
        """Delete an upload whose id no client knows, so its end need not be recorded."""
        await self._database.write(lambda tx: uploads.delete_upload(tx, upload.id))
        self._open_uploads.forget(upload.id)
        await self._abandon(upload)

    async def _abandon(self, upload: Upload) -> None:
        """Delete the bytes of an upload that has ended. If the store fails, the collector deletes them."""
        with suppress(OSError, Unavailable):
            await self._blobs.abandon(upload.id)

    async def _matching_digest(self, scope: UploadScope, upload: Upload, digests: list[str]) -> str:
        """The first of `digests` that matches; if none does, the upload is canceled. Raises InvalidLayer.

        ECR compares only algorithms that it knows: its documented example completes with a digest of another one.
        """
        known = [digest for digest in digests if digest.startswith(("sha256:", "sha512:"))]
        for algorithm in dict.fromkeys(digest[:6] for digest in known) or ["sha256"]:
            try:
                with _translated_store_errors(scope, upload):
                    computed = await self._blobs.digest(upload.id, upload.size, algorithm)
            except UploadMissing:
                return await self._commit_again(scope, upload, known)
            if computed in digests or not known:
                return computed
        failpoints.hit("U6")
        await self.cancel(scope, upload)
        raise InvalidLayer

    async def _commit_again(self, scope: UploadScope, upload: Upload, digests: list[str]) -> str:
        """The digest under which the store committed the upload before a crash prevented the row."""
        for digest in digests:
            with suppress(UploadMissing, ValueError), _translated_store_errors(scope, upload):
                await self._blobs.commit(upload.id, digest, upload.size)
                return digest
        raise not_found(scope, upload.id)

    async def _commit(self, scope: UploadScope, upload: Upload, digest: str) -> None:
        def record(tx: Transaction, key: str, now: int) -> str:
            """Make a layer of the blob with this key. Returns the key if no row references it, otherwise nothing."""
            usual = is_unrecorded(upload, now)
            done = layers.complete(tx, upload, digest, key, now) if usual else layers.Completed()
            if not done.has_ended and self._end(tx, scope, upload, digest):
                upload_states.forget(tx, upload.id)
            if done.blob_id is None:
                blob_id, is_new = layers.store_blob(tx, digest, upload.size, key, now)
                layers.link_blob(tx, upload.repository_id, blob_id, now)
                return "" if is_new else key
            if done.is_awaited:
                layers.resolve_awaited(tx, upload.repository_id, done.blob_id)
            return ""

        with _translated_errors(scope, upload):
            committing = self._blobs.committing(upload.id, digest, upload.size)
            superfluous = await self._database.write_after(
                committing, lambda key: partial(record, key=key, now=self._now())
            )
        if superfluous:  # Another upload of the same bytes was faster, so the layer exists.
            with suppress(OSError, Unavailable):
                await self._blobs.delete(superfluous)
        failpoints.hit("U10")

    async def _reuse(self, scope: UploadScope, upload: Upload, digest: str) -> bool:
        """End the upload with an existing blob of that digest; False if there is none."""
        exists = upload.has_blob
        if exists is None:
            exists = await self._database.read_one(lambda tx: layers.find_blob(tx, digest)) is not None
        if not exists:
            return False
        now = self._now()

        def link(tx: Transaction) -> bool | None:
            blob = layers.lock_blob(tx, digest)
            if blob is None:
                return None
            self._end(tx, scope, upload, digest)
            return layers.link_blob(tx, upload.repository_id, blob.id, now)

        is_new = await self._database.write(link)
        if is_new is None:
            return False
        failpoints.hit("U10")
        await self._abandon(upload)
        if not is_new:
            raise LayerAlreadyExists(digest=digest, repository=scope.repository, registry=scope.registry.account)
        return True

    def _end(self, tx: Transaction, scope: UploadScope, upload: Upload, digest: str) -> bool:
        """End an upload and record its digest, empty if it is canceled; True if the store has a state of it.

        Of several requests that end the same upload one succeeds: the one that deletes its row or, without a row,
        records its end. Raises UploadNotFound.
        """
        now = self._now()
        if is_unrecorded(upload, now) and uploads.record_finished(tx, upload, digest, now):
            return False
        has_state = uploads.delete_upload(tx, upload.id)
        if has_state is None or not uploads.record_finished(tx, upload, digest, now):
            raise not_found(scope, upload.id)
        return bool(has_state)


@contextmanager
def _translated_errors(scope: UploadScope, upload: Upload) -> Iterator[None]:
    """Translate the blob store's errors into the errors of the API."""
    try:
        with _translated_store_errors(scope, upload):
            yield
    except UploadMissing:
        raise not_found(scope, upload.id) from None


@contextmanager
def _translated_store_errors(scope: UploadScope, upload: Upload) -> Iterator[None]:
    """`_translated_errors` for callers that handle UploadMissing."""
    try:
        yield
    except UploadBusy:
        raise busy(scope, upload) from None
    except StoreFull as error:
        raise failures.full(error) from None


def _check_parts(scope: UploadScope, upload: Upload) -> None:
    if upload.size == 0:
        raise EmptyUpload(upload=upload.id, repository=scope.repository, registry=scope.registry.account)
    if upload.short_part:
        raise LayerPartTooSmall
