"""docker with its daemon, and podman, with a TLS server: log in, build, push, pull, and manifest lists."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.api.ecr.pushing import push
from tests.clients.everyday.programs import Credentials, Programs
from tests.clients.everyday.transfers import PULLERS, PUSHERS, Desk
from tests.operations.tls.conftest import TlsServer
from tests.support.aws import aws_client
from tests.support.clients import require_client, run, temporary_home
from tests.support.dockerd import Dockerd
from tests.support.images import image, index

pytestmark = pytest.mark.client


@pytest.fixture(scope="module")
def ecr(tls_server: TlsServer) -> Iterator[Any]:
    with aws_client(tls_server) as client:
        yield client


@pytest.fixture(scope="module")
def programs(tls_server: TlsServer, request: pytest.FixtureRequest) -> Iterator[Programs]:
    """Programs that log in with the password of the AWS command line."""
    daemon: Callable[[], Dockerd] = partial(request.getfixturevalue, "dockerd")
    with temporary_home() as home:
        aws = [require_client("aws"), "ecr", "get-login-password"]
        password = run(aws, tls_server.client_environment(home)).strip()
        yield Programs(home, tls_server, daemon, Credentials("AWS", password))


@pytest.mark.parametrize("program", ["docker", "podman", "skopeo", "crane"])
def test_an_image_pushed_over_tls_is_pulled_over_tls(
    program: str, programs: Programs, ecr: Any, tmp_path: Path
) -> None:
    repository = f"over-tls/{program}"
    ecr.create_repository(repositoryName=repository)
    desk, pushed = Desk(programs, ecr, tmp_path), image(seed=11, docker=True)

    PUSHERS[program](desk, repository, pushed)
    pulled = PULLERS[program](desk, repository)

    [detail] = ecr.describe_images(repositoryName=repository)["imageDetails"]
    assert pulled.manifest in (detail["imageDigest"], pushed.manifest.digest)
    assert pulled.contents == tuple(blob.diff_id for blob in pushed.blobs[1:])


def test_docker_builds_pushes_and_pulls(programs: Programs, ecr: Any, tmp_path: Path) -> None:
    ecr.create_repository(repositoryName="over-tls/built")
    name = programs.reference("over-tls/built")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY hello /hello\n")
    (tmp_path / "hello").write_text("hello\n")

    programs.run("docker", "build", "--tag", name, str(tmp_path))
    built = programs.run("docker", "image", "inspect", "--format", "{{.Id}}", name)
    programs.run("docker", "push", name)
    programs.run("docker", "image", "rm", name)
    programs.run("docker", "pull", name)

    assert programs.run("docker", "image", "inspect", "--format", "{{.Id}}", name) == built


def test_podman_makes_a_manifest_list_and_docker_pulls_from_it(programs: Programs, ecr: Any) -> None:
    """`docker manifest push` always uses plain HTTP for localhost. tests/clients/everyday tests it."""
    repository = "over-tls/list"
    ecr.create_repository(repositoryName=repository)
    child = push(ecr, repository, image(seed=1, docker=True), "v1")
    target = programs.reference(repository, "both")

    programs.run("podman", "manifest", "create", "both", f"docker://{programs.reference(repository)}")
    programs.run("podman", "manifest", "push", "both", f"docker://{target}")
    programs.run("docker", "pull", target)

    [found] = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "both"}])["images"]
    assert [entry["digest"] for entry in json.loads(found["imageManifest"])["manifests"]] == [child.manifest.digest]
    assert programs.run("docker", "image", "inspect", "--format", "{{.Id}}", target).strip() == child.blobs[0].digest


def test_podman_pulls_a_list_that_another_client_pushed(programs: Programs, ecr: Any) -> None:
    repository = "over-tls/family"
    ecr.create_repository(repositoryName=repository)
    children = [push(ecr, repository, image(seed=seed)) for seed in (3, 4)]
    push(ecr, repository, index(children), "v1")

    programs.run("podman", "pull", programs.reference(repository))

    shown = json.loads(programs.run("podman", "image", "inspect", programs.reference(repository)))[0]
    assert shown["Digest"] in {child.manifest.digest for child in children} | {index(children).manifest.digest}
