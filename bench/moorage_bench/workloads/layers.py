"""Large layers: pushes and pulls of one, several at once, and the memory that this takes."""

from __future__ import annotations

import hashlib

from moorage_bench.connections import BenchmarkError, Conversation, Request, Response, drive, exchange
from moorage_bench.content import MIB, Layer
from moorage_bench.memory import MemorySampler
from moorage_bench.targets import Target
from moorage_bench.workloads.pushes import push_layer
from moorage_bench.workloads.stages import Measurement, Stage, bytes_a_second

UPLOADS = 10
MEMORY_UPLOADS = 16
LARGE, PARALLEL, MEMORY = "bench/large", "bench/parallel", "bench/memory"


def push_large(stage: Stage) -> Measurement:
    """Push one large layer on one connection."""
    layer = stage.content.large if stage.warm_up else stage.content.layer(stage.content.scale.large)
    outcome = drive(stage.target.address, [push_layer(stage.target, LARGE, layer)])
    return bytes_a_second(layer.size, outcome)


def prepare_pull(stage: Stage) -> None:
    """Push the large layer, unless the push workload has done it."""
    stage.target.ensure_repository(LARGE)
    if not has_blob(stage.target, LARGE, stage.content.large):
        drive(stage.target.address, [push_layer(stage.target, LARGE, stage.content.large)])


def pull_large(stage: Stage) -> Measurement:
    """Pull the large layer on one connection and discard it; the warm-up also verifies its digest."""
    layer = stage.content.large
    digest = hashlib.sha256()
    responses: list[Response] = []

    def pull() -> Conversation:
        request = stage.target.request("GET", f"/v2/{LARGE}/blobs/{layer.digest}")
        responses.append((yield Request(request.head, sink=digest.update if stage.warm_up else len)))

    outcome = drive(stage.target.address, [pull()])
    if responses[0].length != layer.size or (stage.warm_up and f"sha256:{digest.hexdigest()}" != layer.digest):
        raise BenchmarkError(f"{stage.target.name}: the layer has {responses[0].length} bytes or other content")
    return bytes_a_second(layer.size, outcome)


def push_parallel(stage: Stage) -> Measurement:
    """Push ten layers at once, each on its own connection."""
    layers = [stage.content.layer(stage.content.scale.parallel) for _ in range(UPLOADS)]
    outcome = drive(stage.target.address, [push_layer(stage.target, PARALLEL, layer) for layer in layers])
    return bytes_a_second(sum(layer.size for layer in layers), outcome)


def memory_16(stage: Stage) -> Measurement:
    """Push sixteen layers at once; the result is the peak memory of the server's processes in MiB."""
    layers = [stage.content.layer(stage.content.scale.memory) for _ in range(MEMORY_UPLOADS)]
    sampler = MemorySampler(stage.target.processes())
    sampler.sample()
    pushes = [push_layer(stage.target, MEMORY, layer) for layer in layers]
    outcome = drive(stage.target.address, pushes, sampler.sample)
    sampler.sample()
    return Measurement(sampler.peak / MIB, outcome)


def has_blob(target: Target, name: str, layer: Layer) -> bool:
    """Whether a repository has a layer."""
    response = exchange(target.address, target.request("HEAD", f"/v2/{name}/blobs/{layer.digest}", 200, 404))
    return response.status == 200
