"""The workloads of `zb`, the benchmark of zot: pushes and pulls of images with one layer of 1, 10 or 100 MB.

Its sizes, its two ways to push and its mix are kept
(https://zotregistry.dev/latest/articles/benchmarking-with-zb/). Two things differ: every push has new data, and the
number of images depends on their size, so that a round takes about a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from moorage_bench.connections import Conversation, Request, drive
from moorage_bench.content import Framing, Image, Layer, Scale
from moorage_bench.targets import DOCKER, Target
from moorage_bench.workloads.layers import has_blob
from moorage_bench.workloads.pushes import one_by_one, push_layer, push_whole_layer, put_manifest
from moorage_bench.workloads.stages import Measurement, Stage, Workload, bytes_a_second

REPOSITORY = "bench/zb"
CONNECTIONS = 4
SIZES = (1, 10, 100)
"""Megabytes of a layer. As in zb, a megabyte is 1 MiB."""

PULLS, PUSHES = 3, 1
"""The mix of pulls and pushes: 75 % and 25 %."""

Way = Literal["whole", "streamed"]


def zb_workloads() -> Iterator[Workload]:
    """Pushes in both ways, pulls, and a mix of pulls and streamed pushes, for each size."""
    kinds = {f"zb-push-{size}mb-{way}": Mix(size, 0, PUSHES, way) for size in SIZES for way in ("whole", "streamed")}
    kinds |= {f"zb-pull-{size}mb": Mix(size, PULLS, 0) for size in SIZES}
    kinds |= {f"zb-mixed-{size}mb": Mix(size, PULLS, PUSHES) for size in SIZES}
    for name, mix in kinds.items():
        yield Workload(name, "MiB/s", (DOCKER,), mix.prepare, mix.measure, mix.stored)


@dataclass(frozen=True, slots=True)
class Mix:
    """How many pulls and pushes follow each other, with layers of one size."""

    megabytes: int
    pulls: int
    pushes: int
    way: Way = "streamed"

    def prepare(self, stage: Stage) -> None:
        """Push the layer that is pulled."""
        stage.target.ensure_repository(REPOSITORY)
        layer = self._pulled(stage)
        if self.pulls and not has_blob(stage.target, REPOSITORY, layer):
            drive(stage.target.address, [push_layer(stage.target, REPOSITORY, layer)])

    def measure(self, stage: Stage) -> Measurement:
        """Pull and push in turn on four connections; each takes the next operation."""
        operations = iter(self._operations(stage))
        count = self._count(stage.content.scale)
        outcome = drive(stage.target.address, [one_by_one(operations) for _ in range(CONNECTIONS)])
        return bytes_a_second(count * self._size(stage.content.scale), outcome)

    def stored(self, scale: Scale) -> int:
        """The bytes that a round adds."""
        return self._count(scale) * self.pushes // (self.pulls + self.pushes) * self._size(scale)

    def _operations(self, stage: Stage) -> list[Conversation]:
        """All operations of a round, made in advance: a push needs the digest of its data."""
        target, layer = stage.target, self._pulled(stage)
        turn = [True] * self.pulls + [False] * self.pushes
        is_pull = [turn[number % len(turn)] for number in range(self._count(stage.content.scale))]
        return [_pull(target, layer) if each else self._push(stage) for each in is_pull]

    def _push(self, stage: Stage) -> Conversation:
        framing: Framing = "length" if self.way == "whole" else "chunked"
        image = stage.content.image([stage.content.layer(self._size(stage.content.scale), framing)], framing)
        return _push(stage.target, image, self.way)

    def _pulled(self, stage: Stage) -> Layer:
        return stage.content.shared_image(self._size(stage.content.scale)).blobs[0]

    def _size(self, scale: Scale) -> int:
        return self.megabytes * scale.megabyte

    def _count(self, scale: Scale) -> int:
        return max(scale.zb_layers // self.megabytes, 2 * CONNECTIONS)


def _pull(target: Target, layer: Layer) -> Conversation:
    head = target.request("GET", f"/v2/{REPOSITORY}/blobs/{layer.digest}").head
    yield Request(head, sink=len)


def _push(target: Target, image: Image, way: Way) -> Conversation:
    layer, config = image.blobs
    push = push_whole_layer if way == "whole" else push_layer
    yield from push(target, REPOSITORY, layer)
    yield from push(target, REPOSITORY, config)
    yield put_manifest(target, REPOSITORY, image, image.digest[7:19])
