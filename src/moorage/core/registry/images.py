"""Images: push and delete them, and set and delete their tags. Both endpoints use these functions."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Final

import msgspec

from moorage import failpoints
from moorage.core.limits import Limits
from moorage.core.reactions import ImageDeleted, ImagePushed, Reactions, TagDeleted, react
from moorage.core.registry.image_ids import ImageFailure, ImageId, resolve
from moorage.core.registry.repositories import is_immutable
from moorage.core.registry.storage_classes import StorageClasses
from moorage.domain.errors import ManifestNotFound
from moorage.domain.identity.callers import Caller
from moorage.domain.names import Digest, Registry, Tag
from moorage.domain.registry.errors import (
    ImageAlreadyExists,
    ImageDigestDoesNotMatch,
    ImageReferencedByIndex,
    ImageTagAlreadyExists,
    LayersNotFound,
    ReferencedImagesNotFound,
)
from moorage.domain.registry.manifests import Manifest, parse_manifest
from moorage.metadata import push_state
from moorage.metadata.database import Transaction
from moorage.metadata.garbage import deleted_images
from moorage.metadata.registry import images, layers, new_images
from moorage.metadata.registry.images import Image
from moorage.metadata.registry.layers import Blob
from moorage.metadata.registry.repositories import Repository

_LARGE_MANIFEST: Final = 64 << 10
"""Bytes of a manifest. Parsing a smaller one takes less than a millisecond, little more than passing it to a thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """A pushed manifest: its exact bytes, parsed content and tags, and the digest that the client expects, if any.

    A `sparse` push can reference layers and images that the repository does not have. `pusher` is None for images that
    no client pushes, such as copies from other registries.
    """

    body: bytes
    manifest: Manifest
    tags: tuple[Tag, ...]
    digest: Digest | None
    sparse: bool
    pusher: Caller | None = None

    def computed_digest(self) -> str:
        """The digest of the bytes, with the algorithm of the expected digest if there is one."""
        if self.digest is not None and self.digest.algorithm == "sha512":
            return "sha512:" + hashlib.sha512(self.body).hexdigest()
        return "sha256:" + hashlib.sha256(self.body).hexdigest()


async def parsed(body: bytes, media_type: str | None) -> Manifest:
    """`parse_manifest`, in a thread if the manifest is large: other requests go on. Raises ManifestInvalid."""
    if len(body) <= _LARGE_MANIFEST:
        return parse_manifest(body, media_type)
    return await asyncio.to_thread(parse_manifest, body, media_type)


@dataclass(frozen=True, slots=True)
class DeletedImageId:
    """An entry of the result of a deletion: one for each tag, or one without a tag for an untagged image."""

    digest: str
    tag: str | None


