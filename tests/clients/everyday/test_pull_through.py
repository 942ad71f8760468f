"""docker, podman, skopeo and crane pull through two Moorages from CNCF Distribution, and again without these upstreams.

Three names of one repository: `far/NAME` of the first server, `near/NAME` of the second, NAME of the Distribution.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.clients.everyday.programs import Credentials, Programs
from tests.clients.everyday.transfers import (
    PULLERS,
    Desk,
    Pulled,
    crane_pulls_all,
    podman_pulls_another_architecture,
    pull_with_docker,
    skopeo_pulls_all,
)
from tests.support.aws import aws_client, docker_password
from tests.support.clients import temporary_home
from tests.support.distribution import Distribution
from tests.support.dockerd import Dockerd
from tests.support.http_client import Docker
from tests.support.images import Image, image, index, layer
from tests.support.server import Server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.client

PROGRAMS = ("docker", "podman", "skopeo", "crane")

_seeds = itertools.count(6_000)


@dataclass(frozen=True)
class Upstreams:
    """The Moorage that the first server caches, and the Distribution that this one caches."""

    near: Server
    origin: Distribution

    def start(self) -> None:
        self.origin.start()
        option = f"origin.test=http://127.0.0.1:{self.origin.port}"
        self.near.start(extra_args=["--workers", "1", "--upstream", option])

    def stop(self) -> None:
        self.near.stop()
        self.origin.stop()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        self.stop()
        try:
            yield
        finally:
            self.start()


@dataclass(frozen=True)
class Origin:
    """An image and a list of two images, in repositories of the Distribution that have no other images."""

    one: Image
    children: tuple[Image, Image]
    top: Image
    name: str

    @property
    def repositories(self) -> tuple[str, str]:
        """The repositories of the first server: of the image, and of the list."""
        return f"far/{self.name}", f"far/{self.name}-list"


@pytest.fixture(scope="module")
def upstreams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstreams]:
    both = Upstreams(Server(tmp_path_factory.mktemp("near") / "data"), Distribution())
    both.start()
    yield both
    both.stop()


@pytest.fixture(scope="module")
def far(upstreams: Upstreams, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The first server: its upstream registry is the other Moorage, with an access key."""
    with aws_client(upstreams.near) as ecr:
        ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="near", upstreamRegistryUrl="origin.test")
    server = Server(tmp_path_factory.mktemp("far") / "data")
    server.start(extra_args=["--workers", "2", "--upstream", f"near.test={upstreams.near.url}"])
    yield server
    server.stop()


@pytest.fixture(scope="module")
def far_ecr(far: Server, upstreams: Upstreams) -> Iterator[Any]:
    """boto3's ECR client of the first server, after its rule was created."""
    environment = upstreams.near.environment
    key = {"username": environment["AWS_ACCESS_KEY_ID"], "accessToken": environment["AWS_SECRET_ACCESS_KEY"]}
    with aws_client(far, "secretsmanager", endpoint=far.url) as secrets:
        arn = secrets.create_secret(Name="ecr-pullthroughcache/near", SecretString=json.dumps(key))["ARN"]
    with aws_client(far) as client:
        client.create_pull_through_cache_rule(
            ecrRepositoryPrefix="far",
            upstreamRegistryUrl="near.test",
            upstreamRepositoryPrefix="near",
            credentialArn=arn,
        )
        yield client


@pytest.fixture
def far_desk(far: Server, far_ecr: Any, daemon: Callable[[], Dockerd], tmp_path: Path) -> Iterator[Desk]:
    """The programs of a user of the first server."""
    with temporary_home() as home:
        programs = Programs(home, far, daemon, Credentials("AWS", docker_password(far_ecr)))
        yield Desk(programs, far_ecr, tmp_path)


def pushed_to(origin: Distribution) -> Origin:
    first, *others = (next(_seeds) for _ in range(3))
    one = image([layer(200_000, first)])
    children = tuple(
        image([layer(20_000, seed)], {"architecture": architecture})
        for seed, architecture in zip(others, ("amd64", "arm64"), strict=True)
    )
    found = Origin(one, (children[0], children[1]), index(children), f"team/app-{first}")
    docker = Docker("127.0.0.1", origin.port, None)
    docker.push(found.name, one, "v1")
    for child in children:
        docker.push(f"{found.name}-list", child)
    docker.push(f"{found.name}-list", found.top, "v1")
    return found


def pull(program: str, desk: Desk, wanted: Origin, folder: str) -> None:
    """Pull the image and the list with a program, and compare what arrives."""
    into = desk._replace(folder=desk.folder / f"{program}-{folder}")
    into.folder.mkdir()
    single, several = wanted.repositories
    content = wanted.one.blobs[1].diff_id
    pulled = PULLERS[program](into, single)
    assert pulled == Pulled(wanted.one.manifest.digest, wanted.one.blobs[0].digest, (content,))
    pull_list(program, into._replace(folder=into.folder / "list"), several, wanted)


def pull_list(program: str, desk: Desk, repository: str, wanted: Origin) -> None:
    """skopeo and crane pull all images of a list; docker and podman pull one architecture."""
    desk.folder.mkdir()
    manifest, amd64, arm64 = wanted.top.manifest, *wanted.children
    children = {child.manifest.digest for child in wanted.children}
    if program == "skopeo":
        skopeo_pulls_all(desk, repository, manifest.content, children)
    elif program == "crane":
        crane_pulls_all(desk, repository, manifest.content, children)
    elif program == "podman":
        podman_pulls_another_architecture(desk, repository, arm64, "arm64")
    else:
        pulled = pull_with_docker(desk, repository)
        assert (pulled.manifest, pulled.contents) == (manifest.digest, (amd64.blobs[1].diff_id,))


def wait_until_complete(desk: Desk, wanted: Origin) -> None:
    """Wait until the first server has the image, and the list with all its images."""
    single, several = wanted.repositories
    complete = {single: {wanted.one}, several: {wanted.top, *wanted.children}}
    for repository, images in complete.items():
        expected = {one.manifest.digest for one in images}
        wait_until(lambda: digests(desk.ecr, repository) == expected)  # noqa: B023 - runs now


def digests(ecr: Any, repository: str) -> set[str]:
    return {one["imageDigest"] for one in ecr.list_images(repositoryName=repository)["imageIds"]}


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_first_pull_goes_through_both_caches(program: str, far_desk: Desk, upstreams: Upstreams) -> None:
    wanted = pushed_to(upstreams.origin)

    pull(program, far_desk, wanted, "first")

    wait_until_complete(far_desk, wanted)
    with aws_client(upstreams.near) as ecr:  # it sends the last byte on before its own row is written
        wait_until(lambda: wanted.one.manifest.digest in digests(ecr, f"near/{wanted.name}"))


def test_what_was_pulled_is_pulled_again_while_both_upstreams_are_stopped(far_desk: Desk, upstreams: Upstreams) -> None:
    pulled = {program: pushed_to(upstreams.origin) for program in PROGRAMS}
    for program, wanted in pulled.items():
        pull(program, far_desk, wanted, "first")
        wait_until_complete(far_desk, wanted)

    with upstreams.stopped():
        for program, wanted in pulled.items():
            pull(program, far_desk, wanted, "again")
