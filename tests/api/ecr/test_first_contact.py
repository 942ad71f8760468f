"""First contact: a browser at the server's address, and clients of services that are not here."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.api.ecr.wire import CONTENT_TYPE, TARGET_PREFIX, Answer, Refusal, Wire, refusal
from tests.support.http_client import Docker
from tests.support.server import Server

BROWSERS = [
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",  # Firefox
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",  # Chromium
    "*/*, Text/HTML ; q=0.1",
]
OTHERS = [None, "*/*", "application/json", "text/html;q=0", "text/html; q=0.000, */*", "text/html2", "text/*"]


@pytest.fixture
def anybody(server: Server) -> Docker:
    """A client without credentials."""
    return Docker(server.host, server.port, None)


class Elements(HTMLParser):
    """The elements of a page, with their attributes, and the text of its style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.style = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] == "style" and not self.style:
            self.style = data

    def attributes(self) -> Iterator[tuple[str, str | None]]:
        for _, attributes in self.found:
            yield from attributes.items()


# --- The page for browsers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", BROWSERS)
def test_a_browser_gets_a_page_that_says_what_this_server_is(anybody: Docker, accept: str) -> None:
    answer = anybody.get("/", {"Accept": accept})

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    text = answer.body.decode()
    for part in ("Moorage", "This server is up.", "Amazon ECR", "docker login", "<h2>Documentation</h2>"):
        assert part in text


def test_the_page_has_no_script_and_its_policy_allows_only_its_style(anybody: Docker) -> None:
    answer = anybody.get("/", {"Accept": BROWSERS[0]})
    page = Elements(answer.body.decode())
    style = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    directives = [directive.strip() for directive in answer.headers["Content-Security-Policy"].split(";")]

    assert directives == [
        "default-src 'none'",
        f"style-src 'sha256-{style}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert {"script", "img", "link", "iframe", "form", "object"}.isdisjoint(tag for tag, _ in page.found)
    assert not [name for name, _ in page.attributes() if name.startswith("on") or name in {"style", "src"}]
    links = [target or "" for name, target in page.attributes() if name == "href"]
    assert all(target.startswith("https://") or target == "/console/" for target in links)


def test_the_page_is_the_same_for_everybody_and_names_nothing_of_the_registry(
    http: Docker, anybody: Docker, repository: str
) -> None:
    pages = {client.get("/", {"Accept": BROWSERS[0]}).body for client in (http, anybody)}
    elsewhere = anybody.get("/", {"Accept": BROWSERS[0], "Host": "registry.example", "Cookie": "a=b"}).body

    assert pages == {elsewhere}
    assert repository.encode() not in elsewhere


def test_a_head_request_of_a_browser_has_the_length_of_the_page(anybody: Docker) -> None:
    head, page = (anybody.request(method, "/", None, {"Accept": BROWSERS[0]}) for method in ("HEAD", "GET"))

    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["Content-Length"]) == len(page.body)


@pytest.mark.parametrize("accept", OTHERS)
def test_other_clients_get_the_error_of_an_aws_service(anybody: Docker, accept: str | None) -> None:
    answer = anybody.get("/", {} if accept is None else {"Accept": accept})

    assert (answer.status, answer.headers["Content-Type"]) == (400, CONTENT_TYPE)
    assert answer.json() == {"__type": "UnknownOperationException"}


def test_an_api_call_that_accepts_html_is_an_api_call(wire: Wire) -> None:
    signed = wire.signer.headers(TARGET_PREFIX + "DescribeRegistry", b"{}") | {"Accept": BROWSERS[0]}

    answer: Answer = wire.send(signed, b"{}")

    assert answer.json()["registryId"]


@pytest.mark.parametrize("path", ["/v2/", "/index.html", "/healthz"])
def test_other_paths_have_no_page(anybody: Docker, path: str) -> None:
    answer = anybody.get(path, {"Accept": BROWSERS[0]})

    assert not re.match("text/html", answer.headers["Content-Type"])


