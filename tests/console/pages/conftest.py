"""Pages of the console in Chromium, at the shared server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.support.chromium import browser, watched_page
from tests.support.server import Server


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of a test process."""
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
    page.goto(server.moorage("console").strip())
    page.get_by_role("heading", name="Repositories", exact=True).wait_for()
    return page
