"""The image is built from its Dockerfile, pushed to Moorage, pulled from there, and serves a registry."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support.aws import docker_password
from tests.support.clients import program_environment, require_client, run
from tests.support.dockerd import Dockerd
from tests.support.images import image as new_image
from tests.support.images import write_layout
from tests.support.ports import free_port
from tests.support.server import Server

pytestmark = [pytest.mark.client, pytest.mark.timeout(600), pytest.mark.usefixtures("containers")]


class Container:
    """A registry in a container, on a loopback port of this machine."""

    def __init__(self, dockerd: Dockerd, image: str, *options: str) -> None:
        self.dockerd = dockerd
        self.port = free_port()
        self.host = f"localhost:{self.port}"
        listen = f"--env=MOORAGE_LISTEN=127.0.0.1:{self.port}"
        self.id = dockerd.docker("run", "--detach", "--network=host", "--read-only", listen, *options, image).strip()
        self.exec("moorage", "ready", "--wait", "30s")

    def exec(self, *words: str, code: int = 0) -> str:
        return self.dockerd.docker("exec", self.id, *words, code=code)

    def inspect(self, form: str) -> str:
        return self.dockerd.docker("inspect", "--format", form, self.id).strip()

    def ecr(self) -> Any:
        """boto3 with the output of `moorage env` in the container."""
        lines = [shlex.split(line) for line in self.exec("moorage", "env").splitlines()]
        variables = dict(words[1].split("=", 1) for words in lines if words[0] == "export")
        return boto3.client(
            "ecr",
            endpoint_url=variables["AWS_ENDPOINT_URL_ECR"],
            region_name=variables["AWS_REGION"],
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        )


@pytest.fixture
def container(dockerd: Dockerd, image: str) -> Container:
    return Container(dockerd, image)


@pytest.fixture
def crane(tmp_path: Path) -> Callable[..., str]:
    """Runs crane."""
    environment = program_environment(tmp_path)
    return lambda *words, stdin="": run([require_client("crane"), *map(str, words)], environment, stdin=stdin)


def test_the_image_is_pushed_to_moorage_and_serves_after_its_pull(
    dockerd: Dockerd, image: str, server: Server, ecr: Any, repository: str
) -> None:
    host = f"localhost:{server.port}"
    name = f"{host}/{repository}:v1"
    dockerd.docker("login", "--username=AWS", "--password-stdin", host, stdin=docker_password(ecr))
    dockerd.docker("tag", image, name)
    dockerd.docker("push", name)
    [detail] = ecr.describe_images(repositoryName=repository)["imageDetails"]
    dockerd.docker("rmi", name)

    dockerd.docker("pull", f"{host}/{repository}@{detail['imageDigest']}")
    other = Container(dockerd, f"{host}/{repository}@{detail['imageDigest']}")

    # And it stores itself: docker pushes the image to the registry that runs in it.
    other.ecr().create_repository(repositoryName="team/moorage")
    dockerd.docker("login", "--username=AWS", "--password-stdin", other.host, stdin=docker_password(other.ecr()))
    dockerd.docker("tag", image, f"{other.host}/team/moorage:v1")
    dockerd.docker("push", f"{other.host}/team/moorage:v1")
    [copy] = other.ecr().describe_images(repositoryName="team/moorage")["imageDetails"]
    assert copy["imageDigest"] == detail["imageDigest"]
    dockerd.docker("rmi", f"{other.host}/team/moorage:v1")


def test_the_container_runs_without_privileges_on_a_read_only_file_system(container: Container) -> None:
    assert container.exec("id", "-u").strip() == "10001"
    assert container.exec("stat", "--format=%a %u", "/data").strip() == "700 10001"
    container.exec("touch", "/opt/moorage/file", code=1)
    container.exec("touch", "/data/file")
    container.exec("python3", "-c", "import pip", code=1)


def test_pushed_images_survive_a_new_container_on_the_same_volume(
    dockerd: Dockerd, image: str, crane: Callable[..., str], tmp_path: Path
) -> None:
    pushed = new_image(seed=1)
    first = Container(dockerd, image, "--volume=registry:/data")
    first.ecr().create_repository(repositoryName="team/app")
    crane("auth", "login", "-u", "AWS", "--password-stdin", first.host, stdin=docker_password(first.ecr()))
    crane("push", write_layout(tmp_path / "layout", pushed), f"{first.host}/team/app:v1")
    dockerd.docker("stop", first.id)
    assert first.inspect("{{.State.ExitCode}}") == "0"

    second = Container(dockerd, image, "--volume=registry:/data")

    crane("auth", "login", "-u", "AWS", "--password-stdin", second.host, stdin=docker_password(second.ecr()))
    assert crane("digest", f"{second.host}/team/app:v1").strip() == pushed.manifest.digest
    crane("validate", "--remote", f"{second.host}/team/app:v1")


def test_the_health_check_of_docker_uses_the_command_for_scripts(dockerd: Dockerd, image: str) -> None:
    container = Container(dockerd, image, "--health-interval=200ms")

    for _ in range(100):
        if container.inspect("{{.State.Health.Status}}") != "starting":
            break
        time.sleep(0.2)

    assert container.inspect("{{.State.Health.Status}}") == "healthy"
    assert json.loads(container.inspect("{{json .Config.Healthcheck.Test}}")) == ["CMD", "moorage", "ready"]


def test_audit_records_can_go_to_the_log_of_the_container(dockerd: Dockerd, image: str) -> None:
    container = Container(dockerd, image, "--env=MOORAGE_AUDIT_LOG=/dev/stdout")

    container.ecr().create_repository(repositoryName="team/heard")

    records = [json.loads(line) for line in dockerd.docker("logs", container.id).splitlines() if line[:1] == "{"]
    assert "CreateRepository" in {record.get("eventName") for record in records}