# --- Services that are not here ----------------------------------------------------------------------------------

NEITHER = "Moorage serves the services ecr, iam, kms, moorage, secretsmanager, signer and sts, not {}."
PUBLIC = "Public registries are not supported; for private repositories, use the service ecr."
ENDPOINTS = (
    "To let other services keep their own endpoints, set AWS_ENDPOINT_URL_ECR and AWS_ENDPOINT_URL_STS instead of "
    "AWS_ENDPOINT_URL."
)


class Elsewhere(NamedTuple):
    """A call of a service that is not here, and the code and advice of the response. `signed` names the service."""

    service: str
    signed: str
    operation: str
    request: dict[str, Any]
    code: str
    advice: str = ENDPOINTS


ELSEWHERE = [
    Elsewhere("sns", "sns", "list_topics", {}, "InvalidAction"),
    Elsewhere("ec2", "ec2", "describe_instances", {}, "InvalidAction"),
    Elsewhere("route53", "route53", "list_hosted_zones", {}, "InvalidAction"),
    Elsewhere("s3", "s3", "list_buckets", {}, "InvalidRequest"),
    Elsewhere("s3", "s3", "get_object", {"Bucket": "bucket", "Key": "a/b"}, "InvalidRequest"),
    Elsewhere("s3", "s3", "put_object", {"Bucket": "bucket", "Key": "k", "Body": b"x" * 300_000}, "InvalidRequest"),
    Elsewhere("ecr-public", "ecr-public", "describe_repositories", {}, "UnknownOperationException", PUBLIC),
    Elsewhere("ecr-public", "ecr-public", "get_authorization_token", {}, "UnknownOperationException", PUBLIC),
    Elsewhere("ecs", "ecs", "list_clusters", {}, "UnknownOperationException"),
    Elsewhere("ssm", "ssm", "describe_parameters", {}, "UnknownOperationException"),
    Elsewhere("eks", "eks", "list_clusters", {}, "UnknownOperationException"),
    Elsewhere("lambda", "lambda", "list_functions", {}, "UnknownOperationException"),
]


@pytest.mark.parametrize("call", ELSEWHERE, ids=lambda call: f"{call.service}-{call.operation}")
def test_a_service_that_is_not_here_answers_in_its_protocol_which_are(server: Server, call: Elsewhere) -> None:
    refused = refusal(getattr(client_of_another(server, call.service), call.operation), **call.request)

    assert refused == (400, call.code, f"{NEITHER.format(call.signed)} {call.advice}")


def client_of_another(server: Server, service: str, secret: str | None = None) -> Any:
    """boto3's client of any service, with the server as its endpoint as `AWS_ENDPOINT_URL` sets it."""
    environment = server.environment
    return boto3.session.Session().client(
        service,
        region_name="us-east-1",
        endpoint_url=server.url,
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=secret or environment["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}),
    )


def test_the_answer_depends_on_the_service_only_and_not_on_the_credentials(server: Server) -> None:
    def answer(secret: str | None) -> Refusal:
        return refusal(client_of_another(server, "sns", secret).list_topics)

    assert answer(None) == answer("x" * 40)


def test_a_client_that_reads_only_the_head_gets_the_status(server: Server) -> None:
    with pytest.raises(ClientError, match="400"):
        client_of_another(server, "s3").head_bucket(Bucket="bucket")


@pytest.mark.parametrize("service", ["", "ecr'--", "<b>", "x" * 41, "IAM"])
def test_a_name_that_no_service_has_is_not_repeated(wire: Wire, service: str) -> None:
    signed = wire.signer.headers("Thing.List", b"{}")
    signed["authorization"] = signed["authorization"].replace("/ecr/", f"/{service}/")

    assert wire.send(signed, b"{}").json() == {"__type": "UnknownOperationException"}
