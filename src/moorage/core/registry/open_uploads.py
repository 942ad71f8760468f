"""Open uploads: to whom they belong, how many and how large they may be, and the refusals of requests to them."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Final

from moorage.core.clock import Clock
from moorage.core.limits import Limits
from moorage.domain.errors import LayerTooLarge, LimitExceeded, Unavailable
from moorage.domain.names import Digest, Registry
from moorage.domain.registry.errors import InvalidLayerPart, RepositoryNotFound, UploadNotFound
from moorage.domain.registry.upload_ids import IssuedId, UploadIds, is_completable, is_continuable
from moorage.domain.units import SECOND
from moorage.metadata.database import Database, Work
from moorage.metadata.engines.dialects import SEALED
from moorage.metadata.registry import uploads
from moorage.metadata.registry.uploads import FoundUpload, OpenUploadRows, Upload, UploadPlace

PART_MINIMUM: Final = 5_242_880
LAYER_LIMIT: Final = 52_000 * 1024 * 1024
"""ECR quotas: minimum layer part size, maximum layer size."""

PART_LIMIT: Final = 4_200
"""ECR quota: layer parts per upload."""

CHECK_BYTES: Final = 64 << 20
"""An upload is checked when it starts, and each time it has grown by so much. Small uploads cost one check."""

SMALL_BYTES: Final = 64 << 10
"""A first part up to this size is stored without a row of its upload."""

_UNRECORDED_PER_SHARE: Final = 32
"""How many uploads of a caller in a repository this process starts without a row, until one of them ends."""

_UNRECORDED: Final = 8_192
"""How many uploads without a row this process remembers, to count them."""

_Share = tuple[Registry, str, str]


@dataclass(frozen=True, slots=True)
class UploadScope:
    """The repository and the user that an upload belongs to. Others do not see it."""

    registry: Registry
    repository: str
    owner: str

    @property
    def principal(self) -> str:
        """The user or role of the owner. Sessions of a role share its limits, because callers choose their names."""
        return self.owner.partition(":")[0]


class OpenUploads:
    """Starts and finds uploads, within the limits for each user or role in each repository.

    An upload begins without a row: its id proves that it exists. It gets a row when more than a small part of it
    arrives, or when its caller has many of them. Uploads of this process without a row count as those with one.

    The limits are read before the transaction that starts an upload, not in it: on PostgreSQL, all uploads that start
    at the same time would conflict otherwise. So requests at the same time can exceed a limit by their number.
    """

    def __init__(self, database: Database, limits: Limits, ids: UploadIds, now: Clock) -> None:
        self._database = database
        self._quotas = limits.quotas
        self._ids = ids
        self._now = now
        self._arriving: Counter[_Share] = Counter()
        self._unrecorded: OrderedDict[str, _Share] = OrderedDict()
        self._unrecorded_of: Counter[_Share] = Counter()

    async def start(self, scope: UploadScope, algorithm: str, rows: OpenUploadRows | None) -> Upload:
        """Start an upload. `rows`: the result of `count_for`.

        Raises RepositoryNotFound, UploadsExceeded, Unavailable.
        """
        share = _share(scope)
        if self._unrecorded_of[share] >= _UNRECORDED_PER_SHARE:
            await self._forget_ended(share)
            rows = None
        if rows is None:
            rows = await self._database.read_one(self.count_for(scope))
        self._check(scope, rows, 1)
        if rows.is_sealed:  # Nothing is written, so no trigger of the seal refuses it.
            raise Unavailable(reason=SEALED)
        if rows.repository is None:
            raise RepositoryNotFound(repository=scope.repository, registry=scope.registry.account)
        now = self._now() // SECOND * SECOND  # as precise as an id
        upload_id = self._ids.issue(rows.repository, scope.owner, algorithm, now)
        upload = _unrecorded(upload_id, rows.repository, scope.owner, IssuedId(algorithm, now))
        if self._unrecorded_of[share] >= _UNRECORDED_PER_SHARE:
            return await self.record(scope, upload)
        self._remember(upload_id, share)
        return upload

    def unrecorded(self, scope: UploadScope, found: FoundUpload, upload_id: str) -> Upload | None:
        """The upload with this id that has no row; None if it was not issued to the caller, or is over."""
        if found.repository is None or found.has_ended:
            return None
        upload = self._issued(upload_id, found.repository, scope.owner)
        return upload if upload and is_continuable(upload_id, self._now()) else None

    async def record(self, scope: UploadScope, upload: Upload) -> Upload:
        """Give a row to an upload that has none. Raises InvalidLayerPart if another request has done or ended it."""
        if not await self._database.write(lambda tx: uploads.record_upload(tx, upload)):
            raise busy(scope, upload)
        self.forget(upload.id)
        return upload._replace(is_recorded=True)

    def forget(self, upload_id: str) -> None:
        """An upload has ended, or has a row now."""
        share = self._unrecorded.pop(upload_id, None)
        if share is not None:
            self._unrecorded_of[share] -= 1
            if not self._unrecorded_of[share]:
                del self._unrecorded_of[share]

    def _issued(self, upload_id: str, place: UploadPlace, owner: str) -> Upload | None:
        issued = self._ids.check(upload_id, place, owner)
        return None if issued is None else _unrecorded(upload_id, place, owner, issued)

    def _remember(self, upload_id: str, share: _Share) -> None:
        if len(self._unrecorded) >= _UNRECORDED:
            self.forget(next(iter(self._unrecorded)))
        self._unrecorded[upload_id] = share
        self._unrecorded_of[share] += 1

    async def _forget_ended(self, share: _Share) -> None:
        """Forget uploads of a caller that other processes have ended or recorded, or that are too old to continue."""
        known = [upload for upload, of in self._unrecorded.items() if of == share]
        now = self._now()
        ended = await self._database.read_one(lambda tx: uploads.known_to_rows(tx, known))
        for upload in known:
            if upload in ended or not is_continuable(upload, now):
                self.forget(upload)

    async def limited(
        self, scope: UploadScope, upload: Upload, chunks: AsyncIterator[bytes]
    ) -> AsyncGenerator[bytes, None]:
        """The chunks of a body that is appended to an upload. Close this iterator, so that its bytes stop counting.

        The rows count what has arrived in earlier requests, and `_arriving` what arrives in this process. Raises
        UploadsExceeded, Unavailable.
        """
        share, size = _share(scope), upload.size
        try:
            async for chunk in chunks:
                before, size = size, size + len(chunk)
                self._arriving[share] += len(chunk)
                if before // CHECK_BYTES != size // CHECK_BYTES:
                    self._check(scope, await self._database.read_one(self.count_for(scope)), 0)
                yield chunk
        finally:
            self._arriving[share] -= size - upload.size
            if not self._arriving[share]:
                del self._arriving[share]

    def count_for(self, scope: UploadScope) -> Work[OpenUploadRows]:
        """The work that counts the open uploads of a user or role in a repository."""
        limit = self._quotas.open_uploads
        return lambda tx: uploads.open_uploads(tx, scope.registry, scope.repository, scope.principal, limit)

    def _check(self, scope: UploadScope, rows: OpenUploadRows, more: int) -> None:
        share = _share(scope)
        number = rows.number + self._unrecorded_of[share] + more
        self._quotas.check_open_uploads(number, rows.size + self._arriving[share])


def _unrecorded(upload_id: str, place: UploadPlace, owner: str, issued: IssuedId) -> Upload:
    """The upload that begins with an id."""
    return Upload(
        upload_id,
        place.repository_id,
        owner,
        size=0,
        parts=0,
        last_part=0,
        short_part=False,
        created_at=issued.created_at,
        algorithm=issued.algorithm,
        is_recorded=False,
    )


def _share(scope: UploadScope) -> _Share:
    return scope.registry, scope.repository, scope.principal


def is_unrecorded(upload: Upload, now: int) -> bool:
    """Whether an upload can be completed although it has no row; another request may have given it one meanwhile."""
    return not upload.is_recorded and is_completable(upload.id, now)


def hashed_for(upload: Upload, digest: Digest) -> Upload:
    """The upload for a body with which it is complete: if nothing has arrived before, that digest is computed."""
    return upload if upload.size else upload._replace(algorithm=digest.algorithm)


class PeekedBody:
    """An iterator over a body, the first chunks of which can be read ahead."""

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self._body = body
        self.ahead: list[bytes] = []

    async def is_within(self, size: int) -> bool:
        """Read ahead until the body ends or has more than `size` bytes; whether it has ended."""
        count = 0
        async for chunk in self._body:
            self.ahead.append(chunk)
            count += len(chunk)
            if count > size:
                return False
        return True

    def __aiter__(self) -> PeekedBody:
        return self

    async def __anext__(self) -> bytes:
        return self.ahead.pop(0) if self.ahead else await anext(self._body)


async def limited(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    """The chunks of a body. Raises LayerTooLarge if it has more than `limit` bytes."""
    received = 0
    async for chunk in chunks:
        received += len(chunk)
        if received > limit:
            raise LayerTooLarge(limit=LAYER_LIMIT)
        yield chunk


class UntilInterrupted:
    """A body until it is interrupted by one of `interruptions`, which is recorded instead of raised."""

    def __init__(self, chunks: AsyncIterator[bytes], interruptions: tuple[type[Exception], ...]) -> None:
        self._chunks = chunks
        self._interruptions = interruptions
        self.interruption: Exception | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        """The chunks that arrived."""
        try:
            async for chunk in self._chunks:
                yield chunk
        except self._interruptions as error:
            self.interruption = error


def appended(upload: Upload, size: int) -> Upload:
    """The upload after a part with which it has `size` bytes."""
    too_short = upload.parts > 0 and upload.last_part < PART_MINIMUM
    return upload._replace(
        size=size,
        parts=upload.parts + 1,
        last_part=size - upload.size,
        short_part=upload.short_part or too_short,
        kept=0,
        has_blob=None,
    )


def invalid_part(scope: UploadScope, upload: Upload, reason: str) -> InvalidLayerPart:
    """The error for a part, with the members that a client needs to continue the upload."""
    members = {
        "registryId": scope.registry.account,
        "repositoryName": scope.repository,
        "uploadId": upload.id,
        "lastValidByteReceived": max(upload.size - 1, 0),  # The shape does not allow -1; 0 also means "nothing".
    }
    return InvalidLayerPart(received=upload.size, members=members, reason=reason)


def out_of_order(scope: UploadScope, upload: Upload, first: int) -> InvalidLayerPart:
    return invalid_part(scope, upload, f"First byte of the layer part is {first} instead of {upload.size}")


def busy(scope: UploadScope, upload: Upload) -> InvalidLayerPart:
    return invalid_part(scope, upload, "Another request is writing to the upload")


def not_found(scope: UploadScope, upload_id: str) -> UploadNotFound:
    return UploadNotFound(upload=upload_id, repository=scope.repository, registry=scope.registry.account)


def check_part(scope: UploadScope, upload: Upload, first: int, last: int, size: int) -> None:
    """Check the API's rules for a part of `size` bytes, declared as byte `first` to byte `last`.

    Raises InvalidLayerPart, LimitExceeded. The registry endpoint does not use this: chunks can have any size.
    """
    if first != upload.size:
        raise out_of_order(scope, upload, first)
    if last < first:
        raise invalid_part(scope, upload, f"The layer part ends at byte {last} before it begins at byte {first}")
    if size != last - first + 1:
        reason = f"The layer part has {size} bytes, not the {last - first + 1} from byte {first} to byte {last}"
        raise invalid_part(scope, upload, reason)
    if upload.parts >= PART_LIMIT:
        raise LimitExceeded(reason=f"The upload has the maximum number of layer parts: {PART_LIMIT}")
