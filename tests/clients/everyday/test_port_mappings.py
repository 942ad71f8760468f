"""A server behind a port mapping (`docker run -p 5001:5000`, testcontainers, `ssh -L`): clients get the mapped address.

The server cannot know that port, except from the Host header, which Signature V4 covers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from botocore.awsrequest import AWSPreparedRequest

from tests.api.ecr.pushing import push
from tests.conftest import StartServer
from tests.support.aws import aws_client, docker_password
from tests.support.clients import program_environment, require_client, run
from tests.support.dockerd import Dockerd
from tests.support.images import image, layer, write_docker_archive, write_layout
from tests.support.port_mapping import mapped_port
from tests.support.server import Server
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def port(server: Server) -> Iterator[int]:
    """Another port that leads to the shared server."""
    with mapped_port(server.port) as port:
        yield port


def login(ecr: Any) -> tuple[str, str]:
    """The registry's host and the password, as a program finds them that knows only the endpoint of the API."""
    scheme, _, host = ecr.get_authorization_token()["authorizationData"][0]["proxyEndpoint"].partition("://")
    assert scheme == "http"
    return host, docker_password(ecr)


def at_this_machine(host: str, port: int) -> Callable[..., None]:
    """Connects to this machine without resolving the name: not every machine resolves names below `localhost`."""

    def send(request: AWSPreparedRequest, **_: Any) -> None:
        request.url = request.url.replace(host, f"127.0.0.1:{port}")
        request.headers["Host"] = host

    return send


HOSTS = {"name": "localhost", "v4": "127.0.0.1", "v6": "[::1]", "ecr": "000000000000.dkr.ecr.us-east-1.localhost"}


@pytest.mark.parametrize("form", HOSTS)
def test_every_address_of_the_api_has_the_host_that_the_client_used(server: Server, port: int, form: str) -> None:
    host, repository = f"{HOSTS[form]}:{port}", f"mapped/{form}"
    pushed = image(seed=27)
    blob = pushed.blobs[-1]
    with aws_client(server, endpoint=f"http://{host}") as ecr:
        ecr.meta.events.register("before-send.ecr", at_this_machine(host, port))

        created = ecr.create_repository(repositoryName=repository)["repository"]
        push(ecr, repository, pushed)
        link = ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=blob.digest)["downloadUrl"]

        assert created["repositoryUri"] == f"{host}/{repository}"
        assert ecr.describe_repositories(repositoryNames=[repository])["repositories"] == [created]
        assert login(ecr)[0] == host
    assert link.startswith(f"http://{host}/layers/")
    with urlopen(link.replace(host, f"127.0.0.1:{port}")) as response:
        assert response.read() == blob.content


@pytest.mark.client
def test_crane_pushes_and_pulls_at_the_address_that_the_api_returns(server: Server, port: int, tmp_path: Path) -> None:
    pushed = image(seed=27)
    with aws_client(server, endpoint=f"http://localhost:{port}") as ecr:
        address = ecr.create_repository(repositoryName="mapped/crane")["repository"]["repositoryUri"]
        host, password = login(ecr)
    crane, environment = require_client("crane"), program_environment(tmp_path)

    run([crane, "auth", "login", "-u", "AWS", "--password-stdin", host], environment, stdin=password)
    run([crane, "push", write_layout(tmp_path / "layout", pushed), f"{address}:v1"], environment)
    pulled = run([crane, "manifest", f"{address}:v1"], environment)

    assert address == f"localhost:{port}/mapped/crane"
    assert pulled.encode() == pushed.manifest.content


@pytest.mark.client
def test_docker_pushes_and_pulls_at_the_address_that_the_api_returns(
    server: Server, port: int, dockerd: Dockerd, tmp_path: Path
) -> None:
    pushed = image([layer(seed=28, docker=True)], docker=True)
    dockerd.docker("load", "--input", str(write_docker_archive(tmp_path / "image.tar", pushed, "mapped:latest")))
    with aws_client(server, endpoint=f"http://localhost:{port}") as ecr:
        address = ecr.create_repository(repositoryName="mapped/docker")["repository"]["repositoryUri"]
        host, password = login(ecr)
    name = f"{address}:v1"

    said = dockerd.docker("login", "--username", "AWS", "--password-stdin", host, stdin=password)
    dockerd.docker("tag", "mapped:latest", name)
    dockerd.docker("push", name)
    dockerd.docker("image", "rm", name, "mapped:latest")
    dockerd.docker("pull", name)

    dockerd.docker("image", "rm", name)
    dockerd.docker("logout", host)
    assert "Login Succeeded" in said
    assert address == f"localhost:{port}/mapped/docker"


def test_a_host_name_with_a_port_is_what_every_client_gets(fresh_server: StartServer) -> None:
    server = fresh_server(extra_args=["--host-name", "registry.example:5001"])

    for endpoint in (server.url, f"http://localhost:{server.port}"):
        with aws_client(server, endpoint=endpoint) as ecr:
            assert login(ecr)[0] == "registry.example:5001"
    wait_until(lambda: "docker push registry.example:5001/team/app:v1" in server.output())
    assert server.environment["AWS_ENDPOINT_URL_ECR"] == "http://registry.example:5001"