class Images:
    """The use cases that change images. Each runs in its caller's transaction.

    `origin` is the registry that images are replicated from; None for all other changes.
    """

    def __init__(self, limits: Limits, reactions: Reactions, origin: Registry | None = None) -> None:
        self._limits = limits
        self._reactions = reactions
        self._origin = origin
        self.storage_classes = StorageClasses(reactions, origin)

    def replicated_from(self, origin: Registry) -> Images:
        """The same use cases for changes that are replicated from another registry."""
        return Images(self._limits, self._reactions, origin)

    # --- Pushing ------------------------------------------------------------------------------------------------

    def put(self, tx: Transaction, repository: Repository, push: Push, now: int) -> str:
        """Store a manifest and set its tags; returns its digest.

        Raises ImageDigestDoesNotMatch, ManifestInvalid, InvalidParameter for too many layers, LayersNotFound,
        ReferencedImagesNotFound, ImageTagAlreadyExists, LimitExceeded, Unavailable, and ImageAlreadyExists if nothing
        would change.
        """
        self._limits.require_space()
        digest = push.computed_digest()
        if push.digest is not None and push.digest != digest:
            raise ImageDigestDoesNotMatch(
                digest=push.digest, repository=repository.name, registry=repository.registry.account
            )
        existing, settings = push_state.find(tx, repository, digest)
        if existing is None:
            changed = self._insert(tx, repository, push, digest, now)
        else:
            changed = tuple(tag for tag in push.tags if _set_tag(tx, repository, tag, existing.id, now))
        if changed:
            number = images.number_of_tags(tx, existing.id) if existing else len(changed)
            self._limits.quotas.check("tags_per_image", number)
        if existing is not None and existing.is_archived:
            self.storage_classes.restore(tx, repository, existing, now)
        elif existing is not None and not changed:
            raise ImageAlreadyExists(
                digest=digest,
                tag=push.tags[0] if push.tags else "null",
                repository=repository.name,
                registry=repository.registry.account,
            )
        change = ImagePushed(repository, digest, changed, push.manifest, now, settings, self._origin, push.pusher)
        react(tx, self._reactions.image_pushed, change)
        failpoints.hit("M2")
        return digest

    def _insert(self, tx: Transaction, repository: Repository, push: Push, digest: str, now: int) -> tuple[str, ...]:
        """Add a new image; returns its tags."""
        self._limits.quotas.check_layers(push.manifest.number_of_layers)
        stored, awaited = _find_layers(tx, repository, push)
        children = self._find_children(tx, repository, push, now)
        failpoints.hit("M1")
        manifest = push.manifest
        image = Image(
            id=0,
            repository_id=repository.id,
            digest=digest,
            media_type=manifest.media_type,
            artifact_type=manifest.artifact_type or None,
            subject=manifest.subject,
            # For an index, ECR returns the size of its largest image (ImageDetail.imageSizeInBytes).
            size=images.largest_of(tx, children) if manifest.is_index else sum(blob.size for blob, _ in stored),
            manifest_size=len(push.body),
            pushed_at=now,
        )
        annotations = msgspec.json.encode(manifest.annotations).decode()
        first_tag = push.tags[0] if push.tags else None
        referenced = [(blob.id, kind) for blob, kind in stored]
        new = new_images.insert(tx, image, push.body, annotations, referenced, first_tag)
        self._limits.quotas.check("images_per_repository", new.number)
        layers.await_layers(tx, new.id, repository.id, awaited)
        images.reference_children(tx, new.id, children)
        for tag in push.tags[1:] if new.has_tag else push.tags:
            _set_tag(tx, repository, tag, new.id, now, is_marked=True)
        return push.tags

    def _find_children(self, tx: Transaction, repository: Repository, push: Push, now: int) -> list[int]:
        """The ids of the images that an index lists. Archived ones are restored, so that the index can be pulled.

        Raises ReferencedImagesNotFound, ManifestInvalid.
        """
        listed = push.manifest.children
        if not listed:
            return []
        found = images.find_all(tx, repository.id, (child.digest for child in listed))
        missing = [child.digest for child in listed if child.digest not in found]
        if missing and not push.sparse:
            raise ReferencedImagesNotFound(
                digests=", ".join(missing), repository=repository.name, registry=repository.registry.account
            )
        present = [(child, found[child.digest]) for child in listed if child.digest in found]
        for child, image in present:
            child.check(image.manifest_size, image.media_type)
        for image in found.values():
            if image.is_archived:
                self.storage_classes.restore(tx, repository, image, now)
        return [image.id for _, image in present]

    # --- Deleting -----------------------------------------------------------------------------------------------

    def untag(self, tx: Transaction, repository: Repository, tag: str, now: int) -> None:
        """Delete a tag but not its image (distribution-spec, "Deleting tags"). Raises ManifestNotFound."""
        image = images.find_tagged(tx, repository.id, tag)
        if image is None:
            raise ManifestNotFound
        self._untag(tx, repository, image, tag, now)

    def delete(self, tx: Transaction, repository: Repository, digest: str, now: int) -> list[DeletedImageId]:
        """Delete an image and its tags. Raises ManifestNotFound, ImageReferencedByIndex."""
        image = images.find(tx, repository.id, digest)
        if image is None:
            raise ManifestNotFound
        return self._delete(tx, repository, image, now)

    def delete_batch(
        self, tx: Transaction, repository: Repository, image_ids: list[ImageId], now: int
    ) -> tuple[list[DeletedImageId], list[tuple[ImageId, ImageFailure]]]:
        """Delete images (BatchDeleteImage); returns deletions and failures. Indexes go before the images they list."""
        deleted: dict[DeletedImageId, None] = {}
        failures: list[tuple[ImageId, ImageFailure]] = []
        found: list[tuple[ImageId, Image]] = []
        for image_id in image_ids:
            try:
                found.append((image_id, resolve(tx, repository, image_id)))
            except ImageFailure as failure:
                failures.append((image_id, failure))
        for image_id, image in sorted(found, key=lambda pair: -pair[1].id):  # An index is younger than its children.
            try:
                deleted.update(dict.fromkeys(self._delete_by_id(tx, repository, image_id, image, now)))
            except ImageReferencedByIndex as refusal:
                failures.append((image_id, ImageFailure("ImageReferencedByManifestList", str(refusal))))
        return list(deleted), failures

    def _delete_by_id(
        self, tx: Transaction, repository: Repository, image_id: ImageId, image: Image, now: int
    ) -> list[DeletedImageId]:
        """Delete what an identifier names: a digest the image, a tag that tag. The last tag deletes the image, too."""
        tags = images.tags_of(tx, image.id)
        if images.find(tx, image.repository_id, image.digest) is None or (image_id.tag and image_id.tag not in tags):
            return []  # An earlier identifier of the call deleted it, which is not an error.
        if image_id.tag is None or tags == [image_id.tag]:
            return self._delete(tx, repository, image, now)
        return [self._untag(tx, repository, image, image_id.tag, now)]

    def _untag(self, tx: Transaction, repository: Repository, image: Image, tag: str, now: int) -> DeletedImageId:
        images.delete_tag(tx, repository.id, tag)
        react(tx, self._reactions.tag_deleted, TagDeleted(repository, image.digest, tag, image, now, self._origin))
        return DeletedImageId(image.digest, tag)

    def _delete(self, tx: Transaction, repository: Repository, image: Image, now: int) -> list[DeletedImageId]:
        parents = images.parents_of(tx, image.id)
        if parents:
            raise ImageReferencedByIndex(parents=", ".join(parents))
        tags = images.tags_of(tx, image.id)
        deleted_images.keep(tx, repository.registry, repository.name, [image.id], now)
        images.delete(tx, image.id)
        change = ImageDeleted(repository, image.digest, tuple(tags), image, now, self._origin)
        react(tx, self._reactions.image_deleted, change)
        return [DeletedImageId(image.digest, tag) for tag in tags or (None,)]


