"""Chromium for tests of the console: one browser for a test process, and pages that are watched."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, expect, sync_playwright

from moorage.console import static_files
from tests.support.clients import require_client, unavailable

_ARGUMENTS: Final = (
    "--no-sandbox",  # for root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_AXE: Final = Path(__file__).parents[2] / "console" / "node_modules" / "axe-core" / "axe.min.js"
_SERIOUS: Final = frozenset({"serious", "critical"})
_PATIENCE: Final = 60_000
"""Milliseconds."""

_AT_REST: Final = """
Promise.allSettled(document.getAnimations()
    .filter(({ effect }) => effect.getComputedTiming().iterations !== Infinity)
    .map((animation) => animation.finished))
"""
"""Waits for the animations that end."""

_SIZE: Final = {"width": 1280, "height": 800}


@contextmanager
def browser() -> Iterator[Browser]:
    """A running browser. Skips the test without Chromium, or if the pages are not built."""
    program = require_client("chromium")
    if not static_files.are_built():
        unavailable("the console is not built: run `make console`")
    expect.set_options(timeout=_PATIENCE)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        yield running
        running.close()


@contextmanager
def watched_page(running: Browser, address: str, **options: Any) -> Iterator[Page]:
    """A page of its own, whose relative addresses are below `address`.

    Afterwards nothing may have been refused by the content security policy, and no script may have failed.
    """
    context = running.new_context(**{"base_url": address, "viewport": _SIZE, "locale": "en-US", **options})
    context.set_default_timeout(_PATIENCE)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if "Security Policy" in message.text else None)
    yield page
    context.close()
    assert faults == []


def sign_in_by_link(page: Page, link: str) -> None:
    """Sign in with a one-time link of `moorage console`. The session is there when this returns."""
    page.goto(link)
    page.get_by_role("heading", name="Repositories", exact=True).wait_for()


def require_accessible(page: Page) -> None:
    """Assert that axe finds nothing serious on the page as it is shown."""
    page.evaluate(_AT_REST)  # What fades in or out has too little contrast for a moment.
    page.evaluate(_axe())
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    serious = [each for each in found["violations"] if each["impact"] in _SERIOUS]
    assert [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in serious] == []


def take_picture(page: Page, name: str) -> None:
    """Keep a picture of the page for the documents, if the variable `MOORAGE_PICTURES` names a folder."""
    folder = os.environ.get("MOORAGE_PICTURES")
    if folder is not None:
        page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled")


@functools.cache
def _axe() -> str:
    if not _AXE.exists():
        unavailable("axe-core is not installed: run `make console`")
    return _AXE.read_text()
