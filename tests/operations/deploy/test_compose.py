"""The Compose file: its containers start, share one registry, and are replaced without a failed request."""

from __future__ import annotations

import base64
import configparser
import json
import shutil
import stat
import subprocess
import threading
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import boto3
import msgspec
import pytest

from tests.operations.deploy.stand_ins import import_stand_ins
from tests.support.aws import docker_password
from tests.support.clients import program_environment, require_client, run
from tests.support.dockerd import Dockerd
from tests.support.images import image as new_image
from tests.support.images import layer, write_layout
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.client

FOLDER = Path(__file__).parents[3] / "deploy" / "compose"
PRETENDED = "203.0.113.9"
"""The client's address, according to its own header."""

SERVICES = {"balancer", "bucket", "database", "migrate", "node-1", "node-2", "objects"}


class Stack:
    """The project of the Compose file, in a copy of its folder."""

    def __init__(self, folder: Path, dockerd: Dockerd, variables: dict[str, str]) -> None:
        self.folder = folder
        self.host = variables["MOORAGE_ADDRESS"].replace("127.0.0.1", "localhost")
        self.url = f"http://{self.host}"
        self._environment = program_environment(dockerd.folder, {"DOCKER_HOST": dockerd.address, **variables})

    def compose(self, *words: str) -> str:
        command = [require_client("docker-compose"), "--project-name=stack", f"--file={self.folder / 'compose.yaml'}"]
        return run([*command, *words], self._environment, timeout=240)

    def ecr(self) -> Any:
        """boto3 through the balancer, with the root access key that all nodes share."""
        keys = configparser.RawConfigParser()
        keys.read_string(self.compose("exec", "-T", "node-2", "cat", "/data/credentials"))
        return boto3.client("ecr", endpoint_url=self.url, region_name="us-east-1", **keys["default"])

    def status(self, path: str, password: str = "") -> int:
        """The status of a request on a new connection, or 0 without a response."""
        basic = base64.b64encode(f"AWS:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "X-Forwarded-For": PRETENDED}
        try:
            with urlopen(Request(f"{self.url}{path}", headers=headers), timeout=60) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code
        except (URLError, OSError, HTTPException):
            return 0

    def wait_until_ready(self) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while self.status("/readyz") != 200:
            assert time.monotonic() < end, self.compose("logs", "--no-color", "--tail=50")
            time.sleep(0.1)

    def wait_for_requests(self, node: str) -> None:
        """Wait until the balancer has sent requests of the registry endpoint to a node."""
        end = time.monotonic() + PATIENCE_SECONDS
        while '"path":"/v2/' not in self.compose("logs", "--no-color", "--no-log-prefix", node):
            assert time.monotonic() < end, node
            time.sleep(0.2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the folder with new secrets."""
    copy = shutil.copytree(FOLDER, tmp_path / "compose", ignore=shutil.ignore_patterns("secrets"))
    run([copy / "new-secrets"], program_environment(tmp_path))
    return copy


@pytest.fixture
def stack(folder: Path, dockerd: Dockerd, image: str, tmp_path: Path) -> Iterator[Stack]:
    require_client("docker-compose")
    names = import_stand_ins(dockerd, tmp_path)
    started = Stack(folder, dockerd, {**names, "MOORAGE_IMAGE": image, "MOORAGE_ADDRESS": f"127.0.0.1:{free_port()}"})
    try:
        started.compose("up", "--detach", "--no-build")
        started.wait_until_ready()
        yield started
    finally:
        started.compose("kill")  # SeaweedFS takes 25 s for a clean stop.
        started.compose("down", "--volumes")


def test_secrets_are_random_and_never_overwritten(folder: Path) -> None:
    secrets = folder / "secrets"
    settings = tomllib.loads((secrets / "moorage.toml").read_text())
    [identity] = json.loads((secrets / "objects.json").read_text())["identities"]

    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert f":{(secrets / 'postgres-password').read_text()}@database/" in settings["database"]
    assert identity["credentials"] == [
        {"accessKey": settings["s3_access_key_id"], "secretKey": settings["s3_secret_access_key"]}
    ]
    before = {path: path.read_bytes() for path in secrets.iterdir()}

    again = subprocess.run([folder / "new-secrets"], capture_output=True, text=True, check=False)

    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith(f"{secrets} exists, and was not changed. To create other secrets, move it away")
    assert {path: path.read_bytes() for path in secrets.iterdir()} == before


def test_secrets_that_could_not_be_completed_leave_nothing(tmp_path: Path) -> None:
    copy = shutil.copytree(FOLDER, tmp_path / "compose", ignore=shutil.ignore_patterns("secrets"))
    before = sorted(copy.iterdir())
    failing = tmp_path / "bin" / "chmod"
    failing.parent.mkdir()
    failing.write_text("#!/bin/sh\nexit 1\n")
    failing.chmod(0o700)
    environment = program_environment(tmp_path)

    ended = subprocess.run(
        [copy / "new-secrets"],
        env=environment | {"PATH": f"{failing.parent}:{environment['PATH']}"},
        capture_output=True,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (1, b"")
    assert sorted(copy.iterdir()) == before


def test_docker_compose_reads_the_file_as_intended(folder: Path, tmp_path: Path) -> None:
    command = [require_client("docker-compose"), f"--file={folder / 'compose.yaml'}", "config"]

    services = msgspec.yaml.decode(run(command, program_environment(tmp_path)))["services"]

    assert set(services) == SERVICES
    assert {name for name, service in services.items() if "ports" in service} == {"balancer"}
    assert services["balancer"]["ports"] == ["127.0.0.1:5000:5000/tcp"]
    for name in ("node-1", "node-2", "migrate"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]


@pytest.mark.timeout(600)
def test_two_nodes_serve_one_registry_and_are_replaced_without_a_failed_request(
    stack: Stack, dockerd: Dockerd, tmp_path: Path
) -> None:
    pushed = new_image([layer(3_000_000, seed=number) for number in range(3)])
    environment, crane = program_environment(tmp_path), require_client("crane")
    stack.ecr().create_repository(repositoryName="team/app")
    password = docker_password(stack.ecr())
    run([crane, "auth", "login", "-u", "AWS", "--password-stdin", stack.host], environment, stdin=password)
    run([crane, "push", write_layout(tmp_path / "layout", pushed), f"{stack.host}/team/app:v1"], environment)
    run([crane, "validate", "--remote", f"{stack.host}/team/app:v1"], environment)
    for node in ("node-1", "node-2"):
        stack.wait_for_requests(node)

    statuses, over = [], threading.Event()
    with ThreadPoolExecutor(1) as threads:

        def call_until_stopped() -> None:
            while not over.is_set():
                statuses.append(stack.status("/v2/team/app/manifests/v1", password))

        calling = threads.submit(call_until_stopped)
        for node in ("node-1", "node-2"):
            stack.compose("up", "--detach", "--no-deps", "--no-build", "--force-recreate", node)
            stack.wait_for_requests(node)
        over.set()
        calling.result()

    assert len(statuses) > 20
    assert set(statuses) == {200}
    run([crane, "validate", "--remote", f"{stack.host}/team/app:v1"], environment)
    assert PRETENDED not in stack.compose("logs", "--no-color", "node-1", "node-2")
    check_no_secret_is_shown(dockerd, stack.folder / "secrets")


def check_no_secret_is_shown(dockerd: Dockerd, secrets: Path) -> None:
    settings = tomllib.loads((secrets / "moorage.toml").read_text())
    inspected = dockerd.docker("inspect", *dockerd.docker("ps", "--all", "--quiet").split())

    for secret in (
        settings["master_key"],
        settings["s3_secret_access_key"],
        (secrets / "postgres-password").read_text(),
    ):
        assert secret not in inspected
