"""Location headers of a real server: whole URLs for its own TLS, on this machine and behind a trusted proxy."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Mapping

import pytest

from tests.conftest import StartServer
from tests.operations.tls.conftest import TlsServer
from tests.support.aws import aws_client
from tests.support.images import image
from tests.support.server import Server

PUSHED = image(seed=36)
BLOB = PUSHED.blobs[0]
BEHIND_PROXY = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "registry.example"}


class Sender:
    """Sends requests over one connection, with the root user's access key."""

    def __init__(self, server: Server, connection: http.client.HTTPConnection, headers: Mapping[str, str]) -> None:
        given = server.environment
        pair = f"{given['AWS_ACCESS_KEY_ID']}:{given['AWS_SECRET_ACCESS_KEY']}"
        basic = base64.b64encode(pair.encode()).decode()
        self._headers = {"Authorization": f"Basic {basic}", **headers}
        self._connection = connection

    def location(self, method: str, target: str, body: bytes = b"", media_type: str = "") -> str:
        """The Location header of the response."""
        sent = {**self._headers, "Content-Type": media_type} if media_type else self._headers
        self._connection.request(method, target, body, sent)
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status in {201, 202}, content
        return answer.headers["Location"]


def locations(sender: Sender, name: str, start: str) -> list[str]:
    """The Location headers of a push, in which the client sends each request to the location before."""

    def path_of(location: str) -> str:
        assert location.startswith(start)
        return location[location.index("/v2/") :]

    start_upload = f"/v2/{name}/blobs/uploads/"
    found = [sender.location("POST", start_upload)]
    found.append(sender.location("PATCH", path_of(found[-1]), BLOB.content))
    found.append(sender.location("PUT", f"{path_of(found[-1])}?digest={BLOB.digest}"))
    found += [
        sender.location("POST", f"{start_upload}?digest={blob.digest}", blob.content) for blob in PUSHED.blobs[1:]
    ]
    manifest = PUSHED.manifest
    found.append(sender.location("PUT", f"/v2/{name}/manifests/v1", manifest.content, manifest.media_type))
    assert all(path_of(location) for location in found)
    return found


def pushed(server: Server, name: str, headers: Mapping[str, str], start: str) -> list[str]:
    """The Location headers of a push to a new repository. Each has to begin with `start`."""
    with aws_client(server) as ecr:
        ecr.create_repository(repositoryName=name)
    connection = server.connection() if isinstance(server, TlsServer) else plain(server)
    try:
        return locations(Sender(server, connection, headers), name, start)
    finally:
        connection.close()


def plain(server: Server) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(server.host, server.port, timeout=60)


def test_on_this_machine_every_location_is_a_url(server: Server) -> None:
    base = f"http://{server.host}:{server.port}"

    found = pushed(server, "here", {}, base)

    assert found[-2:] == [
        f"{base}/v2/here/blobs/{PUSHED.blobs[-1].digest}",
        f"{base}/v2/here/manifests/{PUSHED.manifest.digest}",
    ]


def test_over_the_server_s_tls_every_location_is_a_url(tls_server: TlsServer) -> None:
    assert pushed(tls_server, "over/tls", {}, f"https://localhost:{tls_server.port}/v2/")


@pytest.mark.parametrize("headers", [{"Host": "registry.example"}, {"X-Forwarded-For": "203.0.113.9"}, BEHIND_PROXY])
def test_elsewhere_every_location_is_a_path(server: Server, headers: dict[str, str]) -> None:
    assert pushed(server, f"elsewhere/{len(str(headers))}", headers, "/v2/")


def test_behind_a_trusted_proxy_every_location_has_the_scheme_and_host_that_it_names(fresh_server: StartServer) -> None:
    server = fresh_server(extra_args=["--trusted-proxy", "127.0.0.1"])

    assert pushed(server, "behind/proxy", BEHIND_PROXY, "https://registry.example/v2/")
    assert pushed(server, "direct", {}, f"http://{server.host}:{server.port}/v2/")


@pytest.mark.parametrize(("form", "start"), [("absolute", "http://registry.example/v2/"), ("relative", "/v2/")])
def test_a_setting_decides(fresh_server: StartServer, form: str, start: str) -> None:
    server = fresh_server(extra_args=["--locations", form])

    assert pushed(server, "set", {"Host": "registry.example"}, start)
