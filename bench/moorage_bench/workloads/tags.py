"""One page of few tags, and of many: the cost of a page must not depend on the number of tags."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from moorage_bench.connections import Conversation, drive, exchange, repeat
from moorage_bench.content import OCI_MANIFEST, Layer
from moorage_bench.targets import Target
from moorage_bench.workloads.pushes import READERS, WRITERS, push_layer
from moorage_bench.workloads.stages import Measurement, Stage, responses_a_second

FEW, MANY = "bench/tags-few", "bench/tags-many"
PAGE = 1_000
TAGS_A_REQUEST = 99
"""Tags in one PUT (distribution-spec, "Pushing Manifests with Tags"): servers accept about a hundred parameters."""

TAGS_AN_IMAGE = 10 * TAGS_A_REQUEST
"""ECR quotas: an image has at most 1,000 tags."""


def prepare_few(stage: Stage) -> None:
    """Push twice as many tags as a page has, unless they exist."""
    _prepare(stage, FEW, 2 * PAGE)


def prepare_many(stage: Stage) -> None:
    """Push as many tags as the scale has, unless they exist."""
    _prepare(stage, MANY, stage.content.scale.tags)


def page_of_few(stage: Stage) -> Measurement:
    """List the page in the middle of few tags."""
    return _page(stage, FEW, 2 * PAGE)


def page_of_many(stage: Stage) -> Measurement:
    """List the page in the middle of many tags."""
    return _page(stage, MANY, stage.content.scale.tags)


def _page(stage: Stage, repository: str, count: int) -> Measurement:
    path = f"/v2/{repository}/tags/list?n={PAGE}&last={_tag(count // 2 - 1)}"
    request = stage.target.request("GET", path)
    seconds = stage.content.scale.seconds
    return responses_a_second(drive(stage.target.address, [repeat(request, seconds) for _ in range(READERS)]))


def _prepare(stage: Stage, repository: str, count: int) -> None:
    target = stage.target
    target.ensure_repository(repository)
    last = target.request("HEAD", f"/v2/{repository}/manifests/{_tag(count - 1)}", 200, 404)
    if exchange(target.address, last).status == 200:
        return
    config = stage.content.blob(b"{}")
    drive(target.address, [push_layer(target, repository, config)])
    groups = _groups(count)
    drive(target.address, [_tag_all(target, repository, config, groups) for _ in range(WRITERS)])


def _groups(count: int) -> Iterator[tuple[int, range]]:
    """Pairs of an image's number and the numbers of its tags, in groups that fit into one request."""
    for first in range(0, count, TAGS_A_REQUEST):
        yield first // TAGS_AN_IMAGE, range(first, min(first + TAGS_A_REQUEST, count))


def _tag_all(target: Target, repository: str, config: Layer, groups: Iterator[tuple[int, range]]) -> Conversation:
    for image, numbers in groups:
        manifest = _manifest(config, image)
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        path = f"/v2/{repository}/manifests/{digest}?" + "&".join(f"tag={_tag(number)}" for number in numbers)
        yield target.request("PUT", path, 201, headers=f"Content-Type: {OCI_MANIFEST}\r\n", body=manifest)


def _manifest(config: Layer, number: int) -> bytes:
    descriptor = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config.digest, "size": config.size}
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.moorage_bench",
        "config": descriptor,
        "layers": [descriptor],
        "annotations": {"number": str(number)},
    }
    return msgspec.json.encode(document)


def _tag(number: int) -> str:
    return f"v{number:09}"
