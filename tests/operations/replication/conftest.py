"""Two servers: images are pushed to the first, and the second is a destination of it."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from moorage.metadata.database import Transaction
from tests.api.ecr.pushing import put, upload_blobs
from tests.api.ecr.replicating import new_region
from tests.support.aws import aws_client, docker_password
from tests.support.databases import engine_of
from tests.support.distribution import shared_distribution
from tests.support.http_client import Docker
from tests.support.images import Image, image
from tests.support.proxy import Proxy, proxy_before
from tests.support.server import Server
from tests.support.waiting import wait_until

ACCOUNT = "210987654321"
_numbers = itertools.count()


@dataclass
class Pair:
    """The source with a client, and the destination with one. `region` is how the source's rules name it."""

    source: Server
    here: Any
    there: Any
    target: Server
    region: str = field(default_factory=new_region)
    through: str | None = None
    """The URL of a proxy before the second server."""

    def set_destination(self, *options: str, url: str | None = None, user: str | None = None) -> str:
        """Set the second server as the destination, with an access key of root or of a user, or another URL."""
        login: tuple[str, ...] = ("--private-network",)
        secret = ""
        if url is None:
            key_id, secret = self._key_there(user)
            login += ("--api-region", self.target.environment["AWS_REGION"])
            login += ("--access-key-id", key_id, "--secret-file", "-")
        words = ("destination", "set", self.region, ACCOUNT, url or self.through or self.target.url, *login, *options)
        return self.source.moorage(*words, stdin=secret)

    def _key_there(self, user: str | None) -> tuple[str, str]:
        if user is None:
            environment = self.target.environment
            return environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]
        made = self.target.moorage("key", "create", "--user", user)
        key_id, secret = re.findall(r"(?:ACCESS_KEY_ID|SECRET_ACCESS_KEY)=(\S+)", made)[:2]
        return key_id, secret

    def replicate(self, *, deletions: bool = False) -> None:
        rule = {
            "destinations": [{"region": self.region, "registryId": ACCOUNT}],
            "deleteReplication": {"enabled": deletions},
        }
        self.here.put_replication_configuration(replicationConfiguration={"rules": [rule]})

    def repository(self) -> str:
        name = f"team/app-{next(_numbers)}"
        self.here.create_repository(repositoryName=name)
        return name

    def push(self, repository: str, one: Image, tag: str | None = None) -> None:
        upload_blobs(self.here, repository, one.blobs)
        put(self.here, repository, one, tag)

    def push_there(self, repository: str, one: Image, tag: str) -> None:
        """Push an image to the second server, without replication."""
        docker_of(self.target).push(repository, one, tag)

    def archive(self, repository: str, one: Image) -> None:
        self._move(repository, one, "ARCHIVE")

    def restore(self, repository: str, one: Image) -> None:
        self._move(repository, one, "STANDARD")

    def _move(self, repository: str, one: Image, target: str) -> None:
        image_id = {"imageDigest": one.manifest.digest}
        self.here.update_image_storage_class(repositoryName=repository, imageId=image_id, targetStorageClass=target)

    def storage_class_there(self, repository: str, one: Image) -> str:
        """The status of an image at the second server: ACTIVE or ARCHIVED."""
        image_ids = [{"imageDigest": one.manifest.digest}]
        described = self.there.describe_images(repositoryName=repository, imageIds=image_ids)
        return str(described["imageDetails"][0]["imageStatus"])

    def wait_for_marker(self, repository: str, seed: int) -> None:
        """Wait until all earlier changes of a repository have been replicated: entries are done in their order."""
        marker = image(seed=seed)
        self.push(repository, marker, f"marker-{seed}")
        assert self.wait(repository, marker) == ("COMPLETE", "")

    def reversed(self) -> Pair:
        """The pair in the other direction."""
        return Pair(self.target, self.there, self.here, self.source)

    def status(self, repository: str, one: Image) -> tuple[str, str]:
        """Status and failure code of an image at the destination."""
        answer = self.here.describe_image_replication_status(
            repositoryName=repository, imageId={"imageDigest": one.manifest.digest}
        )
        found = [(each["status"], each.get("failureCode", "")) for each in answer["replicationStatuses"]]
        return found[0] if found else ("NONE", "")

    def wait(self, repository: str, one: Image) -> tuple[str, str]:
        """The status that ends the wait for an image. Later the comparison may try what failed again."""
        seen = ("", "")

        def has_ended() -> bool:
            nonlocal seen
            seen = self.status(repository, one)
            return seen[0] in {"COMPLETE", "FAILED"}

        wait_until(has_ended)
        return seen

    def tags_there(self, repository: str) -> dict[str, str]:
        """The digests at the second server, by tag."""
        try:
            listed = self.there.list_images(repositoryName=repository)["imageIds"]
        except self.there.exceptions.RepositoryNotFoundException:
            return {}
        return {each["imageTag"]: each["imageDigest"] for each in listed if "imageTag" in each}

    def hurry(self) -> None:
        """Make everything due that waits at the source, and end the leases of processes that were killed."""

        def change(tx: Transaction) -> None:
            kinds = "('replication', 'compare-destinations', 'compare-destination')"
            tx.run(f"UPDATE job SET due_at = 1, lease = NULL WHERE kind IN {kinds}")
            tx.run("UPDATE replication_slot SET lease_end = 0")

        engine_of(self.source.data).transact(change)

    def operations_there(self) -> Counter[str]:
        """How often the second server did each operation."""
        return Counter(line["operation"] for line in self.requests_there())

    def requests_there(self) -> list[dict[str, Any]]:
        """The log lines of the second server for requests that succeeded."""
        lines = [json.loads(line) for line in self.target.output().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("status", 500) < 400]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """A source and a target that the tests of a module share."""
    folder = tmp_path_factory.mktemp("replication")
    started = []
    for name in ("source", "target"):
        one = Server(folder / name / "data")
        one.data.parent.mkdir()
        one.start()
        started.append(one)
    yield started[0], started[1]
    for one in started:
        if one.process is not None:
            one.stop()


@pytest.fixture
def pair(servers: tuple[Server, Server]) -> Iterator[Pair]:
    source, target = servers
    with aws_client(source, region=new_region()) as here, aws_client(target) as there:
        yield Pair(source, here, there, target)


@pytest.fixture
def proxy(pair: Pair) -> Iterator[Proxy]:
    """A proxy that the pair uses to reach the second server."""
    with proxy_before(pair.target.port) as started:
        pair.through = f"http://127.0.0.1:{started.port}"
        yield started


@pytest.fixture
def new_pair(tmp_path: Path) -> Iterator[Callable[[], Pair]]:
    """Creates two servers for one test alone, which may kill them."""
    clients, started = [], []

    def make() -> Pair:
        for name in ("source", "target"):
            one = Server(tmp_path / name / "data")
            one.data.parent.mkdir()
            one.start()
            started.append(one)
            clients.append(aws_client(one))
        here, there = (client.__enter__() for client in clients)
        return Pair(started[0], here, there, started[1])

    yield make
    for client in clients:
        client.__exit__(None, None, None)
    for one in started:
        if one.process is not None:
            one.stop()


@pytest.fixture
def distribution() -> Docker:
    host, port = shared_distribution().removeprefix("http://").split(":")
    return Docker(host, int(port), None)


def docker_of(server: Server) -> Docker:
    with aws_client(server) as ecr:
        return Docker(server.host, server.port, docker_password(ecr))
