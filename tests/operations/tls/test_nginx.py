"""nginx in front sends layers itself, from the files, to callers whom the server has let pass (X-Accel-Redirect)."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import StartServer
from tests.support.aws import aws_client, docker_password
from tests.support.clients import require_client
from tests.support.http_client import Docker
from tests.support.images import layer
from tests.support.ports import free_port
from tests.support.waiting import wait_until

LOCATION = "/moorage-blobs/"
DOCUMENT = Path(__file__).parents[3] / "docs" / "tls.md"
CONTENT = layer(300_000)
ETAG = f'"{CONTENT.digest}"'
CONDITIONS: list[tuple[dict[str, str], int, slice]] = [
    ({"Range": "bytes=100-199"}, 206, slice(100, 200)),
    ({"Range": "bytes=-7"}, 206, slice(-7, None)),
    ({"Range": "bytes=100-199", "If-Range": ETAG}, 206, slice(100, 200)),
    ({"Range": "bytes=100-199", "If-Range": '"another"'}, 200, slice(None)),
    ({"If-Match": ETAG}, 200, slice(None)),
    ({"If-Match": '"another"'}, 412, slice(0)),
    ({"If-None-Match": ETAG}, 304, slice(0)),
]


class Front(NamedTuple):
    """A client of the server itself, one of nginx in front of it, and the path of a layer."""

    direct: Docker
    docker: Docker
    path: str


def documented(port: int, data: Path) -> str:
    """The locations that docs/tls.md shows, with this server's port and folder."""
    shown = re.findall(r"```nginx\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    return "\n".join(shown).replace("127.0.0.1:5000", f"127.0.0.1:{port}").replace("/var/lib/moorage", str(data))


@pytest.fixture
def front(fresh_server: StartServer, tmp_path: Path) -> Iterator[Front]:
    program = require_client("nginx")
    server = fresh_server(extra_args=["--trusted-proxy", "127.0.0.1", "--accel-redirect", LOCATION])
    port, root = free_port(), "user root;" if tmp_path.owner() == "root" else ""
    configuration = tmp_path / "nginx.conf"
    places = "".join(
        f"{kind}_temp_path {tmp_path / kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration.write_text(
        f"daemon off; {root} pid {tmp_path}/pid; error_log {tmp_path}/error.log; events {{}}\n"
        f"http {{ access_log off; {places}\n"
        f"server {{ listen 127.0.0.1:{port}; {documented(server.port, server.data)} }} }}\n"
    )
    with aws_client(server) as ecr:
        ecr.create_repository(repositoryName="team/app")
        password = docker_password(ecr)
    direct = Docker(server.host, server.port, password)
    direct.push_blob("team/app", CONTENT)
    with subprocess.Popen([program, "-e", tmp_path / "error.log", "-c", configuration]) as process:
        docker = Docker("127.0.0.1", port, password)
        try:
            wait_until(lambda: answers(docker))
            yield Front(direct, docker, f"/v2/team/app/blobs/{CONTENT.digest}")
        finally:
            process.terminate()


def answers(docker: Docker) -> bool:
    try:
        return docker.get("/v2/").status == 200
    except OSError:
        return False


def test_the_bytes_of_a_layer_come_from_nginx(front: Front) -> None:
    from_server, from_nginx = front.direct.get(front.path), front.docker.get(front.path)

    assert (from_server.status, from_server.body) == (200, b"")
    assert from_server.headers["x-accel-redirect"].startswith(f"{LOCATION}sha256/")
    assert (from_nginx.status, from_nginx.body) == (200, CONTENT.content)
    assert "x-accel-redirect" not in from_nginx.headers


def test_a_response_of_nginx_has_the_headers_of_the_server(front: Front) -> None:
    """Its own entity tag would differ between HEAD, which the server answers, and GET."""
    headers, of_head = front.docker.get(front.path).headers, front.docker.head(front.path).headers

    for name in ("content-type", "content-length", "docker-content-digest", "etag", "cache-control", "accept-ranges"):
        assert headers[name] == of_head[name], name
    assert headers["docker-distribution-api-version"] == "registry/2.0"


def test_ranges_and_conditions_are_those_of_the_server(front: Front) -> None:
    for headers, status, part in CONDITIONS:
        found = front.docker.get(front.path, headers)

        assert (found.status, found.body) == (status, CONTENT.content[part]), headers
    assert front.docker.get(front.path, {"Range": "bytes=9000000-"}).status == 416


def test_callers_without_permission_get_nothing(front: Front) -> None:
    stranger = Docker(front.docker.host, front.docker.port, None)

    assert stranger.get(front.path).status == 401
    assert stranger.head(front.path).status == 401
    redirect = front.direct.get(front.path).headers["x-accel-redirect"]
    assert front.docker.get(redirect).status == 404


def test_the_server_sends_layers_itself_to_others(fresh_server: StartServer) -> None:
    """To clients that no trusted proxy stands before."""
    server = fresh_server(extra_args=["--trusted-proxy", "192.0.2.1", "--accel-redirect", LOCATION])
    with aws_client(server) as ecr:
        ecr.create_repository(repositoryName="team/app")
        docker = Docker(server.host, server.port, docker_password(ecr))
    docker.push_blob("team/app", CONTENT)
    found = docker.get(f"/v2/team/app/blobs/{CONTENT.digest}")

    assert (found.status, found.body) == (200, CONTENT.content)
    assert "x-accel-redirect" not in found.headers
