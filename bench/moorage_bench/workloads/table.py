"""All workloads in the order in which they run. docs/benchmark.md lists them."""

from __future__ import annotations

from dataclasses import dataclass

from moorage_bench.targets import DOCKER, ECR
from moorage_bench.workloads import calls, delays, images, layers, parts, production, ranges, reads, tags, zb
from moorage_bench.workloads.stages import Workload, repository

_DOCKER_ONLY, _ECR_ONLY, _BOTH = (DOCKER,), (ECR,), (DOCKER, ECR)
_LAYERS = (
    Workload(
        "push-1gib",
        "MiB/s",
        _DOCKER_ONLY,
        repository(layers.LARGE),
        layers.push_large,
        stored=lambda scale: scale.large,
    ),
    Workload("pull-1gib", "MiB/s", _DOCKER_ONLY, layers.prepare_pull, layers.pull_large),
    Workload(
        "push-parallel",
        "MiB/s",
        _DOCKER_ONLY,
        repository(layers.PARALLEL),
        layers.push_parallel,
        stored=lambda scale: layers.UPLOADS * scale.parallel,
    ),
    Workload("pull-ranges", "MiB/s", _DOCKER_ONLY, layers.prepare_pull, ranges.pull_by_ranges),
    Workload("first-byte", "ms", _DOCKER_ONLY, layers.prepare_pull, ranges.first_byte, fewer=True),
)
_REQUESTS = (
    Workload("manifest-get", "requests/s", _DOCKER_ONLY, reads.prepare_read, reads.get_manifest),
    Workload("blob-head", "requests/s", _DOCKER_ONLY, reads.prepare_read, reads.head_blob),
    Workload("blob-get-small", "requests/s", _DOCKER_ONLY, reads.prepare_read, reads.get_small_blob),
    Workload("small-images", "images/s", _DOCKER_ONLY, images.prepare_small_images, images.push_small_images),
    Workload("production-mix", "requests/s", _DOCKER_ONLY, production.prepare, production.measure, production.stored),
)
_DELAYS = (
    Workload("p99-1000-connections", "ms", _DOCKER_ONLY, reads.prepare_read, delays.many_connections, fewer=True),
    Workload("p99-alone", "ms", _DOCKER_ONLY, reads.prepare_read, delays.alone, fewer=True),
    Workload("p99-beside-pushes", "ms", _DOCKER_ONLY, delays.prepare_pushers, delays.beside_pushes, fewer=True),
)
_MEMORY = Workload(
    "memory-16",
    "MiB peak",
    _DOCKER_ONLY,
    repository(layers.MEMORY),
    layers.memory_16,
    stored=lambda scale: layers.MEMORY_UPLOADS * scale.memory,
    once=True,
    needs_processes=True,
    fewer=True,
)
_ECR = (
    Workload(
        "ecr-upload-layer-part",
        "MiB/s",
        _ECR_ONLY,
        repository(parts.PARTS),
        parts.upload_parts,
        stored=lambda scale: scale.parts * scale.part,
        operations=("UploadLayerPart",),
    ),
    Workload(
        "ecr-batch-check",
        "requests/s",
        _BOTH,
        reads.prepare_read,
        calls.batch_check,
        operations=("BatchCheckLayerAvailability",),
    ),
    Workload(
        "ecr-initiate",
        "requests/s",
        _ECR_ONLY,
        repository(parts.PARTS),
        calls.initiate,
        operations=("InitiateLayerUpload",),
    ),
    Workload("ecr-describe-repositories", "requests/s", _ECR_ONLY, calls.prepare, calls.describe),
    Workload("ecr-list-images", "requests/s", _ECR_ONLY, calls.prepare, calls.list_images),
    Workload("ecr-batch-get-image", "requests/s", _ECR_ONLY, calls.prepare, calls.batch_get),
    Workload("ecr-put-image", "requests/s", _ECR_ONLY, calls.prepare, calls.put_images),
    Workload("ecr-create-repository", "requests/s", _ECR_ONLY, calls.prepare, calls.create_repositories),
)
_TAGS = (
    Workload("tags-page-of-few", "requests/s", _BOTH, tags.prepare_few, tags.page_of_few),
    Workload("tags-page-of-many", "requests/s", _BOTH, tags.prepare_many, tags.page_of_many),
)


@dataclass(frozen=True, slots=True)
class Group:
    """Workloads that belong together: the name of their chart, and its title."""

    name: str
    title: str
    workloads: tuple[Workload, ...]


GROUPS = (
    Group("layers", "Large layers", _LAYERS),
    Group("zb", "The workloads of zb: images with one layer of 1, 10 or 100 MB", tuple(zb.zb_workloads())),
    Group("requests", "Small requests and small images", _REQUESTS),
    Group("delays", "99th percentile of the time of a GET", _DELAYS),
    Group("memory", "Memory during 16 pushes at once", (_MEMORY,)),
    Group("ecr", "The ECR API", _ECR),
    Group("tags", "A page of tags", _TAGS),
)
WORKLOADS = tuple(workload for group in GROUPS for workload in group.workloads)
