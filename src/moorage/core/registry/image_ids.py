"""Image identifiers of the API, and how they resolve to images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moorage.domain.errors import TagInvalid
from moorage.domain.names import Tag
from moorage.domain.registry.errors import ImageNotFound
from moorage.metadata.database import Transaction
from moorage.metadata.registry import images
from moorage.metadata.registry.images import Image, StoredManifest
from moorage.metadata.registry.repositories import Repository


@dataclass(frozen=True, slots=True)
class ImageId:
    """An image by digest, by tag, or by both, which must then match (API reference, ImageIdentifier)."""

    digest: str | None = None
    tag: str | None = None


class ImageFailure(Exception):
    """The failure of one image in a batch; `code` and `reason` as in the API reference, ImageFailure."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


_DIGEST_REASON: Final = (
    "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
)
_TAG_REASON: Final = (
    "Invalid request parameters: image tag should satisfy the regex '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'"
)
"""By analogy: no response of ECR with InvalidImageTag was captured."""


def resolve(tx: Transaction, repository: Repository, image_id: ImageId) -> Image:
    """The image with an identifier, in a batch. Raises ImageFailure."""
    if image_id.digest is None and image_id.tag is None:
        raise ImageFailure("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null")
    if image_id.digest is not None and not _looks_like_digest(image_id.digest):
        raise ImageFailure("InvalidImageDigest", _DIGEST_REASON)
    if image_id.tag is not None and not _is_tag(image_id.tag):
        raise ImageFailure("InvalidImageTag", _TAG_REASON)
    image = _find(tx, repository, image_id)
    if image is None:
        raise ImageFailure("ImageNotFound", "Requested image not found")
    if image_id.digest is not None and image.digest != image_id.digest:
        reason = "Invalid request parameters: given tag does not map to the given digest"
        raise ImageFailure("ImageTagDoesNotMatchDigest", reason)
    return image


def resolve_active(tx: Transaction, repository: Repository, image_id: ImageId) -> Image:
    """Like `resolve`, but an archived image fails, too, because it cannot be pulled. Raises ImageFailure.

    The code ImageInaccessible and its reason are by analogy.
    """
    image = resolve(tx, repository, image_id)
    if image.is_archived:
        raise ImageFailure("ImageInaccessible", "Requested image is archived")
    return image


def get(tx: Transaction, repository: Repository, image_id: ImageId) -> Image:
    """The image with an identifier, for operations on one image. Raises ImageNotFound."""
    try:
        return resolve(tx, repository, image_id)
    except ImageFailure:
        raise ImageNotFound(
            digest=image_id.digest or "null",
            tag=image_id.tag or "null",
            repository=repository.name,
            registry=repository.registry.account,
        ) from None


def stored_manifest(tx: Transaction, image: Image) -> StoredManifest:
    """The manifest of an image, with the bytes that were pushed."""
    body = images.manifest_body(tx, image.id)
    return StoredManifest(image.digest, image.media_type, body, image.id, image.last_pulled_at)


def _find(tx: Transaction, repository: Repository, image_id: ImageId) -> Image | None:
    if image_id.tag is not None:
        return images.find_tagged(tx, repository.id, image_id.tag)
    return images.find(tx, repository.id, image_id.digest or "")


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
