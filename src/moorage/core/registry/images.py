"""Images: put, find, list, delete, and what refers to what. Both doors end here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import msgspec

from moorage import failpoints
from moorage.core.events import record as events
from moorage.core.lifecycle import orphans
from moorage.core.lifecycle import policies as lifecycle
from moorage.core.registry import storage_classes
from moorage.core.registry.repositories import is_immutable
from moorage.domain.errors import (
    ImageAlreadyExists,
    ImageDigestDoesNotMatch,
    ImageNotFound,
    ImageReferencedByIndex,
    ImageTagAlreadyExists,
    LayersNotFound,
    ManifestInvalid,
    ManifestNotFound,
    ReferencedImagesNotFound,
    TagInvalid,
)
from moorage.domain.names import Digest, Tag
from moorage.domain.registry.manifests import Manifest
from moorage.domain.registry.quotas import Quotas
from moorage.metadata.database import Transaction
from moorage.metadata.garbage import deleted_images as trash
from moorage.metadata.registry import images, layers
from moorage.metadata.registry.images import Image, StoredManifest
from moorage.metadata.registry.repositories import Repository

_SIZE_LIMIT = 2**63 - 1
"""What `imageSizeInBytes`, a long, and the database can hold; a manifest may claim more."""


@dataclass(frozen=True, slots=True)
class Push:
    """A manifest on its way in: its exact bytes, what they say, and what the client wants them to be called.

    `sparse` lets it name layers and images that the repository does not have; `quotas` hold for what is there then. The
    repository's lifecycle policy is applied `lifecycle_delay` after it.
    """

    body: bytes
    manifest: Manifest
    tags: tuple[Tag, ...] = ()
    digest: Digest | None = None
    sparse: bool = False
    quotas: Quotas = field(default_factory=Quotas)
    lifecycle_delay: int = lifecycle.DELAY

    def calculated(self) -> str:
        """The digest of the bytes, by the algorithm of the expected digest if there is one."""
        if self.digest is not None and self.digest.algorithm == "sha512":
            return "sha512:" + hashlib.sha512(self.body).hexdigest()
        return "sha256:" + hashlib.sha256(self.body).hexdigest()


def put(tx: Transaction, repository: Repository, push: Push, now: int) -> str:
    """Store a manifest, let its tags name it, and return its digest.

    All or nothing, in the caller's transaction. Raises ImageDigestDoesNotMatch, ManifestInvalid, LayersNotFound,
    ReferencedImagesNotFound, ImageTagAlreadyExists, LimitExceeded, and ImageAlreadyExists when nothing would change.
    """
    digest = push.calculated()
    if push.digest is not None and push.digest != digest:
        raise ImageDigestDoesNotMatch(
            digest=push.digest, repository=repository.name, registry=repository.registry.account
        )
    known = images.find(tx, repository.id, digest)
    image_id = known.id if known else _insert(tx, repository, push, digest, now)
    changed = [tag for tag in push.tags if _bind(tx, repository, tag, image_id, now)]
    if changed:
        number = images.number_of_tags(tx, image_id) if known else len(changed)
        push.quotas.check("tags_per_image", number)
    if known is not None and known.is_archived:
        storage_classes.restore(tx, repository, known, now)
    elif known is not None and not changed:
        raise ImageAlreadyExists(
            digest=digest,
            tag=push.tags[0] if push.tags else "null",
            repository=repository.name,
            registry=repository.registry.account,
        )
    for tag in changed or (None,):
        events.record(tx, events.image_event(repository, events.PUSH, digest, tag, push.manifest, now))
    lifecycle.apply_at(tx, repository.id, now + push.lifecycle_delay)
    failpoints.hit("M2")
    return digest


def _insert(tx: Transaction, repository: Repository, push: Push, digest: str, now: int) -> int:
    if push.manifest.size > _SIZE_LIMIT:
        raise ManifestInvalid("its layers are larger than anything that can be counted")
    blobs, awaited = _needed_layers(tx, repository, push)
    children = _needed_images(tx, repository, push, now)
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
    push.quotas.check("images_per_repository", number)
    images.reference_layers(tx, image_id, repository.id, blobs)
    layers.await_layers(tx, image_id, repository.id, awaited)
    images.reference_children(tx, image_id, children)
    return image_id


def _needed_layers(
    tx: Transaction, repository: Repository, push: Push
) -> tuple[list[tuple[int, str]], list[tuple[str, str]]]:
    """What the manifest needs: ids and media types of blobs that are here, digests and media types of the others.

    Layers kept elsewhere need not be here. Raises LayersNotFound.
    """
    wanted = push.manifest.layers
    found = layers.lock_layers(tx, repository.id, (layer.digest for layer in wanted))
    missing = [layer.digest for layer in wanted if layer.digest not in found and not layer.is_elsewhere]
    if missing and not push.sparse:
        raise LayersNotFound.for_image(missing, repository.name, repository.registry.account)
    here = [(found[layer.digest].id, layer.media_type) for layer in wanted if layer.digest in found]
    return here, [(layer.digest, layer.media_type) for layer in wanted if layer.digest not in found]


def _needed_images(tx: Transaction, repository: Repository, push: Push, now: int) -> list[int]:
    """Ids of all that an index lists; those that are archived are restored, or the index could not be pulled."""
    wanted = push.manifest.children
    if not wanted:
        return []
    found = images.find_all(tx, repository.id, (child.digest for child in wanted))
    missing = [child.digest for child in wanted if child.digest not in found]
    if missing and not push.sparse:
        raise ReferencedImagesNotFound(
            digests=", ".join(missing), repository=repository.name, registry=repository.registry.account
        )
    for image in found.values():
        if image.is_archived:
            storage_classes.restore(tx, repository, image, now)
    return [found[child.digest].id for child in wanted if child.digest in found]


def _bind(tx: Transaction, repository: Repository, tag: Tag, image_id: int, now: int) -> bool:
    """Let `tag` name the image; False when it does already."""
    if images.add_tag(tx, repository.id, tag, image_id, now):
        return True
    bound = images.find_tagged(tx, repository.id, tag)
    if bound is not None and bound.id == image_id:
        return False
    if bound is not None and is_immutable(repository.settings, tag):
        raise ImageTagAlreadyExists(tag=tag, repository=repository.name)
    images.move_tag(tx, repository.id, tag, image_id, now)
    return True


# --- Reading ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ImageId:
    """How the API names an image: by digest, by tag, or by both, which must then agree. Not yet checked."""

    digest: str | None = None
    tag: str | None = None


class ImageFailure(Exception):
    """One image of a batch could not be served; `code` and `reason` as BatchGetImage lists them."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


