"""Reverse proxies, whose headers count only if the server trusts them; and mirrors with `?ns=`."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config

from moorage.core.registry.addresses import Addresses
from moorage.domain.names import Registry
from moorage.http.forwarding import TrustedProxies
from moorage.http.messages import RequestHead
from tests.conftest import StartServer
from tests.support.aws import aws_client
from tests.support.server import Server
from tests.support.waiting import PATIENCE_SECONDS

REGISTRY = Registry("000000000000", "us-east-1")


def applied(networks: list[str], peer: str, *headers: tuple[str, str]) -> RequestHead:
    """The head of a plain HTTP request from `peer`, after the headers of trusted proxies were applied."""
    head = head_of(peer, *headers)
    TrustedProxies(networks).apply(head)
    return head


def head_of(peer: str, *headers: tuple[str, str]) -> RequestHead:
    pairs = [(b"host", b"inside:5000"), *((name.encode(), value.encode()) for name, value in headers)]
    head = RequestHead("GET", b"/", pairs)
    head.client = peer
    return head


def host_of(head: RequestHead) -> bytes:
    return next(value for name, value in head.headers if name == b"host")


SAID = (
    ("x-forwarded-for", "203.0.113.9"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "registry.example"),
)


@pytest.mark.parametrize(
    ("networks", "peer"),
    [(["10.0.0.0/8"], "10.1.2.3"), (["10.1.2.3"], "10.1.2.3"), (["::1"], "::1"), (["10.0.0.0/8"], "::ffff:10.1.2.3")],
)
def test_headers_of_a_trusted_proxy_are_used(networks: list[str], peer: str) -> None:
    head = applied(networks, peer, *SAID)

    assert head.client == "203.0.113.9"
    assert head.scheme == "https"
    assert host_of(head) == b"registry.example"
    assert head.reached_at == ("https", "registry.example")


@pytest.mark.parametrize(("networks", "peer"), [([], "10.1.2.3"), (["10.0.0.0/8"], "11.1.2.3"), (["::1"], "unix")])
def test_headers_of_other_clients_are_ignored(networks: list[str], peer: str) -> None:
    head = applied(networks, peer, *SAID)

    assert (head.client, head.scheme, host_of(head)) == (peer, "http", b"inside:5000")
    assert head.reached_at is None


@pytest.mark.parametrize(
    ("forwarded_for", "client"),
    [
        ("203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("203.0.113.9:1234", "203.0.113.9"),
        ("[2001:db8::1]:1234", "2001:db8::1"),
    ],
)
def test_the_client_is_the_last_address_that_is_not_a_trusted_proxy(forwarded_for: str, client: str) -> None:
    """The client itself may have written the addresses before that one."""
    assert applied(["10.0.0.0/8"], "10.0.0.1", ("x-forwarded-for", forwarded_for)).client == client


@pytest.mark.parametrize(
    ("hops", "forwarded_for", "client"),
    [
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.1, 10.9.9.9", "10.9.9.9"),  # A client in the trusted network that sent the header itself.
        (2, "198.51.100.1, 203.0.113.9, 192.0.2.7", "203.0.113.9"),  # The first proxy is in no trusted network.
        (2, "203.0.113.9", "203.0.113.9"),  # A request that passed the last proxy only.
    ],
)
def test_with_a_number_of_proxies_the_client_is_counted_from_the_end(
    hops: int, forwarded_for: str, client: str
) -> None:
    head = head_of("10.0.0.1", ("x-forwarded-for", forwarded_for))
    TrustedProxies(["10.0.0.0/8"], hops).apply(head)

    assert head.client == client


def test_a_number_of_proxies_trusts_no_peer_by_itself() -> None:
    head = head_of("203.0.113.1", ("x-forwarded-for", "203.0.113.9"))
    TrustedProxies(["10.0.0.0/8"], 1).apply(head)

    assert head.client == "203.0.113.1"


def test_a_scheme_without_a_host_uses_the_host_header() -> None:
    head = applied(["10.0.0.0/8"], "10.0.0.1", ("x-forwarded-proto", "https"))

    assert head.reached_at == ("https", "inside:5000")


@pytest.mark.parametrize("host", ['a"b', "a b", "http://a", "a/b", "a:123456", "\xe9"])
def test_an_invalid_host_is_ignored(host: str) -> None:
    assert host_of(applied(["10.0.0.0/8"], "10.0.0.1", ("x-forwarded-host", host))) == b"inside:5000"


@pytest.mark.parametrize("scheme", ["ftp", "javascript", ""])
def test_an_invalid_scheme_is_ignored(scheme: str) -> None:
    assert applied(["10.0.0.0/8"], "10.0.0.1", ("x-forwarded-proto", scheme)).scheme == "http"


@pytest.mark.parametrize(
    ("host", "domain", "address"),
    [
        ("registry.example", None, "https://registry.example"),
        ("111122223333.dkr.ecr.eu-west-1.example:8443", None, "https://000000000000.dkr.ecr.us-east-1.example:8443"),
        ("registry.example", "set.example", "https://000000000000.dkr.ecr.us-east-1.set.example"),
    ],
)
def test_addresses_use_the_host_of_the_proxy(host: str, domain: str | None, address: str) -> None:
    listening = Addresses("http", "localhost:5000", domain)

    assert listening.reached_at("https", host).proxy_endpoint(REGISTRY) == address


# --- A real server ----------------------------------------------------------------------------------------------


def forwarding_client(server: Server, host: str) -> Any:
    """boto3 that signs for `https://host`, behind a proxy that uses the server's own address."""
    given = server.environment
    client = boto3.client(
        "ecr",
        endpoint_url=f"https://{host}",
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}),
    )
    client.meta.events.register("before-send.ecr", proxied(server, host))
    return client


