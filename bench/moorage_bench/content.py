"""Layers and images to push: new in every round, with digests that are computed in advance.

All layers of a run share one random block of 1 MiB, which stays in the processor's cache and costs the client nothing.
Only the last block of a layer is unique. The state of the hash after the shared blocks is kept, so a digest costs one
block, and none is computed while the clock runs.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
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
    """Sizes (bytes), durations (seconds) and counts of the workloads.

    `zb_layers` is the number of layers of 1 MB in a round of the workloads of zb; a round has fewer of larger ones.
    """

    large: int = 1024 * MIB
    parallel: int = 100 * MIB
    memory: int = 256 * MIB
    seconds: float = 3.0
    images: int = 400
    parts: int = 10
    part: int = 10 * MIB
    tags: int = 1_000_000
    megabyte: int = MIB
    zb_layers: int = 64
    connections: int = 1000
    names: int = 100
    requests: int = 4000


FULL = Scale()
QUICK = Scale(
    large=64 * MIB,
    parallel=8 * MIB,
    memory=16 * MIB,
    seconds=1.0,
    images=80,
    parts=3,
    tags=10_000,
    zb_layers=8,
    connections=200,
    names=20,
    requests=400,
)


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
        self._wire = memoryview(_chunks(self._block))
        self._states = [hashlib.sha256()]
        self._shared: dict[tuple[int, int], Image] = {}

    def layer(self, size: int, framing: Framing | None = None) -> Layer:
        """A new layer of `size` bytes, in the framing of the run unless another one is given."""
        shared = (size - 1) // MIB
        rest = size - shared * MIB
        last = (os.urandom(min(32, rest)) + self._block[32:rest])[:rest]
        state = self._state(shared)
        state.update(last)
        if (framing or self.framing) == "length":
            return _with_length(size, state.hexdigest(), (*[memoryview(self._block)] * shared, memoryview(last)))
        return _in_chunks(size, state.hexdigest(), (*[self._wire] * shared, memoryview(_chunks(last))))

    def blob(self, data: bytes, framing: Framing | None = None) -> Layer:
        """A layer of exactly these bytes."""
        digest = hashlib.sha256(data).hexdigest()
        if (framing or self.framing) == "length":
            return _with_length(len(data), digest, (memoryview(data),))
        return _in_chunks(len(data), digest, (memoryview(_chunks(data)),))

    def image(self, layers: Sequence[Layer] = (), framing: Framing | None = None) -> Image:
        """A new image of these layers, by default five new ones of 4 KiB, and a config of about 4 KiB."""
        layers = layers or [self.layer(SMALL) for _ in range(5)]
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": {"bench": os.urandom(1820).hex()}},
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
        }
        config_blob = self.blob(msgspec.json.encode(config), framing)
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": _descriptor(config_blob, "application/vnd.oci.image.config.v1+json"),
            "layers": [_descriptor(layer, "application/vnd.oci.image.layer.v1.tar+gzip") for layer in layers],
        }
        manifest = msgspec.json.encode(document)
        return Image((*layers, config_blob), manifest, "sha256:" + hashlib.sha256(manifest).hexdigest())

    def shared_image(self, size: int, number: int = 0) -> Image:
        """The image with one layer of this size that all rounds read; there are several with different numbers."""
        if (size, number) not in self._shared:
            self._shared[size, number] = self.image([self.layer(size)])
        return self._shared[size, number]

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


def _with_length(size: int, digest: str, blocks: tuple[memoryview, ...]) -> Layer:
    return Layer(size, f"sha256:{digest}", f"Content-Length: {size}\r\n", blocks)


def _in_chunks(size: int, digest: str, blocks: tuple[memoryview, ...]) -> Layer:
    last = memoryview(b"0\r\n\r\n")
    return Layer(size, f"sha256:{digest}", "Transfer-Encoding: chunked\r\n", (*blocks, last))


def _chunks(data: bytes) -> bytes:
    pieces = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


def _descriptor(layer: Layer, media_type: str) -> dict[str, str | int]:
    return {"mediaType": media_type, "digest": layer.digest, "size": layer.size}
