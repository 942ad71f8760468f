"""Pages of the console in Chromium, at a server of their own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.support.aws import aws_client, docker_password
from tests.support.chromium import browser, sign_in_by_link, watched_page
from tests.support.http_client import Docker
from tests.support.server import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for this folder: what other tests leave on the shared one would fill the first pages of lists."""
    one = Server(tmp_path_factory.mktemp("pages") / "data")
    one.start()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of a module. Its event loop runs in this thread, so others could run none meanwhile."""
    with browser() as running:
        yield running


@pytest.fixture
def page(chromium: Browser, server: Server) -> Iterator[Page]:
    """A page in which nobody has signed in."""
    with watched_page(chromium, f"http://localhost:{server.port}") as one:
        yield one


@pytest.fixture
def signed_in(page: Page, server: Server) -> Page:
    """A page in which the root user has signed in, with a link."""
    sign_in_by_link(page, server.moorage("console").strip())
    return page


_numbers = itertools.count(1)


@pytest.fixture
def ecr(server: Server) -> Iterator[Any]:
    with aws_client(server) as client:
        yield client


@pytest.fixture
def docker(server: Server, ecr: Any) -> Docker:
    """A docker client of the root user."""
    return Docker(server.host, server.port, docker_password(ecr))


@pytest.fixture
def repository(ecr: Any) -> str:
    """A repository of the test's own."""
    name = f"pages/app-{next(_numbers)}"
    ecr.create_repository(repositoryName=name)
    return name
