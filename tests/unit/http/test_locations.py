"""Location headers are whole URLs only where the client's scheme and host are certain."""

from __future__ import annotations

import pytest

from moorage.domain.location_forms import ABSOLUTE, AUTO, RELATIVE
from moorage.http.bodies import RequestBody
from moorage.http.forwarding import TrustedProxies
from moorage.http.locations import Locations
from moorage.http.messages import Request, RequestHead
from tests.unit.http.connection import NoBody

PROXIES = TrustedProxies(["192.0.2.0/24"])
PATH = "/v2/team/app/blobs/uploads/1"
CLIENT, PROXY, HERE = "203.0.113.9", "192.0.2.1", "127.0.0.1"


def location(form: str, peer: str, host: str, scheme: str = "http", **headers: str) -> str:
    """The location of `PATH`, for a request that a peer sent over this scheme."""
    pairs = [(b"host", host.encode("latin-1"))]
    pairs += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    head = RequestHead("POST", PATH.encode(), pairs)
    head.client, head.scheme = peer, scheme
    PROXIES.apply(head)
    return Locations(form).of(Request(head, RequestBody(NoBody(), 0), "1"), PATH).decode()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "127.8.9.1", "[::1]", "app.localhost"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_a_client_on_this_machine_gets_whole_urls(name: str, peer: str) -> None:
    assert location(AUTO, peer, f"{name}:5000") == f"http://{name}:5000{PATH}"


@pytest.mark.parametrize("peer", [HERE, CLIENT, "2001:db8::1"])
def test_a_client_of_the_server_s_own_tls_gets_whole_urls(peer: str) -> None:
    assert location(AUTO, peer, "registry.example", "https") == f"https://registry.example{PATH}"


@pytest.mark.parametrize("proto", ["http", "https", "http, https"])
def test_behind_a_trusted_proxy_the_url_has_the_scheme_and_host_that_it_names(proto: str) -> None:
    scheme = proto.rpartition(" ")[2]

    for headers in ({"x_forwarded_host": "registry.example"}, {"x_forwarded_for": CLIENT}):
        host = headers.get("x_forwarded_host", "inside:5000")
        assert location(AUTO, PROXY, "inside:5000", x_forwarded_proto=proto, **headers) == f"{scheme}://{host}{PATH}"


@pytest.mark.parametrize(
    ("peer", "host", "scheme", "headers"),
    [
        (CLIENT, "registry.example", "http", {}),  # A proxy that adds nothing may end TLS.
        (CLIENT, "localhost:5000", "http", {}),  # A published port, or another proxy.
        (HERE, "registry.example", "http", {}),  # A proxy on this machine.
        (HERE, "localhost.example", "http", {}),
        ("unix", "localhost", "http", {}),
        (PROXY, "registry.example", "http", {"x_forwarded_host": "registry.example"}),  # The proxy may end TLS.
        (PROXY, "registry.example", "http", {"x_forwarded_for": CLIENT}),
        (PROXY, "a", "http", {"x_forwarded_host": "registry.example", "x_forwarded_proto": "wss"}),
    ],
)
def test_elsewhere_locations_are_paths(peer: str, host: str, scheme: str, headers: dict[str, str]) -> None:
    assert location(AUTO, peer, host, scheme, **headers) == PATH


@pytest.mark.parametrize(
    "header", ["forwarded", "via", "x_forwarded_for", "x_forwarded_host", "x_forwarded_proto", "x_real_ip"]
)
@pytest.mark.parametrize(("peer", "scheme"), [(HERE, "http"), (HERE, "https"), (CLIENT, "https")])
def test_through_a_proxy_that_is_not_trusted_locations_are_paths(header: str, peer: str, scheme: str) -> None:
    assert location(AUTO, peer, "localhost:5000", scheme, **{header: "https"}) == PATH


@pytest.mark.parametrize(("form", "prefix"), [(ABSOLUTE, "http://registry.example"), (RELATIVE, "")])
def test_the_other_forms_are_the_same_for_all_clients(form: str, prefix: str) -> None:
    for peer in (HERE, CLIENT):
        assert location(form, peer, "registry.example") == prefix + PATH
    assert location(RELATIVE, HERE, "localhost") == PATH


@pytest.mark.parametrize("host", ['a"b', "a b", "a/b", "user@a", "a:123456", "\xe9", "a,b", "[::1"])
@pytest.mark.parametrize("form", [AUTO, ABSOLUTE])
def test_a_host_header_that_is_no_host_is_in_no_location(host: str, form: str) -> None:
    assert location(form, HERE, host, "https") == PATH
