"""Answers of an issuer of OpenID Connect that must not sign anybody in."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.console.client import Browser
from tests.support.http_client import Answer, Docker
from tests.support.issuer import Issuer
from tests.support.server import Server

ACCOUNT = "000000000000"
CLIENT = "moorage"
PERSON = {"email": "ann@example.com", "groups": ["ops", "dev"]}


class FakeIssuer:
    """An issuer whose answers a test decides: `claims` change those of the ID token, `answers` replace whole bodies."""

    def __init__(self) -> None:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.answer(self, b"")

            def do_POST(self) -> None:
                fake.answer(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.issuer = Issuer(self.url)
        self.reset()

    def reset(self) -> None:
        self.claims: dict[str, Any] = {}
        self.answers: dict[str, tuple[int, Any]] = {}
        self.nonce = ""
        self.forms: list[dict[str, list[str]]] = []
        self.key = self.issuer

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        path = urlsplit(handler.path).path
        if path == "/token":
            self.forms.append(parse_qs(body.decode()))
        status, value = self.answers.get(path) or (200, self._usual(path))
        content = json.dumps(value).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content)))
        if status == 302:
            handler.send_header("Location", f"{self.url}/elsewhere")
        handler.end_headers()
        handler.wfile.write(content)

    def _usual(self, path: str) -> Any:
        given = {"aud": CLIENT, "nonce": self.nonce, **PERSON, **self.claims}
        return {
            "/.well-known/openid-configuration": {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "userinfo_endpoint": f"{self.url}/userinfo",
            },
            "/keys": json.loads(self.issuer.key_set()),
            "/token": {"id_token": self.key.token(**given), "access_token": "access"},
            "/userinfo": {"sub": self.issuer.claims()["sub"], "department": "harbour"},
        }.get(path)


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeIssuer]:
    one = FakeIssuer()
    thread = threading.Thread(target=one.server.serve_forever)
    thread.start()
    yield one
    one.server.shutdown()
    one.server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def registry(fake: FakeIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with this issuer. Everybody of the group `ops` may have the role `ops`."""
    folder = tmp_path_factory.mktemp("openid")
    providers = folder / "providers.json"
    roles = [
        {"claim": "groups", "value": "admins", "role": f"arn:aws:iam::{ACCOUNT}:role/admins"},
        {"claim": "groups", "value": "ops", "role": f"arn:aws:iam::{ACCOUNT}:role/ops"},
    ]
    one = {"id": "work", "issuer": fake.url, "client_id": CLIENT, "roles": roles}
    providers.write_text(json.dumps({"provider": [one]}))
    server = Server(folder / "data")
    server.start(extra_args=["--sign-in-providers", str(providers)])
    trust = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{urlsplit(fake.url).netloc}"},
        },
    }
    server.moorage("role", "create", "ops", "--trust", "-", stdin=json.dumps(trust))
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _reset(fake: FakeIssuer) -> None:
    fake.reset()


class Visit:
    """A sign-in that began: what the server asked the issuer, and the cookie of the browser."""

    def __init__(self, server: Server, fake: FakeIssuer) -> None:
        self.http = Docker(server.host, server.port, None)
        begun = self.http.get("/console/sign-in/work")
        assert begun.status == 302, begun
        self.asked = {name: value for name, (value,) in parse_qs(urlsplit(begun.headers["Location"]).query).items()}
        self.cookie = begun.headers["Set-Cookie"].partition(";")[0]
        fake.nonce = self.asked["nonce"]

    def come_back(self, **parameters: str) -> Answer:
        given = {"code": "c0de", "state": self.asked["state"], **parameters}
        query = "&".join(f"{name}={value}" for name, value in given.items() if value)
        return self.http.get(f"/console/sign-in/work/callback?{query}", {"Cookie": self.cookie})


def failure_of(answer: Answer) -> str:
    """The word in the address that a browser is sent to after a failure; nobody is signed in."""
    assert answer.status == 302
    assert not any(line.startswith("moorage-console=") for line in answer.headers.get_all("Set-Cookie", []))
    address, _, word = answer.headers["Location"].partition("?failed=")
    assert address == "/console/"
    return str(word)


def test_a_good_answer_signs_in_with_the_first_role_whose_rule_applies(registry: Server, fake: FakeIssuer) -> None:
    visit = Visit(registry, fake)
    answer = visit.come_back()

    assert (answer.status, answer.headers["Location"]) == (302, "/console/")
    browser = Browser(registry)
    browser.cookie = answer.headers.get_all("Set-Cookie", [])[0].partition(";")[0]
    session = browser.send("GET", "/console/session").json()
    assert session["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/ops/ann@example.com"
    assert session["providers"] == [{"id": "work", "label": "work"}]
    (form,) = fake.forms
    assert form["grant_type"] == ["authorization_code"]
    assert visit.asked["code_challenge_method"] == "S256"
    assert len(form["code_verifier"][0]) >= 43  # RFC 7636, section 4.1


def test_the_cookie_of_a_sign_in_comes_back_from_the_issuer_and_lasts_minutes(registry: Server) -> None:
    begun = Docker(registry.host, registry.port, None).get("/console/sign-in/work")
    _, *attributes = begun.headers["Set-Cookie"].split("; ")
    assert attributes == ["Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=600"]


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"nonce": "other"}, id="another nonce"),
        pytest.param({"nonce": None}, id="no nonce"),
        pytest.param({"aud": "other"}, id="another client"),
        pytest.param({"aud": [CLIENT, "other"]}, id="two clients, and for neither"),
        pytest.param({"aud": [CLIENT, "other"], "azp": "other"}, id="two clients, and for the other"),
        pytest.param({"iss": "http://127.0.0.1:1"}, id="another issuer"),
        pytest.param({"exp": 1}, id="expired"),
    ],
)
def test_an_id_token_that_is_not_for_this_sign_in_is_refused(
    registry: Server, fake: FakeIssuer, claims: dict[str, Any]
) -> None:
    visit = Visit(registry, fake)
    fake.claims = claims
    assert failure_of(visit.come_back()) == "invalid"


