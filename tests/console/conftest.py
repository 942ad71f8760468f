"""The shared server, and browsers of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.console.client import Browser
from tests.support.aws import aws_client
from tests.support.server import Server


@pytest.fixture
def browser(server: Server) -> Browser:
    """A browser in which nobody has signed in."""
    return Browser(server)


@pytest.fixture
def root(server: Server, browser: Browser) -> Browser:
    """A browser in which the root user has signed in."""
    answer = browser.sign_in(server.environment["AWS_ACCESS_KEY_ID"], server.environment["AWS_SECRET_ACCESS_KEY"])
    assert answer.status == 200, answer
    return browser


@pytest.fixture
def ecr(server: Server) -> Iterator[Any]:
    with aws_client(server) as client:
        yield client
