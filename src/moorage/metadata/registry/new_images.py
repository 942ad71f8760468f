"""Insertion of images: all rows of a new image together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from moorage.metadata.database import Transaction
from moorage.metadata.registry import counts
from moorage.metadata.registry.images import ACTIVE, Image

_NO_ANNOTATIONS: Final = "{}"
"""The column `annotations` of `image` is no longer used; the table `image_annotations` has them."""


class NewImage(NamedTuple):
    """The id of a new image, the number of images that its repository has now, and whether the image has the tag."""

    id: int
    number: int
    has_tag: bool


_INSERT_IMAGE: Final = f"""
INSERT INTO image (repository_id, digest, media_type, artifact_type, subject, size, manifest_size, annotations,
    pushed_at, is_tagged)
VALUES (:repository, :digest, :media_type, :artifact_type, :subject, :size, :manifest_size, '{_NO_ANNOTATIONS}',
    :pushed_at, :is_tagged)
RETURNING id
"""
_INSERT_MANIFEST: Final = "INSERT INTO manifest (image_id, body) VALUES (:result_1, :body) RETURNING 1"
_INSERT_ANNOTATIONS: Final = (
    "INSERT INTO image_annotations (image_id, annotations) VALUES (:result_1, :annotations) RETURNING 1"
)
_INSERT_TAG: Final = f"""
INSERT INTO tag (repository_id, name, image_id, tagged_at, image_status)
VALUES (:repository, :tag, :result_1, :pushed_at, '{ACTIVE}') ON CONFLICT (repository_id, name) DO NOTHING RETURNING 1
"""

_LAYERS_AT_ONCE: Final = 16
"""Layers that are inserted together with their image. There is a statement for each number of them."""


def insert(
    tx: Transaction,
    image: Image,
    body: bytes,
    annotations: str = _NO_ANNOTATIONS,
    layers: Sequence[tuple[int, str]] = (),
    tag: str | None = None,
) -> NewImage:
    """Add an image with its manifest, its annotations (a JSON object), its layers and its first tag.

    `layers` are pairs of blob id and media type. The tag is not added if the repository has it already.
    """
    statements = [_INSERT_IMAGE, _INSERT_MANIFEST, counts.ADD_IMAGE]
    if annotations != _NO_ANNOTATIONS:
        statements.append(_INSERT_ANNOTATIONS)
    together = layers if len(layers) <= _LAYERS_AT_ONCE else ()
    if together:
        rows = ", ".join(f"(:result_1, :blob_{number}, :repository, :type_{number})" for number in range(len(layers)))
        columns = "image_id, blob_id, repository_id, media_type"
        statements.append(f"INSERT INTO image_layer ({columns}) VALUES {rows} ON CONFLICT DO NOTHING RETURNING 1")
    if tag is not None:
        statements.append(_INSERT_TAG)
    results = tx.insert_all(
        statements,
        repository=image.repository_id,
        digest=image.digest,
        media_type=image.media_type,
        artifact_type=image.artifact_type,
        subject=image.subject,
        size=image.size,
        manifest_size=image.manifest_size,
        pushed_at=image.pushed_at,
        is_tagged=int(tag is not None),
        body=body,
        annotations=annotations,
        tag=tag,
        **{f"blob_{number}": blob_id for number, (blob_id, _) in enumerate(together)},
        **{f"type_{number}": media_type for number, (_, media_type) in enumerate(together)},
    )
    image_id, number = results[0] or 0, results[2] or 0
    if not together:
        _reference_layers(tx, image_id, image.repository_id, layers)
    return NewImage(image_id, number, tag is not None and results[-1] is not None)


def _reference_layers(tx: Transaction, image_id: int, repository_id: int, layers: Iterable[tuple[int, str]]) -> None:
    """Record the blobs that an image references: pairs of blob id and media type."""
    tx.run_each(
        "INSERT INTO image_layer (image_id, blob_id, repository_id, media_type)"
        " VALUES (:image, :blob, :repository, :media_type) ON CONFLICT DO NOTHING",
        [
            {"image": image_id, "blob": blob_id, "repository": repository_id, "media_type": media_type}
            for blob_id, media_type in layers
        ],
    )
