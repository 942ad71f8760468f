"""Requests that read, one after the other on each connection."""

from __future__ import annotations

from moorage_bench.connections import BenchmarkError, Request, drive, exchange, repeat
from moorage_bench.targets import ACCEPT, Target
from moorage_bench.workloads.layers import has_blob
from moorage_bench.workloads.pushes import READERS, push_image
from moorage_bench.workloads.stages import Measurement, Stage, responses_a_second

READ = "bench/read"
TAG = "latest"


def prepare_read(stage: Stage) -> None:
    """Push the image that the read workloads use."""
    stage.target.ensure_repository(READ)
    image = stage.content.small
    if not has_blob(stage.target, READ, image.blobs[0]):
        drive(stage.target.address, [push_image(stage.target, READ, image, TAG)])
    response = exchange(stage.target.address, manifest_by_tag(stage.target))
    if response.body != image.manifest:
        raise BenchmarkError(f"{stage.target.name}: the manifest has other content")


def get_manifest(stage: Stage) -> Measurement:
    """GET of a manifest by its tag."""
    return read_at_once(stage, manifest_by_tag(stage.target))


def head_blob(stage: Stage) -> Measurement:
    """HEAD of a blob, which docker sends before it pushes a layer."""
    return read_at_once(stage, stage.target.request("HEAD", f"/v2/{READ}/blobs/{stage.content.small.blobs[0].digest}"))


def get_small_blob(stage: Stage) -> Measurement:
    """GET of a blob of 4 KiB."""
    return read_at_once(stage, stage.target.request("GET", f"/v2/{READ}/blobs/{stage.content.small.blobs[0].digest}"))


def manifest_by_tag(target: Target) -> Request:
    """The request that reads the manifest of the image."""
    return target.request("GET", f"/v2/{READ}/manifests/{TAG}", headers=f"Accept: {ACCEPT}\r\n")


def read_at_once(stage: Stage, request: Request) -> Measurement:
    """Send the same request on all readers' connections: responses per second."""
    seconds = stage.content.scale.seconds
    return responses_a_second(drive(stage.target.address, [repeat(request, seconds) for _ in range(READERS)]))
