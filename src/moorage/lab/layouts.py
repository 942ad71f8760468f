"""Images in OCI image layouts: what a seed pushes, checked before it changes anything (image-spec, "Image Layout")."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from moorage.domain import strict_json
from moorage.domain.errors import Refusal
from moorage.domain.names import Digest
from moorage.domain.ports import CHUNK_BYTES
from moorage.domain.registry.manifests import Descriptor, Manifest, parse_manifest
from moorage.domain.strict_json import BadJson

REFERENCE: Final = "org.opencontainers.image.ref.name"
_LARGEST_MANIFEST: Final = 4 << 20
_MOST_MANIFESTS: Final = 1_000


class BadLayout(Exception):
    """The folder is not a whole layout, or does not have the image."""


class _Index(msgspec.Struct):
    """The file index.json of a layout."""

    manifests: list[Descriptor] = []


@dataclass(frozen=True, slots=True)
class LayoutImage:
    """A manifest as bytes and parsed, and the files of its blobs by digest."""

    body: bytes
    manifest: Manifest
    blobs: dict[str, Path]


def read(folder: Path, reference: str | None) -> list[LayoutImage]:
    """The images of a layout with a reference, or of its only one: children before the index that lists them.

    All bytes are compared with their digests. Raises BadLayout, OSError.
    """
    top = _top(folder, reference)
    found: list[LayoutImage] = []
    for image in _with_children(folder, top):
        found.append(image)
        if len(found) > _MOST_MANIFESTS:
            raise BadLayout(f"it has more than {_MOST_MANIFESTS} manifests")
    return found


def _top(folder: Path, reference: str | None) -> Descriptor:
    if not (folder / "oci-layout").is_file():
        raise BadLayout(f"{folder} is not an OCI image layout: it has no file oci-layout")
    try:
        listed = strict_json.read_as(_Index, (folder / "index.json").read_bytes()).manifests
    except BadJson as error:
        raise BadLayout(f"index.json: {error}") from None
    named = [one for one in listed if reference is None or (one.annotations or {}).get(REFERENCE) == reference]
    if len(named) != 1:
        which = "without a reference" if reference is None else f"with the reference {reference!r}"
        raise BadLayout(f"{folder} has {len(named)} images {which}: one is needed")
    return named[0]


def _with_children(folder: Path, descriptor: Descriptor) -> Iterator[LayoutImage]:
    file = _verified(folder, descriptor)
    if descriptor.size > _LARGEST_MANIFEST:
        raise BadLayout(f"{descriptor.digest} is too large for a manifest")
    body = file.read_bytes()
    try:
        manifest = parse_manifest(body, descriptor.media_type)
    except Refusal as error:
        raise BadLayout(f"{descriptor.digest}: {error}") from None
    for child in manifest.children:  # Digests cannot form a cycle.
        yield from _with_children(folder, child)
    blobs = {layer.digest: _verified(folder, layer) for layer in manifest.layers if not layer.is_foreign}
    yield LayoutImage(body, manifest, blobs)


def _verified(folder: Path, descriptor: Descriptor) -> Path:
    """The file with these bytes. Raises BadLayout."""
    try:
        digest = Digest.parse(descriptor.digest)
    except Refusal:
        raise BadLayout(f"{descriptor.digest[:100]!r} is not a digest") from None
    algorithm, _, encoded = digest.partition(":")
    file = folder / "blobs" / algorithm / encoded
    if not file.is_file():
        raise BadLayout(f"the blob {digest} is missing")
    if file.stat().st_size != descriptor.size:
        raise BadLayout(f"the blob {digest} has {file.stat().st_size} bytes, not {descriptor.size}")
    hashed = hashlib.new(algorithm)
    with file.open("rb") as content:
        while chunk := content.read(CHUNK_BYTES):
            hashed.update(chunk)
    if hashed.hexdigest() != encoded:
        raise BadLayout(f"the blob {digest} is damaged")
    return file
