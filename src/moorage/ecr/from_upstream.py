"""Pulls by the ECR API through the cache of an upstream registry (`core/pull_through`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from moorage.core.pull_through.failures import NotUpstream
from moorage.core.pull_through.referrers import WantedReferrers
from moorage.core.registry import repositories
from moorage.core.registry.image_ids import ImageFailure, ImageId
from moorage.core.registry.referrers import ReferrersPage
from moorage.domain.errors import Refusal
from moorage.domain.pull_through.upstream_errors import (
    UnableToGetUpstreamImage,
    UnableToGetUpstreamLayer,
    UnableToListUpstreamImageReferrers,
    UpstreamRefusal,
)
from moorage.domain.registry.errors import LayerInaccessible, RepositoryNotFound
from moorage.domain.registry.quotas import limit_exceeded
from moorage.domain.signing.errors import ImageNotSigned
from moorage.ecr import views
from moorage.ecr.call import Call
from moorage.metadata.database import Transaction
from moorage.metadata.registry.images import StoredManifest
from moorage.metadata.registry.repositories import Repository

if TYPE_CHECKING:
    from moorage.ecr import shapes

MANIFESTS_LIMIT: Final = 16 << 20
"""Bytes of manifests in a response to BatchGetImage. docs/decisions/0030-bounded-responses.md has the reasons."""


@dataclass(frozen=True, slots=True)
class UpstreamImages:
    """What BatchGetImage gets from an upstream registry: manifests that are no images yet, and failures."""

    call: Call
    name: str
    requested: Sequence[ImageId]
    on_their_way: dict[ImageId, StoredManifest]
    failures: dict[ImageId, ImageFailure]

    @property
    def size(self) -> int:
        """The bytes of the manifests."""
        return sum(len(manifest.body) for manifest in self.on_their_way.values())

    @property
    def not_on_their_way(self) -> list[ImageId]:
        """The images that the repository has, or that do not exist."""
        return [image_id for image_id in self.requested if image_id not in self.on_their_way]

    def repository(self, tx: Transaction) -> Repository:
        """The repository. Raises RepositoryNotFound, or UnableToGetUpstreamImage if a failure kept it from existing."""
        try:
            return repositories.get(tx, self.call.registry, self.name)
        except RepositoryNotFound:
            for failure in self.failures.values():
                raise UnableToGetUpstreamImage(reason=str(failure)) from None
            raise

    def views(self, repository: Repository) -> list[list[shapes.Image]]:
        return [views.images(repository, found, [one.tag]) for one, found in self.on_their_way.items()]


async def pull_images(call: Call, name: str, image_ids: Sequence[ImageId]) -> UpstreamImages:
    """Pull images through the cache, if a rule covers the repository. Otherwise this is one cached lookup."""
    result = UpstreamImages(call, name, image_ids, {}, {})
    if await call.services.pull_through.covers(call.registry, name):
        for image_id in image_ids:
            await _pull(result, image_id)
            if result.size > MANIFESTS_LIMIT:
                exceeded = f"{MANIFESTS_LIMIT} bytes of manifests in one response. Request fewer images at a time"
                raise limit_exceeded(exceeded)
    return result


async def _pull(result: UpstreamImages, image_id: ImageId) -> None:
    reference = image_id.tag or image_id.digest
    if reference is None:
        return
    call = result.call
    puller = call.puller(result.name)
    try:
        found = await call.services.pull_through.pull(puller, reference)
    except UpstreamRefusal as refusal:
        result.failures[image_id] = ImageFailure(refusal.failure_code, str(refusal))
        return
    if found is not None and found.image_id is None and image_id.digest in {None, found.digest}:
        try:
            await call.services.guard.check(call.registry, result.name, found)
        except ImageNotSigned as refusal:
            result.failures[image_id] = ImageFailure("ImageInaccessible", str(refusal))
            return
        result.on_their_way[image_id] = found
        await call.services.pull_through.record_pull(puller, found)


async def fetch_layer(call: Call, name: str, digest: str, missing: Refusal) -> None:
    """Fetch a layer that the repository does not have, and wait until it is stored.

    A layer that no image references is accessible only while a manifest that was pulled needs it. Raises `missing` if
    there is nothing to fetch, and UnableToGetUpstreamLayer.
    """
    pull_through, puller = call.services.pull_through, call.puller(name)
    if isinstance(missing, LayerInaccessible) and await pull_through.size_of_blob(puller, digest) is None:
        raise missing
    try:
        arriving = await pull_through.blob(puller, digest)
        if arriving is None:
            raise missing
        await arriving.finished()
    except UpstreamRefusal as refusal:
        raise UnableToGetUpstreamLayer(reason=str(refusal)) from None
    except NotUpstream:
        raise missing from None


async def with_upstream_referrers(
    call: Call, name: str, found: ReferrersPage, wanted: WantedReferrers, limit: int
) -> ReferrersPage:
    """A page of referrers, with as many of the upstream registry as fit on it behind the local ones.

    Raises UnableToListUpstreamImageReferrers if the upstream registry fails and there are no local ones.
    """
    try:
        whole = await call.services.pull_through.with_upstream_referrers(call.puller(name), found, wanted)
    except UpstreamRefusal as refusal:
        if found.referrers:
            return found
        raise UnableToListUpstreamImageReferrers(reason=str(refusal)) from None
    return replace(whole, referrers=whole.referrers[:limit], more=whole.more or limit < len(whole.referrers))
