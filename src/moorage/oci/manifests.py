"""GET, HEAD, PUT and DELETE of a manifest, by tag or by digest.

Source: distribution-spec, "Pulling manifests", "Pushing Manifests", "Deleting tags", "Deleting Manifests".
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from moorage import failpoints
from moorage.bounds import bounded_cache
from moorage.core.registry import repositories
from moorage.core.registry.images import Push, parsed
from moorage.core.registry.pulls import pull
from moorage.core.replication import arrivals
from moorage.core.replication.receiving import REPLICATE
from moorage.core.services import Services
from moorage.domain.errors import (
    ManifestNotFound,
    ManifestTooLarge,
    PreconditionFailed,
    Refusal,
    RequestEntityTooLarge,
    TagInvalid,
)
from moorage.domain.identity.actions import DOCKER_ACTIONS
from moorage.domain.names import Digest, Registry, RepositoryName, Tag
from moorage.domain.registry.errors import LayersNotFound, RepositoryNotFound
from moorage.domain.registry.manifests import MANIFEST_LIMIT
from moorage.http.conditional import etag_of, is_expected, is_unchanged
from moorage.http.locations import Locations
from moorage.http.messages import Headers, Request, Response
from moorage.http.shares.body_budget import BodyBudget
from moorage.metadata.database import Lookup, Transaction, Work, size_of_row
from moorage.metadata.registry import images
from moorage.metadata.registry.images import StoredManifest
from moorage.metadata.registry.repositories import Repository
from moorage.oci.access import AccessControl, RegistryCall, RegistryRequest
from moorage.oci.creation import Creation

(_PULL,) = DOCKER_ACTIONS["manifests", "GET"]
(_PUSH,) = DOCKER_ACTIONS["manifests", "PUT"]
(_DELETE,) = DOCKER_ACTIONS["manifests", "DELETE"]
_CONDITIONS: Final = frozenset({b"if-match", b"if-none-match"})
_CACHED_BYTES: Final = 16 << 10
"""Manifests up to this size are cached between two commits. Almost all manifests are smaller."""


class Manifests:
    """Handlers of manifests."""

    def __init__(self, services: Services, access: AccessControl, budget: BodyBudget, locations: Locations) -> None:
        self._database = services.database
        self._now = services.now
        self._pulls = services.pulls
        self._guard = services.guard
        self._authorizer = services.authorizer
        self._cache = services.pull_through
        self._images = services.images
        self._sparse = services.limits.sparse_manifests
        self._access_control = access
        self._creation = Creation(services)
        self._budget = budget
        self._locations = locations

    async def get(self, request: RegistryRequest) -> Response:
        """GET and HEAD. The bytes and the media type are exactly those that were pushed."""
        call = await self._access_control.authorized_lookup(request, _PULL)
        registry, name, reference = call.registry, call.repository, call.reference
        manifest = await self._database.read_cached(
            Lookup(
                ("manifest", registry.account, registry.region, name, reference),
                lambda tx: pull(tx, registry, name, reference),
                keep=_is_small,
                size=_size_of,
            )
        )
        if manifest is None:
            manifest = await self._from_upstream(call)
        elif manifest.check_at is not None:
            current = await self._cache.current(call.puller(), reference, manifest)
            manifest = current if current.digest == manifest.digest else replace(current, is_guarded=True)
        if manifest.is_guarded and call.request.method == "GET":  # HEAD, with which notation signs, gets no content.
            await self._guard.check(registry, name, manifest)
        if call.request.method == "GET" and self._pulls.is_due(manifest):
            await self._pulls.record(call.caller, call.registry, manifest)
        etag, headers = _head_of(manifest.digest, manifest.media_type, len(manifest.body))
        if not is_expected(call.request, etag):
            raise PreconditionFailed
        if is_unchanged(call.request, etag):
            return Response(304, list(headers[:2]))
        return Response(200, list(headers), manifest.body)

    async def _from_upstream(self, call: RegistryCall) -> StoredManifest:
        """A manifest that is not here, from the upstream registry of its repository. Raises what a missing one does.

        It counts as guarded: whether something requires signatures is looked up then.
        """
        manifest = await self._cache.manifest(call.puller(), call.reference)
        if manifest is None:
            raise await self._database.read(lambda tx: _not_found_error(tx, call))
        if call.request.method == "GET" and manifest.image_id is None:
            await self._cache.record_pull(call.puller(), manifest)
        return replace(manifest, is_guarded=True)

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
            push = Push(
                body=body, manifest=manifest, tags=new_tags, digest=digest, sparse=self._sparse, pusher=call.caller
            )
            try:
                stored = await self._store_with_arriving(call, push)
            except RepositoryNotFound as missing:
                stored = await self._store(call, push, await self._creation.authorize(call, missing))
                self._creation.record(call)
        headers = [
            (b"location", self._locations.of(call.request, f"/v2/{name}/manifests/{stored}")),
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
        origin = await self._origin(call)

        def remove(tx: Transaction) -> None:
            repository = repositories.get(tx, call.registry, call.repository)
            current = _current(tx, repository, call.reference)
            if current is not None:  # Otherwise 404: preconditions apply to what would succeed without them.
                _check_preconditions(call.request, current)
            if origin is not None:
                arrivals.remove(tx, self._images, repository, call.reference, origin, self._now())
            elif tag is not None:
                self._images.untag(tx, repository, tag, self._now())
            elif digest is not None:
                self._images.delete(tx, repository, digest, self._now())

        await self._database.write(remove)
        return Response(202, [(b"content-length", b"0")])

    async def _store_with_arriving(self, call: RegistryCall, push: Push) -> str:
        """Put the image into its repository. HEAD has told the client of layers that are still on their way to it."""
        existing = partial(repositories.get, registry=call.registry, name=call.repository)
        try:
            return await self._store(call, push, existing)
        except LayersNotFound:
            needed = dict.fromkeys(layer.digest for layer in push.manifest.layers)
            if not await self._cache.arrived(call.puller(), needed):
                raise
        return await self._store(call, push, existing)

    async def _store(self, call: RegistryCall, push: Push, find: Work[Repository]) -> str:
        """Find or create the repository and put the image in one transaction: a rejected manifest creates nothing.

        The transaction also decides preconditions, so of several requests that expect the same image one succeeds.
        """
        origin = await self._origin(call)

        def put(tx: Transaction) -> str:
            repository = find(tx)
            if _CONDITIONS & call.request.headers.keys():
                _check_preconditions(call.request, _current(tx, repository, call.reference), push)
            return arrivals.put(tx, self._images, repository, push, origin, self._now())

        stored = await self._database.write(put)
        failpoints.hit("M3")
        return stored

    async def _origin(self, call: RegistryCall) -> Registry | None:
        named = call.request.header(arrivals.ORIGIN)
        return await arrivals.origin_of(named, call.access_request(REPLICATE), self._authorizer)


@bounded_cache(entries=4096, size=1 << 20)
def _head_of(digest: str, media_type: str, size: int) -> tuple[bytes, Headers]:
    """The entity tag of a manifest, and the headers of its response; those of one without content are the first two."""
    etag = etag_of(digest)
    of_image = [(b"docker-content-digest", digest.encode()), (b"etag", etag)]
    return etag, [*of_image, (b"content-type", media_type.encode()), (b"content-length", b"%d" % size)]


def _size_of(manifest: StoredManifest | None) -> int:
    return size_of_row(manifest) + (0 if manifest is None else len(manifest.body))


def _is_small(manifest: StoredManifest | None) -> bool:
    return manifest is not None and len(manifest.body) <= _CACHED_BYTES


def _current(tx: Transaction, repository: Repository, reference: str) -> str | None:
    """The digest of the image that a reference names now; None if there is none."""
    find = images.find if ":" in reference else images.find_tagged
    image = find(tx, repository.id, reference)
    return image.digest if image else None


def _check_preconditions(request: Request, current: str | None, push: Push | None = None) -> None:
    """Compare If-Match and If-None-Match with the current image. Raises PreconditionFailed.

    A push with If-Match that was made already succeeds again (RFC 9110, section 13.1.1: the server may answer so "if
    the state change requested has already succeeded"): the client may repeat a request whose response was lost.
    """
    etag = etag_of(current) if current else None
    is_repeated = push is not None and current == push.computed_digest()
    if not is_expected(request, etag) and not is_repeated:
        raise PreconditionFailed
    if etag is not None and is_unchanged(request, etag):
        raise PreconditionFailed


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
