"""GET and HEAD of a blob (distribution-spec, "Pulling blobs" and "Checking if content exists in the registry")."""

from __future__ import annotations

from typing import Final

from moorage.core.registry import mounts, repositories
from moorage.core.services import Services
from moorage.domain.errors import BlobNotFound, Refusal
from moorage.domain.identity.actions import DOCKER
from moorage.domain.names import Digest, RepositoryName
from moorage.http.blob_response import blob_response
from moorage.http.messages import Request, Response
from moorage.metadata.database import Transaction
from moorage.metadata.registry import layers
from moorage.metadata.registry.layers import Blob
from moorage.oci.access import Gate, Visit

(_READ,) = DOCKER["blobs", "GET"]
(_DELETE,) = DOCKER["blobs", "DELETE"]
_EITHER: Final = DOCKER["blobs", "HEAD"]


class Blobs:
    """Reading blobs: the hot path of every pull, and of every push that asks what is there already."""

    def __init__(self, services: Services, gate: Gate) -> None:
        self._database = services.database
        self._blobs = services.blobs
        self._telling = services.telling
        self._gate = gate

    async def get(self, request: Request, name: str, reference: str) -> Response:
        visit = await self._gate.admit(request, name, _READ)
        return await blob_response(request, self._blobs, await self._find(visit, reference))

    async def delete(self, request: Request, name: str, reference: str) -> Response:
        """The repository sees the blob no more; others still do (distribution-spec, "Deleting Blobs")."""
        visit = await self._gate.enter(request, name, _DELETE)
        digest = Digest.parse(reference)
        await self._database.write(lambda tx: mounts.unlink(tx, repositories.get(tx, visit.registry, name), digest))
        return Response(202, [(b"content-length", b"0")])

    async def head(self, request: Request, name: str, reference: str) -> Response:
        """Both who may push and who may pull may ask: docker does so before it uploads a layer, others before a GET."""
        visit = await self._gate.admit_with_either(request, name, *_EITHER)
        blob = await self._find(visit, reference)
        if not await self._telling.holds(visit.registry, name, [blob]):
            raise BlobNotFound(digest=blob.digest, repository=name)
        return await blob_response(request, self._blobs, blob)

    async def _find(self, visit: Visit, reference: str) -> Blob:
        name, account, region = visit.repository, visit.registry.account, visit.registry.region
        found = await self._database.recall(
            ("layer", account, region, name, reference),
            lambda tx: (
                layers.find_layer_by_name(tx, account, region, name, reference) or _why_not(tx, visit, reference)
            ),
            keep=_is_blob,
        )
        if isinstance(found, Refusal):
            raise found
        return found


def _is_blob(found: Blob | Refusal) -> bool:
    return isinstance(found, Blob)


def _why_not(tx: Transaction, visit: Visit, reference: str) -> Refusal:
    """What is wrong when nothing was found. Raises RepositoryNameInvalid, DigestInvalid, RepositoryNotFound."""
    name, digest = RepositoryName.parse(visit.repository), Digest.parse(reference)
    repositories.get(tx, visit.registry, name)
    return BlobNotFound(digest=digest, repository=name)
