"""Who may control a lab, and what a server that is not one answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.api.ecr.wire import client_of, refusal
from tests.lab.conftest import Lab
from tests.operations.cli.conftest import Command
from tests.support.http_client import Docker
from tests.support.server import Server

PATHS = (
    "/_moorage/reset",
    "/_moorage/snapshot",
    "/_moorage/time",
    "/moto-api/reset",
    "/_localstack/health",
    "/_moorage",
)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_server_that_is_no_lab_answers_as_for_any_unknown_path(server: Server, method: str) -> None:
    http = Docker(server.host, server.port, None)
    unknown = http.request(method, "/no/such/path")

    answers = [http.request(method, path) for path in PATHS]

    assert (
        {(answer.status, answer.body) for answer in answers}
        == {(unknown.status, unknown.body)}
        == {(404, b"404 page not found\n")}
    )


@pytest.mark.parametrize("header", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-origin"}])
def test_web_pages_may_not_control_a_lab(lab: Lab, ecr: Any, header: dict[str, str]) -> None:
    ecr.create_repository(repositoryName="team/app")

    answer = lab.request("POST", "/_moorage/reset", headers=header)

    assert (answer.status, answer.json()["message"]) == (403, "web pages may not control a lab")
    assert ecr.describe_repositories()["repositories"]


def test_any_access_key_is_that_of_the_root_user(lab: Lab) -> None:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "whatever"}

    made = client_of(lab.server, **keys).create_repository(repositoryName="team/app")["repository"]

    assert made["registryId"] == "000000000000"
    log = lab.call("GET", "requests?operation=CreateRepository")["requests"]
    assert log[0]["caller"] == "arn:aws:iam::000000000000:root"


def test_a_known_access_key_needs_its_secret_and_has_its_own_permissions(lab: Lab) -> None:
    lab.server.moorage("user", "create", "ann")
    made = lab.server.moorage("key", "create", "--user", "ann")
    key, secret = (line.partition("=")[2] for line in made.splitlines()[:2])

    wrong = client_of(lab.server, aws_access_key_id=key, aws_secret_access_key="wrong")
    own = client_of(lab.server, aws_access_key_id=key, aws_secret_access_key=secret)

    assert refusal(wrong.describe_repositories).code == "InvalidSignatureException"
    assert refusal(own.describe_repositories).code == "AccessDeniedException"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--lab", "--listen", "0.0.0.0:0"), "or set --lab-anywhere"),
        (("--lab", "--trusted-proxy", "127.0.0.1"), "or set --lab-anywhere"),
        (("--lab", "--lab-anywhere", "--any-key", "--listen", "0.0.0.0:0"), "--any-key lets everybody in"),
        (("--any-key",), "--any-key works in lab mode only"),
        (("--rates", "aws"), "--rates works in lab mode only"),
        (("--time", "2030-01-01T00:00:00Z"), "--time works in lab mode only"),
        (("--lab", "--time", "soon"), "must be a time such as"),
        (("--lab", "--workers", "2"), "one worker process"),
        (("--lab", "--blobs", "/tmp"), "leave out --database and --blobs"),
    ],
)
def test_a_lab_that_is_not_safe_does_not_start(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    ended = command("serve", "--data", str(tmp_path / "data"), *arguments)

    assert ended.code == 2
    assert message in ended.err


def test_a_lab_says_so_loudly(lab: Lab) -> None:
    assert "LAB MODE: Every program on this machine" in lab.server.output()
    assert "Any access key has all permissions." in lab.server.output()


def test_the_request_log_has_operations_parameters_and_callers(lab: Lab, ecr: Any, http: Docker) -> None:
    ecr.create_repository(repositoryName="team/app")
    http.get("/v2/team/app/tags/list")

    log = lab.call("GET", "requests")["requests"]

    created = next(entry for entry in log if entry["operation"] == "CreateRepository")
    assert created["parameters"] == {"repositoryName": "team/app"}
    assert (created["status"], created["region"]) == (200, "us-east-1")
    assert log[-1]["path"] == "/v2/team/app/tags/list"
    assert lab.call("GET", f"requests?after={log[-1]['number']}") == {"requests": []}
    assert [entry["path"] for entry in lab.call("GET", "requests?limit=1")["requests"]] == ["/v2/team/app/tags/list"]
    assert lab.refusal("GET", "requests?size=1") == (400, "requests cannot be filtered by size")
    lab.call("DELETE", "requests")
    assert lab.call("GET", "requests") == {"requests": []}


def test_secrets_do_not_reach_the_request_log(lab: Lab) -> None:
    environment = lab.server.environment
    environment["AWS_ENDPOINT_URL_SECRETSMANAGER"] = environment["AWS_ENDPOINT_URL_ECR"]
    client_of(lab.server, "secretsmanager").create_secret(Name="ecr-pullthroughcache/x", SecretString="hush-hush")

    assert b"hush-hush" not in lab.request("GET", "/_moorage/requests").body


def test_localstack_s_health_path_answers(lab: Lab) -> None:
    assert lab.request("GET", "/_localstack/health").json()["services"]["ecr"] == "running"


def test_unknown_paths_and_methods_of_a_lab_are_refused(lab: Lab) -> None:
    assert lab.refusal("GET", "nothing")[0] == 404
    assert lab.refusal("GET", "reset")[0] == 405
