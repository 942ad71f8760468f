"""Signing in and out in a browser."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, expect

from tests.support.chromium import require_accessible, watched_page
from tests.support.server import Server


def test_one_signs_in_with_an_access_key_and_out_again(page: Page, server: Server) -> None:
    page.goto("/console/")
    require_accessible(page)
    page.get_by_label("Access key ID").fill(server.environment["AWS_ACCESS_KEY_ID"])
    page.get_by_label("Secret access key").fill(server.environment["AWS_SECRET_ACCESS_KEY"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Repositories", exact=True)).to_be_visible()
    require_accessible(page)

    page.get_by_role("button", name="root").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_label("Access key ID")).to_be_visible()


def test_a_wrong_secret_is_said_without_losing_the_key(page: Page, server: Server) -> None:
    page.goto("/console/")
    page.get_by_label("Access key ID").fill(server.environment["AWS_ACCESS_KEY_ID"])
    page.get_by_label("Secret access key").fill("wrong")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_text("The access key or its secret is not valid")).to_be_visible()
    expect(page.get_by_label("Access key ID")).to_have_value(server.environment["AWS_ACCESS_KEY_ID"])


def test_a_link_of_the_owner_signs_in(signed_in: Page) -> None:
    """The token leaves the address at once, so it is not in the history of the browser."""
    assert signed_in.url.endswith("/console/")


def test_a_link_that_was_used_says_so(chromium: Browser, page: Page, server: Server) -> None:
    link = server.moorage("console").strip()
    with watched_page(chromium, server.url) as first:
        first.goto(link)
        expect(first.get_by_role("heading", name="Repositories", exact=True)).to_be_visible()
    page.goto(link)

    expect(page.get_by_text("This link was used already, or it has expired")).to_be_visible()
    expect(page.get_by_label("Access key ID")).to_be_visible()
