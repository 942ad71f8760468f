"""Amazon's credential helper, which only knows the host names of AWS and requires HTTPS."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.operations.tls.conftest import TlsServer
from tests.support.clients import refusal, require_client, run
from tests.support.images import image, write_layout
from tests.support.server import Server

pytestmark = pytest.mark.client

HELPER = "docker-credential-ecr-login"
HOST = "000000000000.dkr.ecr.us-east-1.amazonaws.com"


@pytest.fixture(scope="module")
def look_alike(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    """A server that returns repository addresses of the form that AWS uses."""
    data = tmp_path_factory.mktemp("look-alike") / "data"
    server = TlsServer(data, data / "tls" / "ca.crt")
    server.start(extra_args=["--tls", "--domain", "amazonaws.com", "--workers", "1"])
    yield server
    server.stop()


def test_returns_a_token_that_the_registry_endpoint_accepts(look_alike: TlsServer, tmp_path: Path) -> None:
    given = json.loads(run([require_client(HELPER), "get"], look_alike.client_environment(tmp_path), stdin=HOST))

    assert given["Username"] == "AWS"
    secret = base64.b64encode(f"AWS:{given['Secret']}".encode()).decode()
    connection = look_alike.connection(HOST)
    connection.request("GET", "/v2/", headers={"Authorization": f"Basic {secret}"})
    assert connection.getresponse().status == 200
    connection.close()


def test_lets_a_client_push_and_pull_without_a_login(look_alike: TlsServer, tmp_path: Path) -> None:
    """The client gets the host's address as an option. In production, DNS or /etc/hosts has it, and the port is 443."""
    require_client(HELPER)
    oras, pushed = require_client("oras"), image(seed=1)
    environment = look_alike.client_environment(tmp_path)
    run([require_client("aws"), "ecr", "create-repository", "--repository-name", "team/app"], environment)
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(json.dumps({"credHelpers": {HOST: "ecr-login"}}))
    layout = write_layout(tmp_path / "layout", pushed, "v1")
    reach = ("--ca-file", look_alike.authority, "--resolve", f"{HOST}:443:127.0.0.1:{look_alike.port}")
    to, source = (tuple(str(word).replace("--", f"--{end}-", 1) for word in reach) for end in ("to", "from"))

    run([oras, "copy", "--from-oci-layout", *to, f"{layout}:v1", f"{HOST}/team/app:v1"], environment)
    pulled = tmp_path / "pulled"
    run([oras, "copy", "--to-oci-layout", *source, f"{HOST}/team/app:v1", f"{pulled}:v1"], environment)

    blobs = {path.name for path in (pulled / "blobs" / "sha256").iterdir()}
    assert {part.digest.removeprefix("sha256:") for part in (pushed.manifest, *pushed.blobs)} <= blobs


def test_rejects_plain_http(server: Server, tmp_path: Path) -> None:
    """It compares the endpoint in the response with the names of AWS, which begin with https."""
    message = refusal([require_client(HELPER), "get"], server.client_environment(tmp_path), stdin=HOST)

    assert "credentials not found" in message
