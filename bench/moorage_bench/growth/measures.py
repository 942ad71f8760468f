"""The requests whose time must not depend on the number of images, each on one connection, one after the other."""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from moorage_bench.connections import BenchmarkError, Conversation, Request, drive, in_turn
from moorage_bench.content import OCI_MANIFEST
from moorage_bench.growth.rows import DELETED, LARGE, Filled, manifest_of
from moorage_bench.targets import ACCEPT, Target
from moorage_bench.workloads.delays import timed

PAGE: Final = 100
REPOSITORIES: Final = 50
"""Images in a page and in a BatchDeleteImage, and repositories in a page: as many as the smallest data folder has."""

PUSHES_BESIDE: Final = 50
PREVIEW_SECONDS: Final = 300.0
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Site:
    """A served data folder, and what is in it."""

    target: Target
    filled: Filled
    random: random.Random

    def put(self, repository: str) -> Request:
        """A new image with a new tag, of layers that the large repository has."""
        number = str(next(_numbers))
        body = manifest_of(self.filled.config, self.filled.layers, number=number)
        headers = f"Content-Type: {OCI_MANIFEST}\r\n"
        path = f"/v2/{repository}/manifests/new-{number}"
        return self.target.request("PUT", path, 201, headers=headers, body=body)

    def call(self, operation: str, **parameters: Any) -> Request:
        """A signed ECR request."""
        return self.target.operation(operation, msgspec.json.encode(parameters))


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: requests of one kind, and how many."""

    name: str
    count: int
    make: Callable[[Site], Request]

    def measure(self, site: Site) -> float:
        """The median time of a request, in milliseconds. The first one warms up and is not counted."""
        delays: list[float] = []
        drive(site.target.address, [timed(self._requests(site), delays)])
        return statistics.median(delays[1:]) * 1000

    def _requests(self, site: Site) -> Conversation:
        for _ in range(self.count + 1):
            yield self.make(site)


def _manifest(site: Site) -> Request:
    headers = f"Accept: {ACCEPT}\r\n"
    path = f"/v2/{LARGE}/manifests/{site.random.choice(site.filled.tags)}"
    return site.target.request("GET", path, headers=headers)


def _head(site: Site) -> Request:
    return site.target.request("HEAD", f"/v2/{LARGE}/blobs/{site.random.choice(site.filled.own_layers)}")


def _tags(site: Site) -> Request:
    last = site.filled.tags[len(site.filled.tags) // 2]
    return site.target.request("GET", f"/v2/{LARGE}/tags/list?n={PAGE}&last={last}")


def _catalogue(site: Site) -> Request:
    return site.target.request("GET", f"/v2/_catalog?n={REPOSITORIES}")


def _repositories(site: Site) -> Request:
    return site.call("DescribeRepositories", maxResults=REPOSITORIES)


def _names(site: Site) -> Request:
    small = site.filled.small
    return site.call("DescribeRepositories", repositoryNames=site.random.sample(small, min(REPOSITORIES, len(small))))


def _page(operation: str, **filters: str) -> Callable[[Site], Request]:
    return lambda site: site.call(operation, repositoryName=LARGE, maxResults=PAGE, filter=filters)


def _put(site: Site) -> Request:
    return site.put(LARGE)


def _mount(site: Site) -> Request:
    small = site.random.choice(site.filled.small)
    digest = site.random.choice(site.filled.own_layers)
    return site.target.request("POST", f"/v2/{small}/blobs/uploads/?mount={digest}", 201)


class _Batches:
    """Deletes the youngest images of the large repository, a hundred at a time."""

    def __init__(self) -> None:
        self._left: list[Sequence[str]] = []

    def __call__(self, site: Site) -> Request:
        if not self._left:
            digests = site.filled.digests
            size = min(PAGE, len(digests) // 4)
            self._left = [digests[len(digests) - start - size : len(digests) - start] for start in (0, size, 2 * size)]
        identifiers = [{"imageDigest": digest} for digest in self._left.pop(0)]
        return site.call("BatchDeleteImage", repositoryName=LARGE, imageIds=identifiers)


READS: Final = (
    Row("GET manifest", 300, _manifest),
    Row("HEAD blob", 300, _head),
    Row("tags page of 100", 50, _tags),
    Row("catalogue page of 50", 50, _catalogue),
    Row("DescribeRepositories page", 30, _repositories),
    Row("DescribeRepositories 50 names", 30, _names),
    Row("ListImages page of 100", 30, _page("ListImages", tagStatus="ANY")),
    Row("ListImages UNTAGGED", 30, _page("ListImages", tagStatus="UNTAGGED")),
    Row("ListImages ARCHIVED", 30, _page("ListImages", imageStatus="ARCHIVED")),
    Row("DescribeImages page of 100", 30, _page("DescribeImages", tagStatus="ANY")),
    Row("DescribeImages UNTAGGED", 30, _page("DescribeImages", tagStatus="UNTAGGED")),
    Row("DescribeImages ARCHIVED", 30, _page("DescribeImages", imageStatus="ARCHIVED")),
)


def writes() -> Sequence[Row]:
    """Rows that change what is stored, so they come after the reads."""
    return (
        Row("PUT manifest", 100, _put),
        Row("mount without from", 50, _mount),
        Row("BatchDeleteImage of 100", 2, _Batches()),
    )


def delete_repository(site: Site) -> tuple[float, float]:
    """Milliseconds until DeleteRepository with force answers, and the median of pushes while its images are removed."""
    answered: list[float] = []
    pushed: list[float] = []
    delete = site.call("DeleteRepository", repositoryName=DELETED, force=True)
    drive(site.target.address, [timed(in_turn([delete]), answered)])
    drive(site.target.address, [timed(in_turn([site.put(LARGE) for _ in range(PUSHES_BESIDE)]), pushed)])
    return answered[0] * 1000, statistics.median(pushed) * 1000


def preview(site: Site) -> float:
    """Seconds of a preview of a lifecycle policy over the large repository. Raises BenchmarkError."""
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": max(site.filled.images // 10, 1)}
    rules = {"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]}
    text = msgspec.json.encode(rules).decode()
    began = time.perf_counter()
    site.target.call("StartLifecyclePolicyPreview", {"repositoryName": LARGE, "lifecyclePolicyText": text}, "status")
    while time.perf_counter() < began + PREVIEW_SECONDS:
        status = site.target.call("GetLifecyclePolicyPreview", {"repositoryName": LARGE, "maxResults": 1}, "status")
        if status == "COMPLETE":
            return time.perf_counter() - began
        if status != "IN_PROGRESS":
            break
        time.sleep(0.05)
    raise BenchmarkError(f"the lifecycle preview did not end: {status}")
