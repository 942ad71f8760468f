"""Layers that are sent in parts through the ECR API."""

from __future__ import annotations

import hashlib

import msgspec
import pybase64

from moorage_bench.connections import BenchmarkError, Request, drive, in_turn
from moorage_bench.targets import Target
from moorage_bench.workloads.stages import Measurement, Stage, bytes_a_second

PARTS = "bench/parts"


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


def _part(target: Target, upload: str, start: int, part: bytes) -> Request:
    last = start + _decoded_size(part) - 1
    head = {"repositoryName": PARTS, "uploadId": upload, "partFirstByte": start, "partLastByte": last}
    return target.operation("UploadLayerPart", msgspec.json.encode(head)[:-1] + b',"layerPartBlob":"', part, b'"}')


def _decoded_size(encoded: bytes) -> int:
    return len(encoded) // 4 * 3 - encoded[-2:].count(b"=")