def proxied(server: Server, host: str) -> Callable[..., None]:
    """Changes requests like a proxy that ends TLS."""

    def send(request: AWSPreparedRequest, **_: Any) -> None:
        request.url = request.url.replace(f"https://{host}", server.url)
        request.headers["X-Forwarded-For"] = "203.0.113.9"
        request.headers["X-Forwarded-Proto"] = "https"
        request.headers["X-Forwarded-Host"] = host

    return send


def test_behind_a_trusted_proxy_signatures_are_valid_and_addresses_are_the_proxy_s(fresh_server: StartServer) -> None:
    proxies = ["--trusted-proxy", "127.0.0.0/8", "--trusted-proxy", "::1", "--trusted-hops", "1"]
    server = fresh_server(extra_args=proxies)
    client = forwarding_client(server, "registry.example")

    made = client.create_repository(repositoryName="team/app")["repository"]
    endpoint = client.get_authorization_token()["authorizationData"][0]["proxyEndpoint"]
    client.close()

    assert made["repositoryUri"] == "registry.example/team/app"
    assert endpoint == "https://registry.example"
    assert '"client":"203.0.113.9"' in logged(server, "CreateRepository")
    with aws_client(server) as direct:
        assert direct.get_authorization_token()["authorizationData"][0]["proxyEndpoint"] == (
            f"http://localhost:{server.port}"
        )


def test_a_client_cannot_pretend_to_be_a_proxy(server: Server) -> None:
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}

    answer = requested(server, "/v2/", headers | {"Host": "registry.example"})

    assert answer.headers["www-authenticate"] == 'Basic realm="http://registry.example/",service="ecr.amazonaws.com"'
    assert '"client":"203.0.113.9"' not in server.output()


def test_an_invalid_host_does_not_appear_in_the_challenge(server: Server) -> None:
    answer = requested(server, "/v2/", {"Host": 'a",x="'})

    realm = f'Basic realm="http://localhost:{server.port}/",service="ecr.amazonaws.com"'
    assert answer.headers["www-authenticate"] == realm


@pytest.mark.parametrize(
    ("ns", "status"),
    [
        ("docker.io", 200),
        ("localhost:5000", 200),
        ("000000000000.dkr.ecr.us-east-1.amazonaws.com", 200),
        ("000000000000.dkr.ecr.eu-west-1.amazonaws.com", 403),  # The token is of another Region.
        ("999999999999.dkr.ecr.us-east-1.amazonaws.com", 403),  # A registry of another account.
    ],
)
def test_containerd_names_the_registry_of_a_mirror(
    server: Server, ecr: Any, repository: str, ns: str, status: int
) -> None:
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]

    answer = requested(server, f"/v2/{repository}/tags/list?ns={ns}", {"Authorization": f"Basic {token}"})

    assert answer.status == status


def requested(server: Server, path: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def logged(server: Server, operation: str) -> str:
    """The log line of an operation, which may be written a little later."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        for line in server.output().splitlines():
            if line.startswith("{") and json.loads(line).get("operation") == operation:
                return line
        time.sleep(0.02)
    raise AssertionError(server.output())
