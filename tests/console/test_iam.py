"""Calls of IAM with the session of a browser: a form that names the service in X-Amz-Target, and an answer in JSON."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from moorage.aws.query import FORM
from tests.console.client import Browser
from tests.console.test_sessions import ann
from tests.support.http_client import Answer
from tests.support.server import Server

__all__ = ["ann"]


def call(browser: Browser, action: str, **parameters: str) -> Answer:
    headers = {
        "Accept": "application/json",
        "Content-Type": FORM,
        "Cookie": browser.cookie,
        "Origin": browser.origin,
        "Sec-Fetch-Site": "same-origin",
        "X-Amz-Target": f"iam.{action}",
        "X-Moorage-Build": browser.build,
    }
    body = urlencode({"Action": action, "Version": "2010-05-08", **parameters}).encode()
    return browser.http.request("POST", "/console/api/", body, headers)


def test_the_console_manages_users_as_a_signed_request_does(root: Browser, server: Server) -> None:
    made = call(root, "CreateUser", UserName="of-the-console", Path="/people/")
    assert made.status == 200, made
    arn: Any = made.json()["CreateUserResponse"]["CreateUserResult"]["User"]["Arn"]
    assert arn == "arn:aws:iam::000000000000:user/people/of-the-console"
    assert "of-the-console\t-" in server.moorage("user", "list")

    again = call(root, "CreateUser", UserName="of-the-console")
    assert (again.status, again.json()["Error"]["Code"]) == (409, "EntityAlreadyExists")


def test_a_user_of_the_console_needs_the_permission(browser: Browser, ann: tuple[str, str]) -> None:
    browser.sign_in(*ann)

    refused = call(browser, "ListUsers")

    assert (refused.status, refused.json()["Error"]["Code"]) == (403, "AccessDenied")
