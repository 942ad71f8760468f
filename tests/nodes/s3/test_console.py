"""The console at a server with PostgreSQL and an object store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.nodes.s3.conftest import S3Server
from tests.support.aws import aws_client, docker_password
from tests.support.chromium import browser, sign_in_by_link, watched_page
from tests.support.http_client import Docker
from tests.support.images import image, layer
from tests.support.object_store import ObjectStore
from tests.support.postgres import cluster

NAME = "console/large"
LONG = image([layer(1 << 20, seed=1)], config={"config": {"Env": [f"NUMBER_{n}={'x' * 100}" for n in range(2000)]}})
"""An image whose configuration is so large that clients are redirected to the store for it."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, object_store: ObjectStore) -> Iterator[S3Server]:
    one = S3Server(tmp_path_factory.mktemp("console") / "data", object_store)
    one.settings = {"MOORAGE_DATABASE": cluster().new_database()}
    one.serve()
    with aws_client(one) as ecr:
        ecr.create_repository(repositoryName=NAME)
        Docker(one.host, one.port, docker_password(ecr)).push(NAME, LONG, "v1")
    yield one
    one.stop()


@pytest.fixture(scope="module")
def page(server: S3Server) -> Iterator[Page]:
    with browser() as running, watched_page(running, f"http://localhost:{server.port}") as one:
        sign_in_by_link(one, server.moorage("console").strip())
        yield one


def test_pages_read_layers_from_this_server_not_from_the_store(page: Page) -> None:
    """Their content security policy allows no other origin."""
    page.goto(f"/console/repositories/{NAME}/-/images/{LONG.manifest.digest}/layers")
    expect(page.get_by_text("NUMBER_1=").first).to_be_visible()


def test_repositories_are_searched_in_postgresql(page: Page) -> None:
    page.goto("/console/repositories")
    page.get_by_placeholder("Find repositories whose name begins with").fill("console/")
    expect(page.get_by_role("link", name=NAME)).to_be_visible()


def test_other_clients_are_redirected_to_the_store(server: S3Server) -> None:
    with aws_client(server) as ecr:
        client: Any = Docker(server.host, server.port, docker_password(ecr))
    path = f"/v2/{NAME}/blobs/{LONG.blobs[0].digest}"
    assert client.get(path).status == 307
    assert client.get(path, {"X-Moorage-Build": "1"}).body == LONG.blobs[0].content
