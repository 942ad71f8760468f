"""Images: push and delete them, and move their tags. Every endpoint ends here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from moorage import failpoints
from moorage.core.limits import Limits
from moorage.core.reactions import ImageDeleted, ImagePushed, Reactions, TagDeleted, react
from moorage.core.registry.image_ids import ImageFailure, ImageId, resolve
from moorage.core.registry.repositories import is_immutable
from moorage.core.registry.storage_classes import StorageClasses
from moorage.domain.errors import (
    ImageAlreadyExists,
    ImageDigestDoesNotMatch,
    ImageReferencedByIndex,
    ImageTagAlreadyExists,
    LayersNotFound,
    ManifestInvalid,
    ManifestNotFound,
    ReferencedImagesNotFound,
)
from moorage.domain.names import Digest, Tag
from moorage.domain.registry.manifests import Manifest
from moorage.metadata.database import LARGEST_INTEGER, Transaction
from moorage.metadata.garbage import deleted_images
from moorage.metadata.registry import images, layers
from moorage.metadata.registry.images import Image
from moorage.metadata.registry.repositories import Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """A manifest that is being pushed: its exact bytes, the parsed manifest, its tags, and the expected digest if any.

    A `sparse` push may name layers and images that the repository does not have.
    """

    body: bytes
    manifest: Manifest
    tags: tuple[Tag, ...]
    digest: Digest | None
    sparse: bool

    def calculated(self) -> str:
        """The digest of the bytes, by the algorithm of the expected digest if there is one."""
        if self.digest is not None and self.digest.algorithm == "sha512":
            return "sha512:" + hashlib.sha512(self.body).hexdigest()
        return "sha256:" + hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True, slots=True)
class DeletedImageId:
    """What a deletion removed: one for each tag, or one without a tag for an untagged image."""

    digest: str
    tag: str | None


class Images:
    """The use cases that change images. Each runs in its caller's transaction, completely or not at all."""

    def __init__(self, limits: Limits, reactions: Reactions) -> None:
        self._limits = limits
        self._reactions = reactions
        self.storage_classes = StorageClasses(reactions)

    # --- Pushing ------------------------------------------------------------------------------------------------

    def put(self, tx: Transaction, repository: Repository, push: Push, now: int) -> str:
        """Store a manifest, let its tags name it, and return its digest.

        Raises ImageDigestDoesNotMatch, ManifestInvalid, LayersNotFound, ReferencedImagesNotFound,
        ImageTagAlreadyExists, LimitExceeded, and ImageAlreadyExists when nothing would change.
        """
        digest = push.calculated()
        if push.digest is not None and push.digest != digest:
            raise ImageDigestDoesNotMatch(
                digest=push.digest, repository=repository.name, registry=repository.registry.account
            )
        known = images.find(tx, repository.id, digest)
        image_id = known.id if known else self._insert(tx, repository, push, digest, now)
        changed = tuple(tag for tag in push.tags if _bind(tx, repository, tag, image_id, now))
        if changed:
            number = images.number_of_tags(tx, image_id) if known else len(changed)
            self._limits.quotas.check("tags_per_image", number)
        if known is not None and known.is_archived:
            self.storage_classes.restore(tx, repository, known, now)
        elif known is not None and not changed:
            raise ImageAlreadyExists(
                digest=digest,
                tag=push.tags[0] if push.tags else "null",
                repository=repository.name,
                registry=repository.registry.account,
            )
        react(tx, self._reactions.image_pushed, ImagePushed(repository, digest, changed, push.manifest, now))
        failpoints.hit("M2")
        return digest

    def _insert(self, tx: Transaction, repository: Repository, push: Push, digest: str, now: int) -> int:
        if push.manifest.size > LARGEST_INTEGER:  # a manifest can claim more than `imageSizeInBytes`, a long, holds
            raise ManifestInvalid("its layers are larger than anything that can be counted")
        blobs, awaited = _needed_layers(tx, repository, push)
        children = self._needed_images(tx, repository, push, now)
        failpoints.hit("M1")
        manifest = push.manifest
        image = Image(
            id=0,
            repository_id=repository.id,
            digest=digest,
            media_type=manifest.media_type,
            artifact_type=manifest.artifact_type or None,
            subject=manifest.subject,
            # ECR shows for a list the largest of its images (ImageDetail.imageSizeInBytes).
            size=images.largest_of(tx, children) if manifest.is_index else manifest.size,
            manifest_size=len(push.body),
            annotations=msgspec.json.encode(manifest.annotations).decode(),
            pushed_at=now,
        )
        image_id, number = images.insert(tx, image, push.body)
        self._limits.quotas.check("images_per_repository", number)
        images.reference_layers(tx, image_id, repository.id, blobs)
        layers.await_layers(tx, image_id, repository.id, awaited)
        images.reference_children(tx, image_id, children)
        return image_id

    def _needed_images(self, tx: Transaction, repository: Repository, push: Push, now: int) -> list[int]:
        """Ids of the images that an index lists; archived ones are restored, or the index could not be pulled."""
        listed = push.manifest.children
        if not listed:
            return []
        found = images.find_all(tx, repository.id, (child.digest for child in listed))
        missing = [child.digest for child in listed if child.digest not in found]
        if missing and not push.sparse:
            raise ReferencedImagesNotFound(
                digests=", ".join(missing), repository=repository.name, registry=repository.registry.account
            )
        for image in found.values():
            if image.is_archived:
                self.storage_classes.restore(tx, repository, image, now)
        return [found[child.digest].id for child in listed if child.digest in found]

    # --- Deleting -----------------------------------------------------------------------------------------------

    def untag(self, tx: Transaction, repository: Repository, tag: str, now: int) -> None:
        """Delete a tag and keep its image (distribution-spec, "Deleting tags"). Raises ManifestNotFound."""
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
        """BatchDeleteImage: what was deleted, and what failed. Indexes are deleted before the images they list."""
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
                deleted.update(dict.fromkeys(self._delete_named(tx, repository, image_id, image, now)))
            except ImageReferencedByIndex as refusal:
                failures.append((image_id, ImageFailure("ImageReferencedByManifestList", str(refusal))))
        return list(deleted), failures

    def _delete_named(
        self, tx: Transaction, repository: Repository, image_id: ImageId, image: Image, now: int
    ) -> list[DeletedImageId]:
        """Delete an image by its digest with all tags; by a tag that tag, and with its last tag the image."""
        tags = images.tags_of(tx, image.id)
        if images.find(tx, image.repository_id, image.digest) is None or (image_id.tag and image_id.tag not in tags):
            return []  # Named twice in one call, which is no error.
        if image_id.tag is None or tags == [image_id.tag]:
            return self._delete(tx, repository, image, now)
        return [self._untag(tx, repository, image, image_id.tag, now)]

    def _untag(self, tx: Transaction, repository: Repository, image: Image, tag: str, now: int) -> DeletedImageId:
        images.delete_tag(tx, repository.id, tag)
        react(tx, self._reactions.tag_deleted, TagDeleted(repository, image.digest, tag, image, now))
        return DeletedImageId(image.digest, tag)

    def _delete(self, tx: Transaction, repository: Repository, image: Image, now: int) -> list[DeletedImageId]:
        parents = images.parents_of(tx, image.id)
        if parents:
            raise ImageReferencedByIndex(parents=", ".join(parents))
        tags = images.tags_of(tx, image.id)
        deleted_images.keep(tx, repository, now, image.id)
        images.delete(tx, image.id)
        react(tx, self._reactions.image_deleted, ImageDeleted(repository, image.digest, tuple(tags), image, now))
        return [DeletedImageId(image.digest, tag) for tag in tags or (None,)]


