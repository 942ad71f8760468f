"""Pushes of small images."""

from __future__ import annotations

from collections.abc import Iterator

from moorage_bench.connections import Conversation, drive
from moorage_bench.content import Image
from moorage_bench.targets import Target
from moorage_bench.workloads.pushes import WRITERS, push_image
from moorage_bench.workloads.stages import Measurement, Stage


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


def _writer(target: Target, name: str, queue: Iterator[Image]) -> Conversation:
    for image in queue:
        yield from push_image(target, name, image, image.digest[7:19])
