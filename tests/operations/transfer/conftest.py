"""A registry of CNCF Distribution with images of every kind, and the commands on a server's data folder."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import StartServer
from tests.support.aws import aws_client, docker_password
from tests.support.commands import Ended, run_here
from tests.support.distribution import Distribution
from tests.support.http_client import Docker
from tests.support.images import OCI_INDEX, Image, artifact, image, index
from tests.support.server import Server


@dataclass(frozen=True)
class Images:
    """Two images, an index that lists them, and a signature of the first one."""

    first: Image
    second: Image
    both: Image
    signature: Image

    @classmethod
    def of(cls, seed: int) -> Images:
        first, second = image(seed=seed), image(seed=seed + 1)
        subject = {"subject": first.manifest.descriptor}
        note = artifact(b"signature %d" % seed)
        return cls(first, second, index([first, second]), image(note.blobs[1:], {"author": str(seed)}, extra=subject))

    def push(self, registry: Docker, repository: str) -> None:
        registry.push(repository, self.first, "v1")
        registry.push(repository, self.second)
        registry.push(repository, self.both, "latest")
        registry.push(repository, self.signature)


class Moorage:
    """A running server, and commands on its data folder."""

    def __init__(self, server: Server, docker: Docker) -> None:
        self.server = server
        self.docker = docker

    def run(self, *words: str | Path, variables: Mapping[str, str] | None = None) -> Ended:
        return run_here(*words, "--data", self.server.data, variables=self.server.settings | dict(variables or {}))

    def create(self, repository: str) -> None:
        with aws_client(self.server, "ecr") as ecr:
            ecr.create_repository(repositoryName=repository)

    def tags(self, repository: str) -> list[str]:
        found: list[str] = self.docker.get(f"/v2/{repository}/tags/list").json()["tags"]
        return found

    def has(self, repository: str, one: Image, reference: str | None = None) -> bool:
        """Whether the image can be pulled with all its blobs, byte for byte."""
        accept = {"Accept": f"{one.manifest.media_type}, {OCI_INDEX}"}
        answer = self.docker.get(f"/v2/{repository}/manifests/{reference or one.manifest.digest}", accept)
        blobs = [self.docker.get(f"/v2/{repository}/blobs/{blob.digest}").body for blob in one.blobs]
        return answer.body == one.manifest.content and blobs == [blob.content for blob in one.blobs]


@pytest.fixture
def moorage(server: Server, http: Docker) -> Moorage:
    return Moorage(server, http)


@pytest.fixture
def other(fresh_server: StartServer) -> Moorage:
    """A server that has nothing yet."""
    server = fresh_server()
    with aws_client(server, "ecr") as ecr:
        return Moorage(server, Docker(server.host, server.port, docker_password(ecr)))


@pytest.fixture(scope="module")
def distribution() -> Iterator[Distribution]:
    one = Distribution()
    one.start()
    yield one
    one.stop()


@pytest.fixture
def upstream(distribution: Distribution) -> Docker:
    return Docker("127.0.0.1", distribution.port, None)


_numbers = itertools.count(1)


@pytest.fixture
def team() -> str:
    """A prefix of repository names that no other test has."""
    return f"transfer{next(_numbers)}"


@pytest.fixture
def images_of() -> Callable[[], Images]:
    """Makes images that no other test has."""
    return lambda: Images.of(1000 * next(_numbers))
