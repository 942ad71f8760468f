"""GET and HEAD of a blob (distribution-spec, "Pulling blobs" and "Checking if content exists in the registry")."""

from __future__ import annotations

from typing import Final

from moorage.core.registry import mounts, repositories
from moorage.core.services import Services
from moorage.domain.errors import BlobNotFound, Refusal
from moorage.domain.identity.actions import DOCKER_ACTIONS
from moorage.domain.names import Digest, RepositoryName
from moorage.domain.registry.errors import RepositoryNotFound
from moorage.http.blob_response import BlobResponses, arriving_response, size_response
from moorage.http.messages import Response
from moorage.metadata.database import Lookup
from moorage.metadata.registry import layers
from moorage.metadata.registry.layers import Blob, FoundLayer
from moorage.oci.access import AccessControl, RegistryCall, RegistryRequest

(_READ,) = DOCKER_ACTIONS["blobs", "GET"]
(_DELETE,) = DOCKER_ACTIONS["blobs", "DELETE"]
_EITHER: Final = DOCKER_ACTIONS["blobs", "HEAD"]


class Blobs:
    """Handlers of blobs. GET and HEAD are the hot path of pulls, and of pushes, which check for existing layers."""

    def __init__(self, services: Services, access: AccessControl, responses: BlobResponses) -> None:
        self._database = services.database
        self._responses = responses
        self._cache = services.pull_through
        self._grace_periods = services.grace_periods
        self._access_control = access

    async def get(self, request: RegistryRequest) -> Response:
        call = await self._access_control.authorized_lookup(request, _READ)
        try:
            blob = await self._find(call)
        except (BlobNotFound, RepositoryNotFound):
            arriving = await self._cache.blob(call.puller(), call.reference)
            if arriving is None:
                raise
            if arriving.size is not None and arriving.blob is None:
                return await arriving_response(request.http, arriving, call.reference, arriving.size)
            blob = await arriving.finished()
        return await self._responses.response(request.http, blob)

    async def delete(self, request: RegistryRequest) -> Response:
        """Remove the blob from this repository, not from others (distribution-spec, "Deleting Blobs")."""
        call = await self._access_control.authorized(request, _DELETE)
        name, digest = call.repository, Digest.parse(call.reference)
        await self._database.write(lambda tx: mounts.unlink(tx, repositories.get(tx, call.registry, name), digest))
        return Response(202, [(b"content-length", b"0")])

    async def head(self, request: RegistryRequest) -> Response:
        """Allowed for callers who can push or pull: docker sends HEAD before an upload, other clients before GET."""
        call = await self._access_control.authorized_lookup_either(request, *_EITHER)
        try:
            blob = await self._find(call)
        except BlobNotFound:
            arriving = await self._cache.needed_blob(call.puller(), call.reference)
            if arriving is None or arriving.size is None:
                raise
            return size_response(call.reference, arriving.size)
        if not await self._grace_periods.renew(call.registry, call.repository, [blob]):
            raise BlobNotFound(digest=blob.digest, repository=call.repository)
        return await self._responses.response(request.http, blob)

    async def _find(self, call: RegistryCall) -> Blob:
        """Raises BlobNotFound, RepositoryNotFound, RepositoryNameInvalid, DigestInvalid."""
        registry, name, reference = call.registry, call.repository, call.reference
        found = await self._database.read_cached(
            Lookup(
                ("layer", registry.account, registry.region, name, reference),
                lambda tx: layers.look_up(tx, registry, name, reference),
                keep=_has_blob,
                is_single=True,
            )
        )
        if found.blob is None:
            raise _not_found_error(call, has_repository=found.has_repository)
        return found.blob


def _has_blob(found: FoundLayer) -> bool:
    return found.blob is not None


def _not_found_error(call: RegistryCall, *, has_repository: bool) -> Refusal:
    """The error if nothing was found. Raises RepositoryNameInvalid, DigestInvalid."""
    name, digest = RepositoryName.parse(call.repository), Digest.parse(call.reference)
    if not has_repository:
        return RepositoryNotFound(repository=name, registry=call.registry.account)
    return BlobNotFound(digest=digest, repository=name)
