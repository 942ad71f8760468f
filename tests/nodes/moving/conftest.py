"""A registry in a data folder, with a few images of each kind."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.nodes.moving.registries import Pusher, Registry
from tests.support.images import OCI_LAYER, Blob, Image, image, index, layer

BIG = Blob(b"\x01\x02" * (7 << 20), OCI_LAYER)
"""A layer that goes to a bucket in more than one part."""


class Filled(NamedTuple):
    """A data folder to copy, and what clients see in its registry."""

    place: Path
    state: dict[str, Any]


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    registry = Registry(tmp_path_factory.mktemp("moving") / "filled")
    with registry.serving() as endpoints:
        fill(Pusher(endpoints))
        return Filled(registry.place, endpoints.visible_state())


@pytest.fixture
def folder(filled: Filled, tmp_path: Path) -> Registry:
    """A copy of the registry that no server uses yet."""
    registry = Registry(tmp_path / "folder")
    shutil.copytree(filled.place, registry.place)
    return registry


def fill(pusher: Pusher) -> None:
    ecr = pusher.endpoints.ecr
    ecr.create_repository(repositoryName=pusher.repository, tags=[{"Key": "team", "Value": "ours"}])
    ecr.create_repository(repositoryName="empty", imageTagMutability="IMMUTABLE")
    ecr.put_lifecycle_policy(
        repositoryName="empty",
        lifecyclePolicyText='{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":'
        '"imageCountMoreThan","countNumber":9},"action":{"type":"expire"}}]}',
    )
    one = pusher.push()
    pusher.push(image([BIG]))
    pusher.push(image([layer(b"", seed=3)]))
    both = index([one, pusher.push()])
    pusher.push(Image(both.manifest, ()))
    pusher.push(image(seed=9, extra={"subject": one.manifest.descriptor, "annotations": {"of": "one"}}))
    ecr.batch_delete_image(repositoryName=pusher.repository, imageIds=[{"imageTag": "v3"}])
