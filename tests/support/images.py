"""Small images for tests, with the same bytes in each run."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"

_CREATED = "2026-01-01T00:00:00Z"


class Blob(NamedTuple):
    """Bytes with their digest. `diff_id` is the digest of a layer before compression."""

    content: bytes
    media_type: str
    diff_id: str = ""

    @property
    def digest(self) -> str:
        return digest(self.content)

    @property
    def descriptor(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content)}


class Image(NamedTuple):
    """A manifest and its blobs: first the configuration, then the layers."""

    manifest: Blob
    blobs: tuple[Blob, ...]


def digest(content: bytes, algorithm: str = "sha256") -> str:
    """The digest of these bytes, with the name of its algorithm."""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def layer(content: bytes | int = 1_000, seed: int = 0, *, docker: bool = False) -> Blob:
    """A gzipped tar of one file: with this content, or with this number of bytes that `seed` determines."""
    noise = random.Random(seed).randbytes(content) if isinstance(content, int) else content
    member = tarfile.TarInfo(f"file-{seed}")
    member.size = len(noise)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(member, io.BytesIO(noise))
    packed = gzip.compress(archive.getvalue(), compresslevel=1, mtime=0)
    return Blob(packed, DOCKER_LAYER if docker else OCI_LAYER, digest(archive.getvalue()))


def image(
    layers: Sequence[Blob] = (),
    config: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    docker: bool = False,
    extra: Mapping[str, Any] | None = None,
) -> Image:
    """An image of these layers, or of one small layer that `seed` determines.

    `config` adds members to the image's configuration, `extra` to its manifest (`subject`, `annotations`).
    """
    layers = tuple(layers) or (layer(seed=seed, docker=docker),)
    described = _configuration(layers) | dict(config or {})
    configuration = Blob(_json(described), DOCKER_CONFIG if docker else OCI_CONFIG)
    media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": configuration.descriptor,
        "layers": [blob.descriptor for blob in layers],
        **(extra or {}),
    }
    return Image(Blob(_json(manifest), media_type), (configuration, *layers))


def index(images: Sequence[Image], *, docker: bool = False, extra: Mapping[str, Any] | None = None) -> Image:
    """An index of these images, each for another architecture. It has no blobs: push its images first."""
    architectures = ("amd64", "arm64", "riscv64", "s390x", "ppc64le")
    media_type = DOCKER_LIST if docker else OCI_INDEX
    listed = [
        {**one.manifest.descriptor, "platform": {"os": "linux", "architecture": architecture}}
        for one, architecture in zip(images, architectures, strict=False)
    ]
    assert len(listed) == len(images), "more images than architectures"
    manifest = {"schemaVersion": 2, "mediaType": media_type, "manifests": listed, **(extra or {})}
    return Image(Blob(_json(manifest), media_type), ())


def write_layout(folder: Path, one: Image, tag: str = "latest", *, children: Sequence[Image] = ()) -> Path:
    """Write an OCI image layout, from which skopeo, podman, buildah and crane push (`oci:FOLDER:TAG`).

    `children` are the images that `one`, an index, lists.
    """
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    for blob in (part for each in (one, *children) for part in (each.manifest, *each.blobs)):
        (blobs / blob.digest.removeprefix("sha256:")).write_bytes(blob.content)
    named = {**one.manifest.descriptor, "annotations": {"org.opencontainers.image.ref.name": tag}}
    (folder / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))
    (folder / "index.json").write_bytes(_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [named]}))
    return folder


def write_directory(folder: Path, one: Image) -> Path:
    """Write skopeo's own format (`dir:FOLDER`), the only one that keeps Docker manifests byte for byte."""
    folder.mkdir(parents=True)
    (folder / "version").write_text("Directory Transport Version: 1.1\n")
    (folder / "manifest.json").write_bytes(one.manifest.content)
    for blob in one.blobs:
        (folder / blob.digest.removeprefix("sha256:")).write_bytes(blob.content)
    return folder


def artifact(content: bytes, media_type: str = "application/vnd.example.note") -> Image:
    """An OCI artifact: one blob that is not a file system layer, and the empty configuration of image-spec."""
    empty = Blob(b"{}", OCI_EMPTY)
    body = Blob(content, media_type)
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": media_type,
        "config": empty.descriptor,
        "layers": [body.descriptor],
    }
    return Image(Blob(_json(manifest), OCI_MANIFEST), (empty, body))


def write_docker_archive(path: Path, one: Image, name: str) -> Path:
    """Write the tar file that `docker load` reads. `name` is the repository with the tag."""
    configuration, *layers = one.blobs
    described = {
        "Config": "config.json",
        "RepoTags": [name],
        "Layers": [f"{position}.tar" for position in range(len(layers))],
    }
    files = {"config.json": configuration.content, "manifest.json": _json([described])}
    files |= {f"{position}.tar": gzip.decompress(blob.content) for position, blob in enumerate(layers)}
    with tarfile.open(path, mode="w") as tar:
        for file, content in files.items():
            member = tarfile.TarInfo(file)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def _configuration(layers: Sequence[Blob]) -> dict[str, Any]:
    return {
        "architecture": "amd64",
        "os": "linux",
        "created": _CREATED,
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [blob.diff_id for blob in layers]},
        "history": [{"created": _CREATED, "created_by": "test"} for _ in layers],
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
