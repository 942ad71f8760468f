"""Sign-in at the console with an access key or a link, and how sessions end."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.conftest import StartServer
from tests.console.client import Browser
from tests.support.aws import aws_client
from tests.support.server import Server

ALLOW = "AmazonEC2ContainerRegistryFullAccess"
_EXPORTED = re.compile(r"=(\S+)")


@pytest.fixture
def ann(server: Server) -> Iterator[tuple[str, str]]:
    """The access key of a user."""
    server.moorage("user", "create", "ann", "--policy", ALLOW)
    key, secret = _EXPORTED.findall(server.moorage("key", "create", "--user", "ann"))
    yield key, secret
    server.moorage("user", "delete", "ann")


def test_a_session_shows_who_signed_in_and_where_docker_finds_the_registry(server: Server, root: Browser) -> None:
    shown = root.send("GET", "/console/session").json()

    assert shown["signedIn"] is True
    assert shown["arn"] == "arn:aws:iam::000000000000:root"
    assert (shown["region"], shown["regions"]) == ("us-east-1", ["us-east-1"])
    assert shown["registryHost"] == f"{server.host}:{server.port}"
    assert shown["endpointUrl"] == server.url


def test_without_a_session_nothing_of_the_registry_is_shown(browser: Browser) -> None:
    answer = browser.send("GET", "/console/session")

    assert answer.status == 200
    assert set(answer.json()) == {"signedIn", "build", "providers"}


def test_no_script_reads_the_cookie_and_no_other_site_sends_it(server: Server, browser: Browser) -> None:
    environment = server.environment
    answer = browser.sign_in(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])

    _, *attributes = answer.headers["Set-Cookie"].split("; ")
    assert attributes == ["Path=/", "HttpOnly", "SameSite=Strict"]


@pytest.mark.parametrize("wrong", ["key", "secret", "both"])
def test_a_wrong_sign_in_does_not_say_what_was_wrong(browser: Browser, ann: tuple[str, str], wrong: str) -> None:
    key, secret = ann
    answer = browser.sign_in(
        "AKIAAAAAAAAAAAAAAAAA" if wrong in {"key", "both"} else key, "x" * 40 if wrong != "key" else secret
    )

    assert (answer.status, answer.json()) == (
        403,
        {"__type": "SignInFailed", "message": "The access key or its secret is not valid"},
    )
    assert answer.headers["Set-Cookie"] is None


def test_temporary_credentials_sign_in_too(server: Server, browser: Browser) -> None:
    with aws_client(server, "sts") as sts:
        given = sts.get_session_token()["Credentials"]
    answer = browser.sign_in(given["AccessKeyId"], given["SecretAccessKey"], sessionToken=given["SessionToken"])

    assert answer.status == 200, answer
    assert browser.call("DescribeRepositories").status == 200


def test_a_session_ends_with_sign_out_also_for_a_copy_of_its_cookie(root: Browser) -> None:
    copy = root.cookie
    answer = root.send("DELETE", "/console/session")

    assert (answer.status, answer.headers["Set-Cookie"].split("; ")[-1]) == (200, "Max-Age=0")
    root.cookie = copy
    assert root.call("DescribeRepositories").status == 401
    assert root.send("GET", "/console/session").json()["signedIn"] is False


def test_a_session_ends_when_its_access_key_is_deactivated(
    server: Server, browser: Browser, ann: tuple[str, str]
) -> None:
    browser.sign_in(*ann)
    assert browser.call("DescribeRepositories").status == 200

    server.moorage("key", "deactivate", ann[0])

    refused = browser.call("DescribeRepositories")
    assert (refused.status, refused.json()["__type"]) == (401, "SignedOut")


def test_a_session_is_renewed_while_it_is_used_and_ends_without_use(server: Server, root: Browser) -> None:
    shown = root.send("POST", "/console/session/renew").json()

    assert shown["signedIn"] is True
    assert shown["expires"] == root.send("GET", "/console/session").json()["expires"]


@pytest.mark.parametrize("cookie", ["", "x", "moorage-console=", "moorage-console=AAAA", f"moorage-console={'A' * 80}"])
def test_a_forged_cookie_is_no_session(browser: Browser, cookie: str) -> None:
    browser.cookie = cookie
    assert browser.call("DescribeRepositories").status == 401


def test_a_changed_cookie_is_no_session(root: Browser) -> None:
    root.cookie = root.cookie[:-2] + ("AA" if not root.cookie.endswith("AA") else "BB")
    assert root.call("DescribeRepositories").status == 401


def test_a_link_signs_in_one_browser_once(server: Server, browser: Browser) -> None:
    link = server.moorage("console").strip()
    address, _, token = link.partition("#")
    assert address == f"http://localhost:{server.port}/console/sign-in"

    answer = browser.send("POST", "/console/session", {"token": token})
    assert (answer.status, answer.json()["arn"]) == (200, "arn:aws:iam::000000000000:root")
    browser.build = answer.json()["build"]
    assert browser.call("DescribeRepositories").status == 200

    again = Browser(server)
    assert again.send("POST", "/console/session", {"token": token}).status == 403


def test_the_token_of_a_link_is_no_cookie(server: Server, browser: Browser) -> None:
    _, _, token = server.moorage("console").strip().partition("#")
    browser.cookie = f"moorage-console={token}"
    assert browser.call("DescribeRepositories").status == 401


@pytest.mark.parametrize("body", [[], "x", {"accessKeyId": 1}, {"user": "ann"}])
def test_a_sign_in_of_another_form_is_refused(browser: Browser, body: object) -> None:
    answer = browser.send("POST", "/console/session", body)
    assert (answer.status, answer.json()["__type"]) == (400, "SerializationException")


def test_sign_ins_that_fail_are_limited_for_their_address(fresh_server: StartServer) -> None:
    """They count like wrong signatures and passwords."""
    server = fresh_server(extra_args=["--max-failed-logins", "3", "--workers", "1"])
    browser = Browser(server)

    statuses = [browser.sign_in("AKIAAAAAAAAAAAAAAAAA", "wrong").status for _ in range(5)]

    assert statuses == [403, 403, 403, 429, 429]


def test_a_sign_in_that_is_too_long_is_refused_and_no_fault(server: Server, browser: Browser) -> None:
    answer = browser.send("POST", "/console/session", {"accessKeyId": "A" * 100_000})
    assert (answer.status, answer.json()["__type"]) == (413, "RequestEntityTooLargeException")
    assert "Traceback" not in server.output()


def test_an_address_with_too_many_parameters_is_refused_and_no_fault(server: Server, browser: Browser) -> None:
    for path in ("/console/sign-in/none", "/console/sign-in/none/callback"):
        answer = browser.http.get(f"{path}?{'&'.join(f'p{number}=' for number in range(101))}")
        assert answer.status in {302, 400}
    assert "Traceback" not in server.output()
