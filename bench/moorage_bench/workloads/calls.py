"""Calls of the ECR API."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from moorage_bench.connections import BenchmarkError, Request, drive, exchange, in_turn, repeat
from moorage_bench.content import OCI_MANIFEST, Content
from moorage_bench.targets import DOCKER, Target
from moorage_bench.workloads.parts import PARTS
from moorage_bench.workloads.pushes import WRITERS, one_by_one, push_layer
from moorage_bench.workloads.reads import READ
from moorage_bench.workloads.stages import Measurement, Stage, responses_a_second

READS, WRITES = "bench/calls-read", "bench/calls-written"
LISTED = 20
"""Images in the repository that is read."""

_numbers = itertools.count()


def prepare(stage: Stage) -> None:
    """Create the repositories, and put the images that the calls read."""
    target, content = stage.target, stage.content
    for name in (READS, WRITES):
        target.ensure_repository(name)
        if DOCKER in target.abilities.protocols:
            drive(target.address, [push_layer(target, name, blob) for blob in content.small.blobs])
    for number in range(LISTED):
        exchange(target.address, _put(target, READS, content, f"v{number}"))


def describe(stage: Stage) -> Measurement:
    """DescribeRepositories of one name."""
    return _call(stage, "DescribeRepositories", {"repositoryNames": [READS]})


def list_images(stage: Stage) -> Measurement:
    """ListImages of a repository with few images."""
    return _call(stage, "ListImages", {"repositoryName": READS})


def batch_get(stage: Stage) -> Measurement:
    """BatchGetImage of one image by its tag."""
    return _call(stage, "BatchGetImage", {"repositoryName": READS, "imageIds": [{"imageTag": "v0"}]})


def put_images(stage: Stage) -> Measurement:
    """PutImage of new manifests that reference existing layers, each with a new tag."""
    target, content = stage.target, stage.content
    return _each(target, [[_put(target, WRITES, content, f"n{next(_numbers)}")] for _ in range(content.scale.images)])


def create_repositories(stage: Stage) -> Measurement:
    """CreateRepository and DeleteRepository, in turns, of new names."""
    target = stage.target
    bodies = [{"repositoryName": f"bench/new-{next(_numbers)}"} for _ in range(stage.content.scale.images)]
    pair = ("CreateRepository", "DeleteRepository")
    return _each(target, [[target.operation(name, msgspec.json.encode(body)) for name in pair] for body in bodies])


def batch_check(stage: Stage) -> Measurement:
    """BatchCheckLayerAvailability for one existing layer."""
    digest = stage.content.small.blobs[0].digest
    parameters = {"repositoryName": READ, "layerDigests": [digest]}
    layers = stage.target.call("BatchCheckLayerAvailability", parameters, "layers")
    if [layer.get("layerAvailability") for layer in layers] != ["AVAILABLE"]:
        raise BenchmarkError(f"{stage.target.name}: {digest} is not AVAILABLE: {layers}")
    return _call(stage, "BatchCheckLayerAvailability", parameters)


def initiate(stage: Stage) -> Measurement:
    """InitiateLayerUpload."""
    return _call(stage, "InitiateLayerUpload", {"repositoryName": PARTS})


def _call(stage: Stage, operation: str, parameters: dict[str, Any]) -> Measurement:
    # One signature for the whole measurement: it is valid for minutes, and a new one each time would load the client.
    request = stage.target.operation(operation, msgspec.json.encode(parameters))
    seconds = stage.content.scale.seconds
    return responses_a_second(drive(stage.target.address, [repeat(request, seconds) for _ in range(WRITERS)]))


def _each(target: Target, operations: Sequence[Sequence[Request]]) -> Measurement:
    """All operations, each of which is one request or several in turn; each writer takes the next one."""
    queue: Iterator[Sequence[Request]] = iter(operations)
    return responses_a_second(
        drive(target.address, [one_by_one(in_turn(each) for each in queue) for _ in range(WRITERS)])
    )


def _put(target: Target, repository: str, content: Content, tag: str) -> Request:
    document = msgspec.json.decode(content.small.manifest, type=dict[str, Any])
    manifest = msgspec.json.encode(document | {"annotations": {"number": os.urandom(8).hex()}}).decode()
    parameters = {"repositoryName": repository, "imageManifest": manifest, "imageTag": tag}
    body = msgspec.json.encode(parameters | {"imageManifestMediaType": OCI_MANIFEST})
    return target.operation("PutImage", body)