def _needed_layers(
    tx: Transaction, repository: Repository, push: Push
) -> tuple[list[tuple[int, str]], list[tuple[str, str]]]:
    """The layers of a manifest: ids and media types of those that are here, digests and media types of the others.

    Layers that are kept elsewhere need not be here. Raises LayersNotFound.
    """
    needed = push.manifest.layers
    found = layers.lock_layers(tx, repository.id, (layer.digest for layer in needed))
    missing = [layer.digest for layer in needed if layer.digest not in found and not layer.is_foreign]
    if missing and not push.sparse:
        raise LayersNotFound.for_image(missing, repository.name, repository.registry.account)
    here = [(found[layer.digest].id, layer.media_type) for layer in needed if layer.digest in found]
    return here, [(layer.digest, layer.media_type) for layer in needed if layer.digest not in found]


def _bind(tx: Transaction, repository: Repository, tag: Tag, image_id: int, now: int) -> bool:
    """Let `tag` name the image; False when it does already. Raises ImageTagAlreadyExists."""
    if images.add_tag(tx, repository.id, tag, image_id, now):
        return True
    bound = images.find_tagged(tx, repository.id, tag)
    if bound is not None and bound.id == image_id:
        return False
    if bound is not None and is_immutable(repository.settings, tag):
        raise ImageTagAlreadyExists(tag=tag, repository=repository.name)
    images.move_tag(tx, repository.id, tag, image_id, now)
    return True
