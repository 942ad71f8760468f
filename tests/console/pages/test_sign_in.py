"""Signing in and out in a browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.support.chromium import require_accessible
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
    expect(signed_in).not_to_have_url("#")
    assert "#" not in signed_in.url
