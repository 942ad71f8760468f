"""A registry to back up, and registries restored from its backup."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.durability.endpoints import Endpoints, endpoints_of
from tests.nodes.moving.registries import Pusher
from tests.support.commands import Ended, run_apart, run_here
from tests.support.server import Server

REPOSITORY = "team/app"


@dataclass
class Source:
    """A running server with one repository, the client that pushes to it, and the folder for its backup."""

    server: Server
    endpoints: Endpoints
    pusher: Pusher
    backup: Path

    def back_up(self, *options: str) -> Ended:
        return self.run("backup", str(self.backup), *options)

    def run(self, *words: str) -> Ended:
        return run_here(*words, "--data", self.server.data)

    def run_apart(self, *words: str, extra: Mapping[str, str]) -> Ended:
        """Run a command in a process of its own, which may crash."""
        return run_apart(self.backup.parent, *words, "--data", self.server.data, variables=extra)

    def backed_up(self, *options: str) -> str:
        """The output of a successful backup."""
        ended = self.back_up(*options)
        assert (ended.code, ended.err) == (0, ""), ended
        return ended.out

    def delete(self, tag: str) -> None:
        """Delete an image and collect it at once."""
        self.endpoints.ecr.batch_delete_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": tag}])
        ended = self.run("collect", "--grace", "0")
        assert ended.code == 0, ended

    def blob_keys(self) -> set[str]:
        return keys_in(self.server.data)


def keys_in(folder: Path) -> set[str]:
    """The keys of all blobs in a data folder or a backup."""
    return {path.relative_to(folder).as_posix() for path in (folder / "blobs").rglob("*-*") if path.is_file()}


@contextmanager
def served(data: Path, **variables: str) -> Iterator[Endpoints]:
    """The endpoints of a server on a data folder, with embedded metadata."""
    server = Server(data)
    server.settings = {}
    server.start(extra_args=["--workers", "1"], extra_env=variables)
    try:
        with endpoints_of(server) as endpoints:
            yield endpoints
    finally:
        if server.process is not None:
            server.stop()


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Source]:
    with served(tmp_path / "data") as endpoints:
        endpoints.ecr.create_repository(repositoryName=REPOSITORY)
        yield Source(endpoints.server, endpoints, Pusher(endpoints, REPOSITORY), tmp_path / "backup")


Restore = Callable[[], Endpoints]


@pytest.fixture
def restore(source: Source, tmp_path: Path) -> Iterator[Restore]:
    """Restores the backup as docs/operations.md says: copy it, add the master key, start a server, verify."""
    with ExitStack() as servers:

        def restored() -> Endpoints:
            place = Path(tempfile.mkdtemp(prefix="restored-", dir=tmp_path)) / "data"
            subprocess.run(["cp", "-a", source.backup, place], check=True)
            subprocess.run(["install", "-m", "600", source.server.data / "master.key", place], check=True)
            endpoints = servers.enter_context(served(place))
            ended = run_here("verify", "--data", place)
            assert ended.code == 0, ended
            assert ended.out.endswith("0 of them not repaired.\n")
            return endpoints

        yield restored
