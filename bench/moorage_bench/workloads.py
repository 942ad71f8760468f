"""The workloads: what each does to a registry, and what it measures.

A workload is two functions of a `Stage`: `prepare` creates what the workload needs and is not measured; `measure` runs
it once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec
import pybase64

from moorage_bench import ranges, tags
from moorage_bench.connections import (
    BenchmarkError,
    Conversation,
    Request,
    Response,
    drive,
    exchange,
    in_turn,
    repeat,
)
from moorage_bench.content import MIB, Image, Layer
from moorage_bench.memory import MemorySampler
from moorage_bench.pushes import READERS, WRITERS, push_image, push_layer
from moorage_bench.stages import Measurement, Stage, Workload, bytes_a_second, repository, responses_a_second
from moorage_bench.targets import ACCEPT, Target

UPLOADS = 10
MEMORY_UPLOADS = 16
LARGE, PARALLEL, READ, MEMORY, PARTS = "bench/large", "bench/parallel", "bench/read", "bench/memory", "bench/parts"
TAG = "latest"


def push_large(stage: Stage) -> Measurement:
    """Push one large layer on one connection."""
    layer = stage.content.large if stage.warm_up else stage.content.layer(stage.content.scale.large)
    outcome = drive(stage.target.address, [push_layer(stage.target, LARGE, layer)])
    return bytes_a_second(layer.size, outcome)


def prepare_pull(stage: Stage) -> None:
    """Push the large layer, unless the push workload has done it."""
    stage.target.ensure_repository(LARGE)
    if not _has(stage.target, LARGE, stage.content.large):
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


def prepare_read(stage: Stage) -> None:
    """Push the image that the read workloads use."""
    stage.target.ensure_repository(READ)
    image = stage.content.small
    if not _has(stage.target, READ, image.blobs[0]):
        drive(stage.target.address, [push_image(stage.target, READ, image, TAG)])
    response = exchange(stage.target.address, _manifest_by_tag(stage.target))
    if response.body != image.manifest:
        raise BenchmarkError(f"{stage.target.name}: the manifest has other content")


def get_manifest(stage: Stage) -> Measurement:
    """GET of a manifest by its tag."""
    return _read(stage, _manifest_by_tag(stage.target))


def head_blob(stage: Stage) -> Measurement:
    """HEAD of a blob, which docker sends before it pushes a layer."""
    return _read(stage, stage.target.request("HEAD", f"/v2/{READ}/blobs/{stage.content.small.blobs[0].digest}"))


def get_small_blob(stage: Stage) -> Measurement:
    """GET of a blob of 4 KiB."""
    return _read(stage, stage.target.request("GET", f"/v2/{READ}/blobs/{stage.content.small.blobs[0].digest}"))


def prepare_small_images(stage: Stage) -> None:
    """Create one repository for each writer."""
    for writer in range(WRITERS):
        stage.target.ensure_repository(f"bench/small-{writer}")


def push_small_images(stage: Stage) -> Measurement:
    """Push images of six small blobs and a manifest, with eight writers; each takes the next image."""
    images = [stage.content.image() for _ in range(stage.content.scale.images)]
    queue = iter(images)
    outcome = drive(
        stage.target.address, [_writer(stage.target, f"bench/small-{writer}", queue) for writer in range(WRITERS)]
    )
    return Measurement(len(images) / outcome.seconds, outcome)


def upload_parts(stage: Stage) -> Measurement:
    """UploadLayerPart, in order, on one connection. The upload is completed after the measurement."""
    target, scale = stage.target, stage.content.scale
    upload = target.call("InitiateLayerUpload", {"repositoryName": PARTS}, "uploadId")
    shared = stage.content.part
    first = stage.content.first_part()
    digest = hashlib.sha256(first)
    for _ in range(scale.parts - 1):
        digest.update(shared)
    encoded = [pybase64.b64encode(first), *[pybase64.b64encode(shared)] * (scale.parts - 1)]
    requests = [_part(target, upload, number * scale.part, part) for number, part in enumerate(encoded)]
    outcome = drive(target.address, [in_turn(requests)])
    layer = f"sha256:{digest.hexdigest()}"
    parameters = {"repositoryName": PARTS, "uploadId": upload, "layerDigests": [layer]}
    if target.call("CompleteLayerUpload", parameters, "layerDigest") != layer:
        raise BenchmarkError(f"{target.name}: the completed layer is not {layer}")
    return bytes_a_second(scale.parts * scale.part, outcome)


def batch_check(stage: Stage) -> Measurement:
    """BatchCheckLayerAvailability for one existing layer."""
    digest = stage.content.small.blobs[0].digest
    parameters = {"repositoryName": READ, "layerDigests": [digest]}
    layers = stage.target.call("BatchCheckLayerAvailability", parameters, "layers")
    if [layer.get("layerAvailability") for layer in layers] != ["AVAILABLE"]:
        raise BenchmarkError(f"{stage.target.name}: {digest} is not AVAILABLE: {layers}")
    return _call(stage, "BatchCheckLayerAvailability", msgspec.json.encode(parameters))


def initiate(stage: Stage) -> Measurement:
    """InitiateLayerUpload."""
    return _call(stage, "InitiateLayerUpload", msgspec.json.encode({"repositoryName": PARTS}))


def _has(target: Target, name: str, layer: Layer) -> bool:
    response = exchange(target.address, target.request("HEAD", f"/v2/{name}/blobs/{layer.digest}", 200, 404))
    return response.status == 200


def _manifest_by_tag(target: Target) -> Request:
    return target.request("GET", f"/v2/{READ}/manifests/{TAG}", headers=f"Accept: {ACCEPT}\r\n")


def _read(stage: Stage, request: Request) -> Measurement:
    seconds = stage.content.scale.seconds
    return responses_a_second(drive(stage.target.address, [repeat(request, seconds) for _ in range(READERS)]))


def _call(stage: Stage, operation: str, body: bytes) -> Measurement:
    # One signature for the whole measurement: it is valid for minutes, and a new one each time would load the client.
    request = stage.target.operation(operation, body)
    seconds = stage.content.scale.seconds
    return responses_a_second(drive(stage.target.address, [repeat(request, seconds) for _ in range(WRITERS)]))


def _writer(target: Target, name: str, queue: Iterator[Image]) -> Conversation:
    for image in queue:
        yield from push_image(target, name, image, image.digest[7:19])


def _part(target: Target, upload: str, start: int, part: bytes) -> Request:
    last = start + _decoded_size(part) - 1
    head = {"repositoryName": PARTS, "uploadId": upload, "partFirstByte": start, "partLastByte": last}
    return target.operation("UploadLayerPart", msgspec.json.encode(head)[:-1] + b',"layerPartBlob":"', part, b'"}')


def _decoded_size(encoded: bytes) -> int:
    return len(encoded) // 4 * 3 - encoded[-2:].count(b"=")


WORKLOADS = (
    Workload("push-1gib", "MiB/s", "docker", repository(LARGE), push_large, lambda scale: scale.large),
    Workload("pull-1gib", "MiB/s", "docker", prepare_pull, pull_large),
    Workload(
        "push-parallel", "MiB/s", "docker", repository(PARALLEL), push_parallel, lambda scale: UPLOADS * scale.parallel
    ),
    Workload("pull-ranges", "MiB/s", "docker", prepare_pull, ranges.pull_by_ranges),
    Workload("first-byte", "ms", "docker", prepare_pull, ranges.first_byte),
    Workload("manifest-get", "requests/s", "docker", prepare_read, get_manifest),
    Workload("blob-head", "requests/s", "docker", prepare_read, head_blob),
    Workload("blob-get-small", "requests/s", "docker", prepare_read, get_small_blob),
    Workload("small-images", "images/s", "docker", prepare_small_images, push_small_images),
    Workload(
        "memory-16",
        "MiB peak",
        "docker",
        repository(MEMORY),
        memory_16,
        lambda scale: MEMORY_UPLOADS * scale.memory,
        once=True,
        needs_processes=True,
    ),
    Workload(
        "ecr-upload-layer-part",
        "MiB/s",
        "ecr",
        repository(PARTS),
        upload_parts,
        lambda scale: scale.parts * scale.part,
    ),
    Workload("ecr-batch-check", "requests/s", "ecr", prepare_read, batch_check),
    Workload("ecr-initiate", "requests/s", "ecr", repository(PARTS), initiate),
    Workload("tags-page-of-few", "requests/s", "ecr", tags.prepare_few, tags.page_of_few),
    Workload("tags-page-of-many", "requests/s", "ecr", tags.prepare_many, tags.page_of_many),
)
"""All workloads in the order in which they run; docs/benchmark.md lists them."""
