"""Layers and images to push: new in every round, with digests that are computed in advance.

All layers of a run share one random block of 1 MiB, which stays in the processor's cache and costs the client nothing.
Only the last block of a layer is unique. The state of the hash after the shared blocks is kept, so a digest costs one
block, and none is computed while the clock runs.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import msgspec

MIB = 1 << 20
CHUNK = 32 * 1024
"""Bytes in one chunk of a chunked body: the buffer of Go's `io.Copy`, which docker and crane use."""

SMALL = 4096
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
Framing = Literal["chunked", "length"]


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes (bytes), durations (seconds) and counts of the workloads."""

    large: int = 1024 * MIB
    parallel: int = 100 * MIB
    memory: int = 256 * MIB
    seconds: float = 3.0
    images: int = 400
    parts: int = 10
    part: int = 10 * MIB
    tags: int = 1_000_000


FULL = Scale()
QUICK = Scale(large=64 * MIB, parallel=8 * MIB, memory=16 * MIB, seconds=1.0, images=80, parts=3, tags=10_000)


@dataclass(frozen=True, slots=True)
class Layer:
    """A blob as it is sent: `body` contains the framing that `header` announces."""

    size: int
    digest: str
    header: str
    body: tuple[memoryview, ...]


@dataclass(frozen=True, slots=True)
class Image:
    """Blobs, the config last, and the manifest that lists them."""

    blobs: tuple[Layer, ...]
    manifest: bytes
    digest: str


class Content:
    """Makes the layers and images of one run."""

    def __init__(self, scale: Scale, framing: Framing = "chunked") -> None:
        self.scale = scale
        self.framing = framing
        self._block = os.urandom(MIB)
        self._wire = memoryview(self._frame(self._block))
        self._states = [hashlib.sha256()]

    def layer(self, size: int) -> Layer:
        """A new layer of `size` bytes."""
        shared = (size - 1) // MIB
        rest = size - shared * MIB
        last = (os.urandom(min(32, rest)) + self._block[32:rest])[:rest]
        state = self._state(shared)
        state.update(last)
        return self._layer(size, state.hexdigest(), (*[self._wire] * shared, memoryview(self._frame(last))))

    def blob(self, data: bytes) -> Layer:
        """A layer of exactly these bytes."""
        return self._layer(len(data), hashlib.sha256(data).hexdigest(), (memoryview(self._frame(data)),))

    def image(self) -> Image:
        """A new image of five layers and a config, each about 4 KiB."""
        layers = [self.layer(SMALL) for _ in range(5)]
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": {"bench": os.urandom(1820).hex()}},
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
        }
        blobs = (*layers, self.blob(msgspec.json.encode(config)))
        manifest = msgspec.json.encode(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": _descriptor(blobs[-1], "application/vnd.oci.image.config.v1+json"),
                "layers": [_descriptor(layer, "application/vnd.oci.image.layer.v1.tar+gzip") for layer in layers],
            }
        )
        return Image(blobs, manifest, "sha256:" + hashlib.sha256(manifest).hexdigest())

    @cached_property
    def large(self) -> Layer:
        """The large layer, which the warm-up pushes and the pull workloads pull."""
        return self.layer(self.scale.large)

    @cached_property
    def small(self) -> Image:
        """The image that the read workloads read."""
        return self.image()

    @cached_property
    def part(self) -> bytes:
        """The bytes of every part of an ECR upload except the first."""
        return (self._block * (-(-self.scale.part // MIB)))[: self.scale.part]

    def first_part(self) -> bytes:
        """A new first part, so that the whole layer is new."""
        return os.urandom(32) + self.part[32:]

    def _state(self, shared: int) -> hashlib._Hash:
        while len(self._states) <= shared:
            state = self._states[-1].copy()
            state.update(self._block)
            self._states.append(state)
        return self._states[shared].copy()

    def _layer(self, size: int, digest: str, blocks: tuple[memoryview, ...]) -> Layer:
        if self.framing == "length":
            return Layer(size, f"sha256:{digest}", f"Content-Length: {size}\r\n", blocks)
        return Layer(size, f"sha256:{digest}", "Transfer-Encoding: chunked\r\n", (*blocks, memoryview(b"0\r\n\r\n")))

    def _frame(self, data: bytes) -> bytes:
        if self.framing == "length":
            return data
        pieces = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]
        return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


def _descriptor(layer: Layer, media_type: str) -> dict[str, str | int]:
    return {"mediaType": media_type, "digest": layer.digest, "size": layer.size}
