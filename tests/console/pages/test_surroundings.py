"""What surrounds the screens: languages, themes, the keyboard, sessions that end, and servers that are down."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.conftest import StartServer
from tests.support.chromium import require_accessible, sign_in_by_link, take_picture, watched_page
from tests.support.server import Server


def test_the_pages_are_in_the_language_of_the_browser(chromium: Browser, server: Server) -> None:
    with watched_page(chromium, f"http://localhost:{server.port}", locale="de-DE") as page:
        page.goto(server.moorage("console").strip())
        expect(page.get_by_role("heading", level=1)).to_have_text("Repositorys")
        assert page.locator("html").get_attribute("lang") == "de"


def test_the_pages_are_dark_where_the_system_is(chromium: Browser, server: Server) -> None:
    with watched_page(chromium, f"http://localhost:{server.port}", color_scheme="dark") as page:
        sign_in_by_link(page, server.moorage("console").strip())
        require_accessible(page)
        take_picture(page, "dark")
        text = page.evaluate("getComputedStyle(document.querySelector('h1')).color")
        assert min(map(int, re.findall(r"\d+", text)[:3])) > 200


def test_at_200_percent_nothing_is_cut_off(chromium: Browser, server: Server) -> None:
    size = {"width": 720, "height": 450}
    with watched_page(chromium, f"http://localhost:{server.port}", viewport=size, device_scale_factor=2) as page:
        sign_in_by_link(page, server.moorage("console").strip())
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_the_keyboard_reaches_the_content_first(signed_in: Page) -> None:
    signed_in.keyboard.press("Tab")
    skip = signed_in.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    signed_in.keyboard.press("Enter")
    assert signed_in.evaluate("document.activeElement.closest('main, #content') !== null")


def test_a_session_that_ends_in_a_form_loses_nothing_that_was_typed(signed_in: Page, server: Server, ecr: Any) -> None:
    signed_in.goto("/console/repositories/-/create")
    signed_in.get_by_label("Name", exact=True).fill("kept/typed")
    signed_in.context.clear_cookies()
    signed_in.get_by_role("button", name="Create repository").click()

    dialog = signed_in.get_by_role("dialog")
    expect(dialog.get_by_text("Your session has ended")).to_be_visible()
    dialog.get_by_label("Access key ID").fill(server.environment["AWS_ACCESS_KEY_ID"])
    dialog.get_by_label("Secret access key").fill(server.environment["AWS_SECRET_ACCESS_KEY"])
    dialog.get_by_role("button", name="Sign in").click()
    expect(signed_in.get_by_text("Created the repository kept/typed")).to_be_visible()
    assert ecr.describe_repositories(repositoryNames=["kept/typed"])["repositories"]


def test_a_server_that_is_down_is_said_and_found_again(chromium: Browser, fresh_server: StartServer) -> None:
    server = fresh_server()
    with watched_page(chromium, f"http://localhost:{server.port}") as page:
        sign_in_by_link(page, server.moorage("console").strip())
        server.stop()
        page.get_by_role("button", name="Refresh").click()
        expect(page.get_by_text("The server does not answer at the moment").first).to_be_visible()

        server.start()
        expect(page.get_by_text("The server does not answer at the moment")).to_have_count(0)
        expect(page.get_by_text("There are no repositories yet")).to_be_visible()


def test_pages_of_another_build_offer_to_load_again(signed_in: Page) -> None:
    old = {"x-moorage-build": "old"}
    signed_in.route("**/console/api/", lambda route: route.continue_(headers={**route.request.headers, **old}))
    signed_in.get_by_role("button", name="Refresh").click()

    expect(signed_in.get_by_text("The server was updated").first).to_be_visible()


def test_an_unknown_address_says_so(signed_in: Page) -> None:
    signed_in.goto("/console/somewhere/else")
    expect(signed_in.get_by_role("heading", name="There is no such page")).to_be_visible()
    require_accessible(signed_in)
