"""Parsing of manifests: their kind, references and size. The bytes are never rewritten.

Media types: OCI image-spec (manifest.md, image-index.md, media-types.md) and Docker image manifest V2, schema 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from moorage.domain import strict_json
from moorage.domain.errors import DigestInvalid, InvalidParameter, ManifestInvalid
from moorage.domain.names import Digest
from moorage.domain.strict_json import BadJson

MANIFEST_LIMIT: Final = 4_194_304
"""Maximum size of a manifest in bytes: the limit of PutImage, and the minimum that the distribution-spec requires."""

_DESCRIPTOR_LIMIT: Final = 10_000

DOCKER_IMAGE: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_IMAGE: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"

IMAGE_TYPES: Final = frozenset({DOCKER_IMAGE, OCI_IMAGE})
INDEX_TYPES: Final = frozenset({DOCKER_INDEX, OCI_INDEX})


class _Platform(msgspec.Struct, frozen=True):
    architecture: str | None = None
    os: str | None = None
    variant: str | None = None
    os_version: str | None = msgspec.field(default=None, name="os.version")
    os_features: list[str] | None = msgspec.field(default=None, name="os.features")
    features: list[str] | None = None


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    """A reference to content by digest (image-spec, descriptor.md).

    Members that we do not use are here because clients use them: a name in another case or a wrong type is refused.
    """

    media_type: str
    digest: str
    size: int
    urls: list[str] | None = None
    artifact_type: str | None = None
    annotations: dict[str, str] | None = None
    data: bytes | None = None
    platform: _Platform | None = None

    @property
    def is_foreign(self) -> bool:
        """Whether a registry need not have the layer: Docker's foreign and OCI's non-distributable layers."""
        return "foreign" in self.media_type or "nondistributable" in self.media_type

    def check(self, size: int, media_type: str | None = None) -> None:
        """Compare the descriptor with the content that is stored under its digest.

        Clients refuse content that differs from its descriptor (image-spec, descriptor.md: "If the length of the
        retrieved content does not match the specified length, the content SHOULD NOT be trusted"), so nobody could
        pull such an image. `media_type` is that of a manifest; layers are stored without one. Raises ManifestInvalid.
        """
        if self.size != size:
            raise ManifestInvalid(f"it gives {self.digest} a size of {self.size} bytes, but {size} bytes are stored")
        if media_type is not None and self.media_type != media_type:
            raise ManifestInvalid(f"it lists {self.digest} as {self.media_type!r}, but it is {media_type!r}")


class _Document(msgspec.Struct, rename="camel"):
    schema_version: int
    media_type: str | None = None
    artifact_type: str | None = None
    config: Descriptor | None = None
    layers: list[Descriptor] | None = None
    manifests: list[Descriptor] | None = None
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None
    fs_layers: Any = None
    history: Any = None
    """Members of schema 1 manifests, which clients take for one of these (CVE-2021-41190)."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A parsed manifest. `layers` are the blobs it needs, config first; `children` the manifests it lists."""

    media_type: str
    artifact_type: str | None
    layers: tuple[Descriptor, ...]
    children: tuple[Descriptor, ...]
    subject: Digest | None
    annotations: dict[str, str]

    @property
    def is_index(self) -> bool:
        return self.media_type in INDEX_TYPES

    @property
    def number_of_layers(self) -> int:
        """The number of layers without the config. An index has none."""
        return max(len(self.layers) - 1, 0)

    def require_layers(self) -> None:
        """Raise InvalidParameter, as PutImage does (werf/werf#2544), for an image without layers.

        The registry endpoint accepts such images: OCI artifacts have none, and the image-spec allows it.
        """
        if not self.is_index and self.number_of_layers == 0:
            raise InvalidParameter(parameter="ImageManifest", constraint="Image has to have at least 1 layer")


def parse_manifest(body: bytes, media_type: str | None) -> Manifest:
    """Read a manifest. `media_type` is the client's claim (Content-Type, imageManifestMediaType).

    Raises ManifestInvalid for a body that is not JSON, is not of an accepted kind, or is ambiguous (CVE-2021-41190:
    the same bytes must not be an image here and an index elsewhere).
    """
    document = _decode(body)
    kind = _media_type(document, media_type)
    manifest = _image(document, kind) if kind in IMAGE_TYPES else _index(document, kind)
    _check_descriptors(manifest)
    return manifest


def claimed_type(body: bytes) -> str | None:
    """The media type of a manifest that came without one, as OCI manifests need not name theirs; None if it does.

    Raises ManifestInvalid.
    """
    document = _decode(body)
    if document.media_type is not None:
        return None
    return OCI_IMAGE if document.manifests is None else OCI_INDEX


def _decode(body: bytes) -> _Document:
    try:
        return strict_json.read_as(_Document, body)
    except BadJson as error:
        raise ManifestInvalid(str(error)) from None


def _media_type(document: _Document, claimed: str | None) -> str:
    claimed = claimed.partition(";")[0].strip() if claimed else None
    if document.schema_version != 2 or document.fs_layers is not None or document.history is not None:
        raise ManifestInvalid("schema 1 manifests are not accepted: push with a current client")
    if document.media_type is not None and claimed is not None and document.media_type != claimed:
        raise ManifestInvalid(f"its mediaType is {document.media_type!r}, but it was sent as {claimed!r}")
    kind = document.media_type or claimed
    if kind not in IMAGE_TYPES | INDEX_TYPES:
        raise ManifestInvalid(f"{kind!r} is not the media type of an image manifest or index")
    return kind


def _image(document: _Document, kind: str) -> Manifest:
    if document.config is None or document.layers is None:
        raise ManifestInvalid("an image manifest needs config and layers")
    if document.manifests is not None:
        raise ManifestInvalid("it has both layers and manifests")
    return Manifest(
        media_type=kind,
        artifact_type=_artifact_type(document),
        layers=(document.config, *document.layers),
        children=(),
        subject=_subject(document),
        annotations=document.annotations or {},
    )


def _index(document: _Document, kind: str) -> Manifest:
    if document.manifests is None:
        raise ManifestInvalid("an index needs manifests")
    if document.layers is not None or document.config is not None:
        raise ManifestInvalid("it has both layers and manifests")
    return Manifest(
        media_type=kind,
        artifact_type=document.artifact_type,
        layers=(),
        children=tuple(document.manifests),
        subject=_subject(document),
        annotations=document.annotations or {},
    )


def _artifact_type(document: _Document) -> str | None:
    """distribution-spec, "Listing Referrers": the manifest's artifactType, else its config's media type."""
    config = document.config.media_type if document.config else None
    return document.artifact_type or config


def _subject(document: _Document) -> Digest | None:
    if document.subject is None:
        return None
    try:
        return Digest.parse(document.subject.digest)
    except DigestInvalid as error:
        raise ManifestInvalid(str(error)) from None


def _check_descriptors(manifest: Manifest) -> None:
    descriptors = manifest.layers + manifest.children
    if len(descriptors) > _DESCRIPTOR_LIMIT:
        raise ManifestInvalid(f"it has more than {_DESCRIPTOR_LIMIT} descriptors")
    for descriptor in descriptors:
        if descriptor.size < 0:
            raise ManifestInvalid("a descriptor has a negative size")
        try:
            Digest.parse(descriptor.digest)
        except DigestInvalid as error:
            raise ManifestInvalid(str(error)) from None
