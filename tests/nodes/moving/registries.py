"""Registries to migrate: embedded ones, and registries with PostgreSQL and a bucket; and the command."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.durability.endpoints import Endpoints, Journal
from tests.support.aws import aws_client
from tests.support.commands import Ended, run_apart, run_here
from tests.support.images import Image, image, layer
from tests.support.object_store import KEY_ID, SECRET, ObjectStore
from tests.support.postgres import cluster
from tests.support.server import Server

_accounts = itertools.count(1)


class Registry:
    """A registry at `place`, which is a data folder or a configuration file, and its server."""

    def __init__(self, home: Path, settings: Mapping[str, Any] | None = None) -> None:
        home.mkdir(parents=True)
        self.server = Server(home / "data")
        self.server.settings = {}
        self.place = self.server.data
        self.arguments: tuple[str, ...] = ()
        if settings is not None:
            self.place = home / "moorage.toml"
            given = {"data": str(self.server.data), **settings}
            self.place.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in given.items()))
            self.arguments = ("--config", str(self.place))
            self.server.settings = {"MOORAGE_DATABASE": str(settings["database"])}  # For `moorage env`.

    @contextmanager
    def serving(self) -> Iterator[Endpoints]:
        try:
            self.server.start(extra_args=("--workers", "1", *self.arguments))
            with aws_client(self.server) as ecr:
                yield Endpoints(self.server, ecr)
        finally:
            if self.server.process is not None:
                self.server.stop()

    def accepts_changes(self) -> bool:
        """Whether a command can change something in this data folder, with or without a running server."""
        return run("account", "create", f"{next(_accounts):012}", "--data", self.place).code == 0

    def state(self) -> dict[str, Any]:
        """Everything that a client can see."""
        with self.serving() as endpoints:
            return endpoints.visible_state()

    def refuses_to_serve(self) -> str:
        """The error of a server that refuses to start."""
        ended = program("serve", "--data", self.server.data, "--listen", "127.0.0.1:0", *self.arguments)
        assert ended.code == 1, ended
        return ended.err


def on_postgres_and_s3(home: Path, store: ObjectStore) -> Registry:
    """An empty registry, without tables."""
    return Registry(
        home,
        {
            "database": cluster().new_database("template1"),
            "database_connections": 4,
            "blobs": store.setting(f"moving/{home.parent.name}-{home.name}"),
            "blob_redirect": False,
            "s3_access_key_id": KEY_ID,
            "s3_secret_access_key": SECRET,
        },
    )


def migrate(source: Registry, target: Registry, *more: str, **extra: str) -> Ended:
    """`moorage migrate --from … --to …`. `extra` are variables of its environment."""
    return run("migrate", "--from", source.place, "--to", target.place, *more, **extra)


def moved(source: Registry, target: Registry) -> str:
    """The output of a successful migration."""
    ended = migrate(source, target)
    assert (ended.code, ended.err) == (0, ""), ended
    assert ended.out.startswith("Moved: "), ended
    return ended.out


def killed(source: Registry, target: Registry, point: str, *more: str) -> None:
    """Migrate, and kill the command at a failpoint."""
    name, _, passing = point.partition(":")
    failpoints = f"{name}=kill:{passing}"
    ended = program("migrate", "--from", source.place, "--to", target.place, *more, MOORAGE_FAILPOINTS=failpoints)
    assert ended.code == -9, (point, ended)


def program(*words: str | Path, **extra: str) -> Ended:
    """Run `moorage` in a new process."""
    return run_apart(Path("/nowhere"), *words, variables=extra)


def run(*words: str | Path, **extra: str) -> Ended:
    """Run `moorage` in this process."""
    return run_here(*words, variables=extra)


@dataclass
class Pusher:
    """Pushes one image after the other, and remembers which ones were acknowledged."""

    endpoints: Endpoints
    repository: str = "team/app"
    journal: Journal = field(default_factory=Journal)
    number: int = 0

    def push(self, pushed: Image | None = None) -> Image:
        """Push a new image. Raises AssertionError if a part of it is refused."""
        self.number += 1
        pushed = pushed or image([layer(20_000, seed=self.number), layer(10, seed=-self.number)])
        for blob in pushed.blobs:
            self.endpoints.docker.push_blob(self.repository, blob)
            self.journal.layer(self.repository, blob)
        with self.journal.tagging(self.repository, f"v{self.number}", pushed.manifest):
            self.endpoints.docker.push(self.repository, Image(pushed.manifest, ()), f"v{self.number}")
        return pushed

    def push_until_refused(self) -> None:
        """At most ten images a second, until the registry is sealed."""
        try:
            while True:
                self.push()
                time.sleep(0.1)
        except AssertionError as refused:
            assert "accepts no changes here" in str(refused)  # noqa: PT017 - in a thread of its own
