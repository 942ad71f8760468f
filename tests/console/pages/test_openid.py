"""Signing in with OpenID Connect: a real issuer, a real browser, and a server that has it in its settings."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import StartServer
from tests.support.chromium import watched_page
from tests.support.clients import program_environment, require_client
from tests.support.http_client import Docker
from tests.support.ports import free_port
from tests.support.server import Server
from tests.support.waiting import wait_until

ACCOUNT = "000000000000"
PERSON, PASSWORD = "test-user@localhost", "verysecure"
EMAIL = "test-user@zitadel.ch"


@pytest.fixture
def issuer_port() -> int:
    return free_port()


@pytest.fixture
def server(fresh_server: StartServer, tmp_path: Path, issuer_port: int) -> Server:
    """A server that lets people with an address of one domain sign in."""
    file = tmp_path / "providers.toml"
    (tmp_path / "secret").write_text("secret\n")
    file.write_text(
        f"""
[[provider]]
id = "work"
label = "Work"
issuer = "http://localhost:{issuer_port}/"
client_id = "web"
client_secret_file = "secret"

[[provider.roles]]
claim = "email"
value = "{EMAIL}"
role = "arn:aws:iam::{ACCOUNT}:role/people"
"""
    )
    one = fresh_server(extra_args=["--sign-in-providers", str(file)])
    trust = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/localhost:{issuer_port}/"},
            "Condition": {"StringEquals": {f"localhost:{issuer_port}/:email_verified": "true"}},
        },
    }
    one.moorage("role", "create", "people", "--trust", "-", stdin=json.dumps(trust))
    one.moorage("role", "attach", "people", "AmazonEC2ContainerRegistryPowerUser")
    return one


@pytest.fixture(autouse=True)
def issuer(server: Server, issuer_port: int, tmp_path: Path) -> Iterator[None]:
    """The issuer, a program of others (github.com/zitadel/oidc), which knows the server's address."""
    callback = f"http://localhost:{server.port}/console/sign-in/work/callback"
    environment = program_environment(tmp_path, {"PORT": str(issuer_port), "REDIRECT_URI": callback})
    with (tmp_path / "issuer.log").open("wb") as log:
        program = subprocess.Popen([require_client("oidc-provider")], env=environment, stdout=log, stderr=log)
    http = Docker("localhost", issuer_port, None)

    def answers() -> bool:
        try:
            return http.get("/.well-known/openid-configuration").status == 200
        except OSError:
            return False

    wait_until(answers)
    yield
    program.kill()
    program.wait()


@pytest.fixture
def page(chromium: Browser, server: Server) -> Iterator[Page]:
    with watched_page(chromium, f"http://localhost:{server.port}") as one:
        yield one


def log_in(page: Page) -> None:
    """Log in at the issuer."""
    page.get_by_label("Username").fill(PERSON)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button").click()


def test_a_person_signs_in_with_an_issuer_and_has_the_role_of_the_claims(page: Page, server: Server) -> None:
    page.goto("/console/")
    page.get_by_role("link", name="Work").click()
    log_in(page)

    expect(page.get_by_role("heading", name="Repositories", exact=True)).to_be_visible()
    session = page.evaluate("fetch('/console/session').then((answer) => answer.json())")
    assert session["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/people/{EMAIL}"


def test_a_person_without_a_role_is_told_so(page: Page, server: Server) -> None:
    server.moorage("role", "delete", "people")
    page.goto("/console/")
    page.get_by_role("link", name="Work").click()
    log_in(page)

    expect(page.get_by_text("You have no role in this registry")).to_be_visible()
    (record,) = [
        json.loads(line) for line in (server.data / "audit.jsonl").read_text().splitlines() if "ConsoleLogin" in line
    ]
    assert record["responseElements"] == {"ConsoleLogin": "Failure"}