_DIGEST_REASON = "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
_TAG_REASON = "Invalid request parameters: image tag should satisfy the regex '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'"
"""By analogy: no answer of ECR with InvalidImageTag was captured."""


def resolve(tx: Transaction, repository: Repository, wanted: ImageId) -> Image:
    """The image that an identifier of a batch names. Raises Failed with ECR's code and reason."""
    if wanted.digest is None and wanted.tag is None:
        raise ImageFailure("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null")
    if wanted.digest is not None and not _looks_like_digest(wanted.digest):
        raise ImageFailure("InvalidImageDigest", _DIGEST_REASON)
    if wanted.tag is not None and not _is_tag(wanted.tag):
        raise ImageFailure("InvalidImageTag", _TAG_REASON)
    image = _resolve(tx, repository, wanted)
    if image is None:
        raise ImageFailure("ImageNotFound", "Requested image not found")
    if wanted.digest is not None and image.digest != wanted.digest:
        reason = "Invalid request parameters: given tag does not map to the given digest"
        raise ImageFailure("ImageTagDoesNotMatchDigest", reason)
    return image


def resolve_active(tx: Transaction, repository: Repository, wanted: ImageId) -> Image:
    """`resolve` for a pull, which an archived image refuses. Raises Failed.

    That ImageInaccessible is its code, and its reason, are by analogy.
    """
    image = resolve(tx, repository, wanted)
    if image.is_archived:
        raise ImageFailure("ImageInaccessible", "Requested image is archived")
    return image


def _resolve(tx: Transaction, repository: Repository, wanted: ImageId) -> Image | None:
    if wanted.tag is not None:
        return images.find_tagged(tx, repository.id, wanted.tag)
    return images.find(tx, repository.id, wanted.digest or "")


def _looks_like_digest(text: str) -> bool:
    algorithm, separator, encoded = text.partition(":")
    return bool(
        separator
        and algorithm
        and encoded
        and all(c.isascii() and (c.isalnum() or c in "-_+.") for c in algorithm)
        and all(c in "0123456789abcdefABCDEF" for c in encoded)
    )


