"""Addresses of the form ACCOUNT.dkr.ecr.REGION.DOMAIN, which the server returns if it has a domain.

Not every machine resolves names below `localhost`, so the programs use the server as their HTTP proxy: they send it the
host name and do not resolve it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.aws import aws_client, docker_password
from tests.support.clients import program_environment, refusal, require_client, run
from tests.support.images import image, write_layout
from tests.support.server import Server

pytestmark = pytest.mark.client


@pytest.fixture
def domain_server(tmp_path: Path) -> Iterator[Server]:
    """A server whose domain is `localhost` with its port."""
    server = Server(tmp_path / "data")
    server.start(extra_args=["--domain", f"localhost:{server.port}"])
    yield server
    server.stop()


@pytest.fixture
def ecr_of_domain(domain_server: Server) -> Iterator[Any]:
    with aws_client(domain_server) as client:
        yield client


@pytest.fixture
def environment(domain_server: Server, tmp_path: Path) -> dict[str, str]:
    """An environment in which every host is reached through the server."""
    proxy = {"HTTP_PROXY": domain_server.url, "HTTPS_PROXY": domain_server.url, "NO_PROXY": ""}
    return program_environment(tmp_path, proxy)


def test_the_address_of_a_repository_names_its_registry(domain_server: Server, ecr_of_domain: Any) -> None:
    made = ecr_of_domain.create_repository(repositoryName="team/app")["repository"]
    endpoint = ecr_of_domain.get_authorization_token()["authorizationData"][0]["proxyEndpoint"]

    host = f"000000000000.dkr.ecr.us-east-1.localhost:{domain_server.port}"
    assert made["repositoryUri"] == f"{host}/team/app"
    assert endpoint == f"http://{host}"


def test_crane_and_skopeo_push_and_pull_at_the_address_that_the_api_returns(
    ecr_of_domain: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    pushed = image(seed=1)
    address = ecr_of_domain.create_repository(repositoryName="team/app")["repository"]["repositoryUri"]
    host = address.partition("/")[0]
    password = docker_password(ecr_of_domain)
    crane = [require_client("crane"), "--insecure"]
    skopeo = require_client("skopeo")
    run([*crane, "auth", "login", "-u", "AWS", "--password-stdin", host], environment, stdin=password)

    run([*crane, "push", write_layout(tmp_path / "layout", pushed), f"{address}:v1"], environment)
    listed = run([skopeo, "list-tags", "--tls-verify=false", f"docker://{address}"], environment)
    pulled = ["copy", "--src-tls-verify=false", f"docker://{address}:v1", f"dir:{tmp_path / 'pulled'}"]
    run([skopeo, *pulled], environment)

    assert json.loads(listed) == {"Repository": address, "Tags": ["v1"]}
    assert (tmp_path / "pulled" / "manifest.json").read_bytes() == pushed.manifest.content
    assert ecr_of_domain.list_images(repositoryName="team/app")["imageIds"] == [
        {"imageDigest": pushed.manifest.digest, "imageTag": "v1"}
    ]


def test_a_token_of_one_region_is_rejected_at_the_host_of_another(
    domain_server: Server, ecr_of_domain: Any, environment: dict[str, str]
) -> None:
    host = f"000000000000.dkr.ecr.eu-west-1.localhost:{domain_server.port}"
    crane = [require_client("crane"), "--insecure"]
    password = docker_password(ecr_of_domain)
    run([*crane, "auth", "login", "-u", "AWS", "--password-stdin", host], environment, stdin=password)

    message = refusal([*crane, "ls", f"{host}/team/app"], environment)

    assert "the authorization token was issued for the region us-east-1" in message
