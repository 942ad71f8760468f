"""The signatures that an image may have: Notation's and cosign's referrers, and cosign's images with a tag."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from moorage.domain.names import Registry
from moorage.domain.registry.manifests import Manifest, parse_manifest
from moorage.domain.signing.envelope import NOTATION_ENVELOPES
from moorage.domain.signing.rules import NOTATION_SIGNATURE
from moorage.domain.signing.verification import BUNDLE, COSIGN_PAYLOAD, COSIGN_SIGNATURE
from moorage.metadata.database import Transaction
from moorage.metadata.registry import images, layers, pulls, repositories
from moorage.metadata.registry.images import Image
from moorage.metadata.registry.layers import Blob
from moorage.metadata.registry.pulls import ReferrerFilter

CANDIDATE_LIMIT: Final = 50
"""Signatures of an image that a pull looks at, the oldest first; and indexes that list it."""

_MANIFEST_LIMIT: Final = 65_536
_CONTENT_LIMIT: Final = 65_536
"""Bytes of a signature's manifest and of what it signs. Real ones have a few thousand."""

_DOCUMENTS_LIMIT: Final = 4 << 20
"""Bytes of all layers of a signature or attestation of cosign 2 that can be pulled without a signature."""

_TYPES: Final = (NOTATION_SIGNATURE, "application/vnd.dev.cosign.artifact.sig.v1+json", BUNDLE)
_SIGNED: Final = NOTATION_ENVELOPES | {COSIGN_PAYLOAD, BUNDLE, "application/vnd.dsse.envelope.v1+json"}
"""The media types of the layers of signatures."""

_IMAGE_CONFIGS: Final = frozenset(
    {
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
        "application/octet-stream",
        "application/json",
        "text/html",
        "",
    }
)
"""Media types of configurations that docker accepts as those of images, with any layers (moby, defaultImageTypes)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A layer of a signature of the image with the digest `subject`. `annotation` is cosign's signature of it."""

    subject: str
    media_type: str
    digest: str
    key: str
    annotation: str


def is_runnable(manifest: Manifest) -> bool:
    """Whether a client could run an image. Everything can be run that is not certainly something else.

    Signatures cannot, because of their layers, nor artifacts that refer to an image and have no configuration of one,
    nor lists of artifacts, such as those under a referrers tag: what they list is checked when it is pulled.
    """
    if manifest.is_index or not manifest.layers:
        return not manifest.children or not all(child.artifact_type for child in manifest.children)
    config, *content = manifest.layers
    if content and all(layer.media_type in _SIGNED for layer in content):
        return False
    has_files = any("layer" in layer.media_type or "rootfs" in layer.media_type for layer in content)
    return manifest.subject is None or config.media_type in _IMAGE_CONFIGS or has_files


def may_be_disguised(manifest: Manifest) -> bool:
    """Whether docker would run what counts as a signature: a signature of cosign 2 has the configuration of an image.

    Then only the bytes of its layers tell: docker looks at them, not at their media types.
    """
    return bool(manifest.layers) and manifest.layers[0].media_type in _IMAGE_CONFIGS


def documents_of(tx: Transaction, registry: Registry, repository: str, manifest: Manifest) -> list[Blob] | None:
    """The layers of what may be a signature; None if they are missing, or more or larger than those of signatures."""
    found = repositories.find(tx, registry, repository)
    digests = {layer.digest for layer in manifest.layers[1:]}
    if found is None or len(digests) > CANDIDATE_LIMIT:
        return None
    blobs = list(layers.find_layers(tx, found.id, digests).values())
    is_usual = len(blobs) == len(digests) and sum(blob.size for blob in blobs) <= _DOCUMENTS_LIMIT
    return blobs if is_usual else None


def candidates_of(tx: Transaction, image_id: int, digest: str) -> list[Candidate]:
    """What may be signatures of an image, or of the indexes that list it."""
    image = images.find_by_id(tx, image_id)
    if image is None:
        return []
    subjects = [digest, *images.parents_of(tx, image_id, limit=CANDIDATE_LIMIT)]
    found = [one for subject in subjects for one in _of_subject(tx, image.repository_id, subject)]
    return found[:CANDIDATE_LIMIT]


def _of_subject(tx: Transaction, repository_id: int, subject: str) -> Iterator[Candidate]:
    for signature in _signatures(tx, repository_id, subject):
        if signature.manifest_size <= _MANIFEST_LIMIT:
            yield from _of_signature(tx, signature, subject)


def _signatures(tx: Transaction, repository_id: int, subject: str) -> Iterable[Image]:
    found = pulls.referrers(tx, repository_id, subject, ReferrerFilter(_TYPES), 0, CANDIDATE_LIMIT)
    named = images.find_all(tx, repository_id, [referrer.digest for referrer in found])
    tagged = images.find_tagged(tx, repository_id, f"{subject.replace(':', '-')}.sig")
    return [*named.values(), *([tagged] if tagged else [])]


def _of_signature(tx: Transaction, signature: Image, subject: str) -> Iterator[Candidate]:
    manifest = parse_manifest(images.manifest_body(tx, signature.id), signature.media_type)
    signed = [layer for layer in manifest.layers[1:] if layer.media_type in _SIGNED]
    blobs = layers.find_layers(tx, signature.repository_id, [layer.digest for layer in signed])
    for layer in signed:
        blob = blobs.get(layer.digest)
        if blob is not None and blob.size <= _CONTENT_LIMIT:
            annotation = (layer.annotations or {}).get(COSIGN_SIGNATURE, "")
            yield Candidate(subject, layer.media_type, layer.digest, blob.key, annotation)