def _is_tag(text: str) -> bool:
    try:
        Tag.parse(text)
    except TagInvalid:
        return False
    return True


def get(tx: Transaction, repository: Repository, wanted: ImageId) -> Image:
    """The image that an identifier names, for operations that fail as a whole. Raises ImageNotFound."""
    try:
        return resolve(tx, repository, wanted)
    except ImageFailure:
        raise ImageNotFound(
            digest=wanted.digest or "null",
            tag=wanted.tag or "null",
            repository=repository.name,
            registry=repository.registry.account,
        ) from None


def stored_manifest(tx: Transaction, image: Image) -> StoredManifest:
    """The bytes of an image's manifest, as they were pushed."""
    body = images.manifest_body(tx, image.id)
    return StoredManifest(image.digest, image.media_type, body, image.id, image.last_pulled_at)


# --- Deleting ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeletedImage:
    """A pair that a deletion took away: one for each tag, or one without a tag."""

    digest: str
    tag: str | None


def untag(tx: Transaction, repository: Repository, tag: str, now: int) -> None:
    """Remove a tag only, as the distribution-spec has it. Raises ManifestNotFound."""
    image = images.find_tagged(tx, repository.id, tag)
    if image is None:
        raise ManifestNotFound
    _untag(tx, repository, image, tag, now)


def delete(tx: Transaction, repository: Repository, digest: str, now: int) -> list[DeletedImage]:
    """Remove an image and its tags. Raises ManifestNotFound, ImageReferencedByIndex."""
    image = images.find(tx, repository.id, digest)
    if image is None:
        raise ManifestNotFound
    return _delete(tx, repository, image, now)


def delete_batch(
    tx: Transaction, repository: Repository, wanted: list[ImageId], now: int
) -> tuple[list[DeletedImage], list[tuple[ImageId, ImageFailure]]]:
    """BatchDeleteImage: what was removed, and what could not be. Indexes go before the images they list."""
    removed: dict[DeletedImage, None] = {}
    failures: list[tuple[ImageId, ImageFailure]] = []
    found: list[tuple[ImageId, Image]] = []
    for item in wanted:
        try:
            found.append((item, resolve(tx, repository, item)))
        except ImageFailure as failure:
            failures.append((item, failure))
    for item, image in sorted(found, key=lambda pair: -pair[1].id):  # An index is always younger than its children.
        try:
            removed.update(dict.fromkeys(_delete_item(tx, repository, item, image, now)))
        except ImageReferencedByIndex as refusal:
            failures.append((item, ImageFailure("ImageReferencedByManifestList", str(refusal))))
    return list(removed), failures


def _delete_item(tx: Transaction, repository: Repository, item: ImageId, image: Image, now: int) -> list[DeletedImage]:
    """By digest the image goes with all its tags; by tag that tag goes, and with its last tag the image."""
    tags = images.tags_of(tx, image.id)
    if images.find(tx, image.repository_id, image.digest) is None or (item.tag and item.tag not in tags):
        return []  # Named twice in one call, which is no error.
    if item.tag is None or tags == [item.tag]:
        return _delete(tx, repository, image, now)
    return [_untag(tx, repository, image, item.tag, now)]


def _untag(tx: Transaction, repository: Repository, image: Image, tag: str, now: int) -> DeletedImage:
    images.delete_tag(tx, repository.id, tag)
    events.record(tx, events.image_event(repository, events.DELETE, image.digest, tag, image, now))
    return DeletedImage(image.digest, tag)


def _delete(tx: Transaction, repository: Repository, image: Image, now: int) -> list[DeletedImage]:
    parents = images.parents_of(tx, image.id)
    if parents:
        raise ImageReferencedByIndex(parents=", ".join(parents))
    removed = [DeletedImage(image.digest, tag) for tag in images.tags_of(tx, image.id)] or [
        DeletedImage(image.digest, None)
    ]
    trash.keep(tx, repository, now, image.id)
    images.delete(tx, image.id)
    for pair in removed:
        events.record(tx, events.image_event(repository, events.DELETE, pair.digest, pair.tag, image, now))
    orphans.leave(tx, repository.id, image.digest, now)
    return removed