def _find_layers(
    tx: Transaction, repository: Repository, push: Push
) -> tuple[list[tuple[Blob, str]], list[tuple[str, str]]]:
    """The layers of a manifest: stored ones as (blob, media type), missing ones as (digest, media type).

    Foreign layers can always be missing, others only in a sparse push. Raises LayersNotFound, ManifestInvalid.
    """
    listed = push.manifest.layers
    found = layers.lock_layers(tx, repository.id, (layer.digest for layer in listed))
    missing = [layer for layer in listed if layer.digest not in found]
    needed = [layer.digest for layer in missing if not layer.is_foreign]
    if needed and not push.sparse:
        raise LayersNotFound.for_image(needed, repository.name, repository.registry.account)
    stored = [(layer, found[layer.digest]) for layer in listed if layer.digest in found]
    for layer, blob in stored:
        layer.check(blob.size)
    return [(blob, layer.media_type) for layer, blob in stored], [(each.digest, each.media_type) for each in missing]


def _set_tag(
    tx: Transaction, repository: Repository, tag: Tag, image_id: int, now: int, *, is_marked: bool = False
) -> bool:
    """Make `tag` name the image; False if it already does. Raises ImageTagAlreadyExists for an immutable tag."""
    if images.add_tag(tx, repository.id, tag, image_id, now, is_marked=is_marked):
        return True
    tagged = images.find_tagged(tx, repository.id, tag)
    if tagged is not None and tagged.id == image_id:
        return False
    if tagged is not None and is_immutable(repository.settings, tag):
        raise ImageTagAlreadyExists(tag=tag, repository=repository.name)
    images.move_tag(tx, repository.id, tag, image_id, now)
    return True
