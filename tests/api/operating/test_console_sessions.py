"""ListConsoleSessions and EndConsoleSession."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.ecr.wire import refusal
from tests.api.services.calls import ACCOUNT, Person, client_of
from tests.console.client import Browser
from tests.support.server import Server

ROOT = f"arn:aws:iam::{ACCOUNT}:root"
TARGET = "Moorage_V1.{}"


def signed_in(server: Server) -> Browser:
    browser = Browser(server)
    environment = server.environment
    assert browser.sign_in(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]).status == 200
    return browser


def call(browser: Browser, operation: str, members: dict[str, Any] | None = None) -> Any:
    return browser.call("", members, X_Amz_Target=TARGET.format(operation))


def test_a_browser_sees_its_session_and_those_of_others_and_ends_them(server: Server) -> None:
    here, there = signed_in(server), signed_in(server)

    sessions = call(here, "ListConsoleSessions").json()["sessions"]
    (own,) = (each for each in sessions if each["isCurrent"])
    assert (own["principalArn"], own["isLink"], own["sourceIpAddress"]) == (ROOT, False, "127.0.0.1")
    assert own["startedAt"] < own["expiresAt"]
    (of_the_other,) = (each for each in call(there, "ListConsoleSessions").json()["sessions"] if each["isCurrent"])
    assert sessions.index(of_the_other | {"isCurrent": False}) < sessions.index(own)  # The newest come first.

    assert call(here, "EndConsoleSession", {"sessionId": of_the_other["sessionId"]}).status == 200
    assert call(there, "ListConsoleSessions").status == 401
    assert call(here, "ListConsoleSessions").status == 200


def test_links_are_listed_and_withdrawn(server: Server, moorage: Any) -> None:
    before = {each["sessionId"] for each in moorage.list_console_sessions()["sessions"]}
    link = server.moorage("console").strip()
    (made,) = (each for each in moorage.list_console_sessions()["sessions"] if each["sessionId"] not in before)

    assert (made["isLink"], made["principalArn"]) == (True, ROOT)
    assert "sourceIpAddress" not in made

    moorage.end_console_session(sessionId=made["sessionId"])
    used = Browser(server).send("POST", "/console/session", {"token": link.partition("#")[2]})
    assert used.status == 403


def test_sessions_are_listed_by_pages(server: Server, moorage: Any, all_of: Callable[..., list[Any]]) -> None:
    for _ in range(3):
        signed_in(server)

    whole = moorage.list_console_sessions()["sessions"]
    assert all_of(moorage.list_console_sessions, "sessions", maxResults=2) == whole
    assert len(whole) >= 3
    assert [each["startedAt"] for each in whole] == sorted((each["startedAt"] for each in whole), reverse=True)


@pytest.mark.parametrize("of_another", [True, False])
def test_a_session_of_another_account_is_as_unknown_as_none(server: Server, moorage: Any, of_another: bool) -> None:
    signed_in(server)
    session_id = moorage.list_console_sessions()["sessions"][0]["sessionId"] if of_another else "nothing"
    exports = server.moorage("account", "create", "333333333333" if of_another else "444444444444").splitlines()
    key, secret = (line.partition("=")[2] for line in exports if line.startswith("export "))
    stranger = client_of(server, "moorage", Person("root", key, secret))

    assert refusal(stranger.end_console_session, sessionId=session_id) == (
        400,
        "ResourceNotFoundException",
        f"The account has no session {session_id}",
    )
    assert stranger.list_console_sessions()["sessions"] == []
