"""Servers that store layers in a real object store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.aws import aws_client, docker_password
from tests.support.http_client import Docker
from tests.support.object_store import ObjectStore
from tests.support.server import Server


class S3Server(Server):
    """A server with its own prefix in the bucket."""

    def __init__(self, data: Path, store: ObjectStore, *, port: int | None = None, redirect: bool = True) -> None:
        super().__init__(data)
        self.store = store
        self.prefix = f"servers/{self.port}"
        self._arguments = ["--blobs", store.setting(self.prefix, port), "--blob-redirect", "on" if redirect else "off"]

    def serve(self, other_env: Mapping[str, str] | None = None, *options: str) -> None:
        arguments = [*self._arguments, *options]
        self.start(extra_env={**self.store.environment, **(other_env or {})}, extra_args=arguments)

    def serve_unready(self, other_env: Mapping[str, str] | None = None) -> None:
        """Serve with one worker process, and wait until it answers instead of until it is ready."""
        arguments = [*self._arguments, "--workers", "1"]
        self.launch(extra_env={**self.store.environment, **(other_env or {})}, extra_args=arguments)
        self.wait_until_ready("/healthz")


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory: pytest.TempPathFactory, object_store: ObjectStore) -> Iterator[S3Server]:
    """A server that redirects pulls to the store, for all tests of a module. Use your own repository."""
    server = S3Server(tmp_path_factory.mktemp("s3") / "data", object_store)
    server.serve()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def ecr(s3_server: S3Server) -> Iterator[Any]:
    with aws_client(s3_server) as client:
        yield client


@pytest.fixture(scope="module")
def http(s3_server: S3Server, ecr: Any) -> Docker:
    return Docker(s3_server.host, s3_server.port, docker_password(ecr))
