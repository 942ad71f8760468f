"""One page of tags, out of few and out of many: what a page costs must not depend on how many there are beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from moorage_bench.connections import Conversation, again, drive, exchange
from moorage_bench.content import OCI_MANIFEST, Layer
from moorage_bench.pushes import READERS, WRITERS, push_layer
from moorage_bench.stages import Measurement, Stage, answers_a_second
from moorage_bench.targets import Target

FEW, MANY = "bench/tags-few", "bench/tags-many"
PAGE = 1_000
AT_ONCE = 99
"""Tags of one PUT (distribution-spec, "Pushing Manifests with Tags"): servers take about a hundred parameters."""

OF_ONE_IMAGE = 10 * AT_ONCE
"""ECR quotas: an image has 1,000 tags at most."""


def prepare_few(stage: Stage) -> None:
    """Twice as many tags as a page has, unless they are there."""
    _prepare(stage, FEW, 2 * PAGE)


def prepare_many(stage: Stage) -> None:
    """As many tags as the scale says, unless they are there."""
    _prepare(stage, MANY, stage.content.scale.tags)


def page_of_few(stage: Stage) -> Measurement:
    """The page in the middle of few tags."""
    return _page(stage, FEW, 2 * PAGE)


def page_of_many(stage: Stage) -> Measurement:
    """The page in the middle of many tags."""
    return _page(stage, MANY, stage.content.scale.tags)


def _page(stage: Stage, repository: str, count: int) -> Measurement:
    path = f"/v2/{repository}/tags/list?n={PAGE}&last={_tag(count // 2 - 1)}"
    request = stage.target.request("GET", path)
    seconds = stage.content.scale.seconds
    return answers_a_second(drive(stage.target.address, [again(request, seconds) for _ in range(READERS)]))


def _prepare(stage: Stage, repository: str, count: int) -> None:
    target = stage.target
    target.ensure_repository(repository)
    last = target.request("HEAD", f"/v2/{repository}/manifests/{_tag(count - 1)}", 200, 404)
    if exchange(target.address, last).status == 200:
        return
    config = stage.content.blob(b"{}")
    drive(target.address, [push_layer(target, repository, config)])
    pile = _puts(count)
    drive(target.address, [_tag_all(target, repository, config, pile) for _ in range(WRITERS)])


def _puts(count: int) -> Iterator[tuple[int, range]]:
    """The number of an image and those of the tags that it gets, in groups that fit into one request."""
    for first in range(0, count, AT_ONCE):
        yield first // OF_ONE_IMAGE, range(first, min(first + AT_ONCE, count))


def _tag_all(target: Target, repository: str, config: Layer, pile: Iterator[tuple[int, range]]) -> Conversation:
    for image, numbers in pile:
        manifest = _manifest(config, image)
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        path = f"/v2/{repository}/manifests/{digest}?" + "&".join(f"tag={_tag(number)}" for number in numbers)
        yield target.request("PUT", path, 201, headers=f"Content-Type: {OCI_MANIFEST}\r\n", body=manifest)


def _manifest(config: Layer, number: int) -> bytes:
    described = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config.digest, "size": config.size}
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.moorage_bench",
        "config": described,
        "layers": [described],
        "annotations": {"number": str(number)},
    }
    return msgspec.json.encode(document)


def _tag(number: int) -> str:
    return f"v{number:09}"