def test_an_id_token_that_somebody_else_signed_is_refused(registry: Server, fake: FakeIssuer) -> None:
    visit = Visit(registry, fake)
    fake.key = Issuer(fake.url)
    assert failure_of(visit.come_back()) == "invalid"


@pytest.mark.parametrize("claims", [{"groups": ["dev"]}, {"groups": None}, {"groups": ["admins"]}])
def test_claims_without_a_role_sign_nobody_in(registry: Server, fake: FakeIssuer, claims: dict[str, Any]) -> None:
    """The rule of `admins` names a role that does not exist: that is not revealed."""
    visit = Visit(registry, fake)
    fake.claims = claims
    assert failure_of(visit.come_back()) == "no-role"


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"state": "other"}, "invalid"),
        ({"state": ""}, "invalid"),
        ({"code": "", "error": "access_denied"}, "denied"),
        ({"iss": "https://elsewhere.example"}, "invalid"),
    ],
)
def test_an_answer_to_another_question_is_refused(
    registry: Server, fake: FakeIssuer, parameters: dict[str, str], word: str
) -> None:
    assert failure_of(Visit(registry, fake).come_back(**parameters)) == word
    assert fake.forms == []


@pytest.mark.parametrize("cookie", ["", "moorage-sign-in=x", "moorage-sign-in="])
def test_only_the_browser_that_began_can_finish(registry: Server, fake: FakeIssuer, cookie: str) -> None:
    visit = Visit(registry, fake)
    visit.cookie = cookie
    assert failure_of(visit.come_back()) == "expired"
    assert fake.forms == []


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/token", (500, {})),
        ("/token", (302, {})),
        ("/token", (200, {"access_token": "only"})),
        ("/token", (200, ["id_token"])),
        ("/keys", (404, {})),
        ("/userinfo", (401, {})),
    ],
)
def test_an_issuer_that_does_not_do_its_part_signs_nobody_in(
    registry: Server, fake: FakeIssuer, path: str, answer: tuple[int, Any]
) -> None:
    visit = Visit(registry, fake)
    fake.answers[path] = answer
    assert failure_of(visit.come_back()) == "unavailable"


def test_userinfo_about_somebody_else_is_refused(registry: Server, fake: FakeIssuer) -> None:
    visit = Visit(registry, fake)
    fake.answers["/userinfo"] = (200, {"sub": "somebody else", "groups": ["ops"]})
    assert failure_of(visit.come_back()) == "invalid"


@pytest.mark.parametrize(
    "change", [{"issuer": "http://127.0.0.1:1"}, {"token_endpoint": "http://registry.example/token"}, {"jwks_uri": 1}]
)
def test_metadata_of_another_issuer_or_without_tls_is_refused(
    registry: Server, fake: FakeIssuer, change: dict[str, Any]
) -> None:
    visit = Visit(registry, fake)
    path = "/.well-known/openid-configuration"
    fake.answers[path] = (200, {**fake._usual(path), **change})
    assert failure_of(visit.come_back()) == "unavailable"


def test_a_provider_that_does_not_exist_is_not_found(registry: Server) -> None:
    http = Docker(registry.host, registry.port, None)
    assert http.get("/console/sign-in/other").status == 404
    assert http.get("/console/sign-in/work/elsewhere").status == 404


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "JSON"),
        ('{"provider": [{"id": "A B", "issuer": "https://i", "client_id": "c", "roles": [{"role": "r"}]}]}', "the id"),
        ('{"provider": [{"id": "a", "issuer": "https://i", "client_id": "c", "roles": []}]}', "has no roles"),
        ('{"provider": [{"id": "a", "issuer": "https://i", "client_id": "c", "role": []}]}', "role"),
    ],
)
def test_a_file_of_providers_that_cannot_be_used_is_reported_at_the_start(
    tmp_path: Path, text: str, reason: str
) -> None:
    file = tmp_path / "providers.json"
    file.write_text(text)
    server = Server(tmp_path / "data")
    server.launch(extra_args=["--sign-in-providers", str(file)])
    assert server.process is not None
    assert server.process.wait(60) == 2
    assert reason in server.output()
    assert "Traceback" not in server.output()
