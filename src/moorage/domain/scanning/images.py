"""Which images can be scanned."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from moorage.domain.registry.manifests import IMAGE_TYPES

CONFIG_TYPES: Final = frozenset(
    {"application/vnd.docker.container.image.v1+json", "application/vnd.oci.image.config.v1+json"}
)
"""The configurations of container images. Artifacts such as Helm charts, signatures and SBOMs have others."""

_COMPANION_TAG: Final = re.compile(r"sha(?:256-[a-f0-9]{64}|512-[a-f0-9]{128})\.[a-z]+", re.ASCII)
"""A tag of cosign (`sha256-….sig`, `.att`, `.sbom`): what it names looks like an image, but has no file system."""

_LAYER: Final = re.compile(r"application/vnd\.(?:oci\.image\.layer|docker\.image\.rootfs)\.", re.ASCII)


def is_scannable(media_type: str, artifact_type: str | None) -> bool:
    """Whether a manifest is that of a container image. A list of images is not: each of its images is."""
    return media_type in IMAGE_TYPES and artifact_type in CONFIG_TYPES


def are_companion_tags(tags: Sequence[str]) -> bool:
    """Whether an image was pushed as the companion of another one, such as its signature."""
    return bool(tags) and all(_COMPANION_TAG.fullmatch(tag) for tag in tags)


def is_file_system(media_type: str) -> bool:
    """Whether a layer with this media type is part of a file system."""
    return _LAYER.match(media_type) is not None
