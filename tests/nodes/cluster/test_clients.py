"""An image that one client pushes to one node is pulled by each other client from the other node at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.clients.everyday.programs import Credentials, Programs
from tests.clients.everyday.transfers import PULLERS, PUSHERS, Desk, Pulled
from tests.nodes.cluster.conftest import Node
from tests.support.aws import aws_client, docker_password
from tests.support.clients import temporary_home
from tests.support.dockerd import Dockerd
from tests.support.images import image, layer

pytestmark = pytest.mark.client

CLIENTS = ["crane", "skopeo", "api"]
"""Clients without a daemon. tests/clients/everyday has the others, with one server."""


def no_daemon() -> Dockerd:
    raise AssertionError("none of these clients is docker")


@pytest.fixture(scope="module")
def desks(nodes: list[Node], tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Desk]]:
    """One user per node, who is logged in."""
    with ExitStack() as stack:
        made = []
        for node in nodes:
            home = stack.enter_context(temporary_home())
            ecr = stack.enter_context(aws_client(node.server))
            programs = Programs(home, node.server, no_daemon, Credentials("AWS", docker_password(ecr)))
            made.append(Desk(programs, ecr, tmp_path_factory.mktemp("desk")))
        yield made


@pytest.mark.parametrize("pusher", CLIENTS)
def test_an_image_pushed_to_one_node_is_pulled_by_every_client_from_the_other(
    pusher: str, desks: list[Desk], tmp_path: Path
) -> None:
    for here, there in ((0, 1), (1, 0)):
        repository, seed = f"team/{pusher}-{here}", 10 * CLIENTS.index(pusher) + here
        pushed = image([layer(seed=seed, docker=True), layer(6_000_000, seed=100 + seed, docker=True)], docker=True)
        desks[here].ecr.create_repository(repositoryName=repository)
        PUSHERS[pusher](at(desks[here], tmp_path / f"{here}-pushed"), repository, pushed)
        for puller in CLIENTS:
            pulled = PULLERS[puller](at(desks[there], tmp_path / f"{here}-{puller}"), repository)

            configuration, *layers = pushed.blobs
            contents = tuple(blob.diff_id for blob in layers)
            assert pulled == Pulled(pushed.manifest.digest, configuration.digest, contents)


def at(desk: Desk, folder: Path) -> Desk:
    """The desk with a new folder for temporary files."""
    folder.mkdir()
    return desk._replace(folder=folder)
