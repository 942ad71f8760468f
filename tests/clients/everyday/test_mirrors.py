"""docker with the server as its `registry-mirrors` pulls official images without a prefix (docs/pull-through.md)."""

from __future__ import annotations

import base64
import json

import pytest

from tests.api.ecr.pushing import push
from tests.conftest import StartServer
from tests.support.aws import aws_client
from tests.support.dockerd import running_dockerd
from tests.support.images import image, layer

HUB = "registry-1.docker.io"


@pytest.mark.client
def test_docker_pulls_an_official_image_from_its_mirror(fresh_server: StartServer) -> None:
    """The credentials are those that docker has for Docker Hub. Nothing listens at the upstream registry."""
    server = fresh_server(
        extra_args=["--workers", "1", "--upstream", f"{HUB}=http://127.0.0.1:1", "--mirror", "docker.io"]
    )
    with aws_client(server) as ecr:
        ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="hub", upstreamRegistryUrl=HUB)
        ecr.create_repository(repositoryName="hub/library/nginx")
        cached = push(ecr, "hub/library/nginx", image([layer(b"cached", docker=True)], docker=True), "v1")
    keys = server.environment["AWS_ACCESS_KEY_ID"], server.environment["AWS_SECRET_ACCESS_KEY"]
    auth = base64.b64encode(":".join(keys).encode()).decode()

    with running_dockerd(options=["--registry-mirror", f"http://{server.host}:{server.port}"]) as dockerd:
        (dockerd.folder / "config.json").write_text(
            json.dumps({"auths": {"https://index.docker.io/v1/": {"auth": auth}}})
        )
        pulled = dockerd.docker("--config", str(dockerd.folder), "pull", "nginx:v1")

    assert cached.manifest.digest in pulled
