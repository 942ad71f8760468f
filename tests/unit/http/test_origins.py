"""The origin of a signed request is certain in more cases than that of other requests."""

from __future__ import annotations

import pytest

from moorage.http.bodies import RequestBody
from moorage.http.forwarding import TrustedProxies
from moorage.http.messages import Request, RequestHead
from moorage.http.origins import certain_origin, signed_origin
from tests.unit.http.connection import NoBody

CLIENT, CONTAINER_GATEWAY, HERE = "203.0.113.9", "172.17.0.1", "127.0.0.1"


def request(peer: str, host: str, scheme: str = "http", **headers: str) -> Request:
    pairs = [(b"host", host.encode("latin-1"))]
    pairs += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    head = RequestHead("POST", b"/", pairs)
    head.client, head.scheme = peer, scheme
    TrustedProxies(["192.0.2.0/24"]).apply(head)
    return Request(head, RequestBody(NoBody(), 0), "1")


@pytest.mark.parametrize("host", ["localhost:5001", "127.0.0.1:5001", "[::1]:5001", "app.localhost:5001"])
def test_a_signed_loopback_name_is_certain_behind_the_port_mapping_of_a_container(host: str) -> None:
    mapped = request(CONTAINER_GATEWAY, host)

    assert signed_origin(mapped) == ("http", host)
    assert certain_origin(mapped) is None, "without a signature, a proxy may have changed the host"


@pytest.mark.parametrize("peer", [HERE, CLIENT])
@pytest.mark.parametrize(("host", "scheme"), [("localhost:5001", "http"), ("registry.example", "https")])
def test_a_certain_origin_is_certain_with_a_signature_too(peer: str, host: str, scheme: str) -> None:
    sent = request(peer, host, scheme)

    assert signed_origin(sent) == (scheme, host)
    assert certain_origin(sent) in {None, (scheme, host)}


@pytest.mark.parametrize("host", ["registry.example", "10.0.0.5:5000", "localhost.example", "localhost@a", "a b"])
@pytest.mark.parametrize("peer", [HERE, CLIENT])
def test_another_name_over_plain_http_is_uncertain_because_a_proxy_may_end_tls(peer: str, host: str) -> None:
    assert signed_origin(request(peer, host)) is None


@pytest.mark.parametrize("header", ["forwarded", "via", "x_forwarded_for", "x_forwarded_proto", "x_real_ip"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nothing_is_certain_through_a_proxy_that_is_not_trusted(header: str, scheme: str) -> None:
    assert signed_origin(request(CLIENT, "localhost:5001", scheme, **{header: "https"})) is None
