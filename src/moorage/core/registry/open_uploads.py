"""Open uploads: to whom they belong, how many and how large they may be, and the refusals of requests to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, replace
from typing import Final

from moorage.core.limits import Limits
from moorage.domain.names import Digest, Registry
from moorage.domain.registry.errors import InvalidLayerPart, UploadNotFound
from moorage.metadata.database import Database
from moorage.metadata.registry import layers
from moorage.metadata.registry.layers import Upload

CHECK_BYTES: Final = 64 << 20
"""An upload is checked when it starts, and each time it has grown by so much. Small uploads cost one check."""

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
    """The limits of open uploads, for each user or role in each repository.

    They are read before the transaction that starts an upload, not in it: on PostgreSQL, all uploads that start at the
    same time would conflict otherwise. So requests at the same time can exceed a limit by their number.
    """

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._quotas = limits.quotas
        self._arriving: Counter[_Share] = Counter()

    async def require_room(self, scope: UploadScope) -> None:
        """Require that the caller may start another upload. Raises UploadsExceeded, Unavailable."""
        await self._check(scope, 1)

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
                    await self._check(scope, 0)
                yield chunk
        finally:
            self._arriving[share] -= size - upload.size
            if not self._arriving[share]:
                del self._arriving[share]

    async def _check(self, scope: UploadScope, more: int) -> None:
        limit = self._quotas.open_uploads
        count, size = await self._database.read_one(
            lambda tx: layers.open_uploads(tx, scope.registry, scope.repository, scope.principal, limit)
        )
        self._quotas.check_open_uploads(count + more, size + self._arriving[_share(scope)])


def _share(scope: UploadScope) -> _Share:
    return scope.registry, scope.repository, scope.principal


def hashed_for(upload: Upload, digest: Digest) -> Upload:
    """The upload for a body with which it is complete: if nothing has arrived before, that digest is computed."""
    return upload if upload.size else replace(upload, algorithm=digest.algorithm)


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
