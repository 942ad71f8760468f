"""GET, HEAD, PUT and DELETE of a manifest, by tag or by digest.

Source: distribution-spec, "Pulling manifests", "Pushing Manifests", "Deleting tags", "Deleting Manifests".
"""

from __future__ import annotations

from typing import Final

from moorage import failpoints
from moorage.core.registry import repositories
from moorage.core.registry.images import Push, parsed
from moorage.core.registry.pulls import pull
from moorage.core.services import Services
from moorage.domain.errors import (
    ImageAlreadyExists,
    ManifestNotFound,
    ManifestTooLarge,
    Refusal,
    RepositoryNotFound,
    RequestEntityTooLarge,
    TagInvalid,
)
from moorage.domain.identity.actions import DOCKER_ACTIONS
from moorage.domain.names import Digest, RepositoryName, Tag
from moorage.domain.registry.manifests import MANIFEST_LIMIT
from moorage.http.body_budget import BodyBudget
from moorage.http.conditional import etag_of, is_unchanged
from moorage.http.messages import Request, Response
from moorage.metadata.database import Lookup, Transaction, Work
from moorage.metadata.registry.images import StoredManifest
from moorage.metadata.registry.repositories import Repository
from moorage.oci.access import AccessControl, RegistryCall, RegistryRequest
from moorage.oci.creation import Creation

(_PULL,) = DOCKER_ACTIONS["manifests", "GET"]
(_PUSH,) = DOCKER_ACTIONS["manifests", "PUT"]
(_DELETE,) = DOCKER_ACTIONS["manifests", "DELETE"]
_CACHED_BYTES: Final = 16 << 10
"""Manifests up to this size are cached between two commits. Almost all manifests are smaller."""


class Manifests:
    """Handlers of manifests."""

    def __init__(self, services: Services, access: AccessControl, budget: BodyBudget) -> None:
        self._database = services.database
        self._now = services.now
        self._pulls = services.pulls
        self._images = services.images
        self._sparse = services.limits.sparse_manifests
        self._access_control = access
        self._creation = Creation(services)
        self._budget = budget

    async def get(self, request: RegistryRequest) -> Response:
        """GET and HEAD. The bytes and the media type are exactly those that were pushed."""
        call = await self._access_control.authorized_lookup(request, _PULL)
        registry, name, reference = call.registry, call.repository, call.reference
        manifest = await self._database.read_cached(
            Lookup(
                ("manifest", registry.account, registry.region, name, reference),
                lambda tx: pull(tx, registry, name, reference),
                keep=_is_small,
            )
        )
        if manifest is None:
            raise await self._database.read(lambda tx: _not_found_error(tx, call))
        if call.request.method == "GET" and self._pulls.is_due(manifest):
            await self._pulls.record(call.caller, call.registry, manifest)
        etag = etag_of(manifest.digest)
        headers = [(b"docker-content-digest", manifest.digest.encode()), (b"etag", etag)]
        if is_unchanged(call.request, etag):
            return Response(304, headers)
        headers += [
            (b"content-type", manifest.media_type.encode()),
            (b"content-length", b"%d" % len(manifest.body)),
        ]
        return Response(200, headers, manifest.body)

    async def put(self, request: RegistryRequest) -> Response:
        """An existing manifest is not an error: the client may repeat a request whose response was lost."""
        call = await self._access_control.authorized(request, _PUSH)
        name = call.repository
        tag, digest = _parse(call.reference)
        tags = _tag_parameters(call) if digest else ()
        async with self._budget.reserve(call.request, MANIFEST_LIMIT):
            body = await _manifest_body(call.request)
            manifest = await parsed(body, call.request.header(b"content-type"))
            new_tags = (tag,) if tag else tags
            push = Push(body=body, manifest=manifest, tags=new_tags, digest=digest, sparse=self._sparse)
            try:
                stored = await self._store(push, lambda tx: repositories.get(tx, call.registry, name))
            except RepositoryNotFound as missing:
                stored = await self._store(push, await self._creation.authorize(call, missing))
                self._creation.record(call)
        headers = [
            (b"location", f"/v2/{name}/manifests/{stored}".encode()),
            (b"docker-content-digest", stored.encode()),
            (b"content-length", b"0"),
        ]
        if tags:
            headers.append((b"oci-tag", ", ".join(tags).encode()))
        if push.manifest.subject is not None:
            headers.append((b"oci-subject", push.manifest.subject.encode()))
        return Response(201, headers)

    async def delete(self, request: RegistryRequest) -> Response:
        """Delete a tag, or by digest the image with all its tags."""
        call = await self._access_control.authorized(request, _DELETE)
        tag, digest = _parse_existing(call.reference)

        def remove(tx: Transaction) -> None:
            repository = repositories.get(tx, call.registry, call.repository)
            if tag is not None:
                self._images.untag(tx, repository, tag, self._now())
            if digest is not None:
                self._images.delete(tx, repository, digest, self._now())

        await self._database.write(remove)
        return Response(202, [(b"content-length", b"0")])

    async def _store(self, push: Push, find: Work[Repository]) -> str:
        """Find or create the repository and put the image in one transaction: a rejected manifest creates nothing."""

        def put(tx: Transaction) -> str:
            return self._images.put(tx, find(tx), push, self._now())

        try:
            stored = await self._database.write(put)
        except ImageAlreadyExists:
            stored = push.computed_digest()
        failpoints.hit("M3")
        return stored


def _is_small(manifest: StoredManifest | None) -> bool:
    return manifest is not None and len(manifest.body) <= _CACHED_BYTES


async def _manifest_body(request: Request) -> bytes:
    try:
        return await request.body.whole(MANIFEST_LIMIT)
    except RequestEntityTooLarge:
        raise ManifestTooLarge(limit=MANIFEST_LIMIT) from None


def _parse(reference: str) -> tuple[Tag | None, Digest | None]:
    """Parse a reference. It is a digest if it has a colon, which tags cannot have. Raises DigestInvalid, TagInvalid."""
    return (None, Digest.parse(reference)) if ":" in reference else (Tag.parse(reference), None)


def _tag_parameters(call: RegistryCall) -> tuple[Tag, ...]:
    """The `tag` parameters of a PUT by digest (distribution-spec, "Pushing Manifests"). Raises TagInvalid."""
    return tuple(dict.fromkeys(Tag.parse(value) for value in call.repeated("tag")))


def _parse_existing(reference: str) -> tuple[Tag | None, Digest | None]:
    """Parse a reference to an existing image: an invalid tag is not found. Raises DigestInvalid, ManifestNotFound."""
    try:
        return _parse(reference)
    except TagInvalid:
        raise ManifestNotFound from None


def _not_found_error(tx: Transaction, call: RegistryCall) -> Refusal:
    """The error if nothing was found. Raises RepositoryNameInvalid, DigestInvalid, RepositoryNotFound."""
    name = RepositoryName.parse(call.repository)
    _parse_existing(call.reference)
    repositories.get(tx, call.registry, name)
    return ManifestNotFound()
