"""The examples of the documents, run by the AWS command line: each page's block with `aws iam`."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.api.ecr.wire import ACCOUNT
from tests.support.server import Server

DOCS = Path(__file__).parents[3] / "docs"


def example(page: str) -> str:
    """The shell block of a page that calls IAM."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (block,) = (each for each in blocks if "aws iam" in each)
    return str(block)


@pytest.fixture
def run(server: Server, tmp_path: Path) -> Any:
    """Runs a script in a shell, and returns what it printed."""
    variables = server.client_environment(tmp_path) | {"AWS_ENDPOINT_URL_IAM": server.url}

    def run_script(script: str) -> str:
        words = ["bash", "-euo", "pipefail", "-c", script]
        ended = subprocess.run(words, env=variables, capture_output=True, text=True, check=False, timeout=120)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run_script


def test_the_example_of_the_services(run: Any, iam: Any) -> None:
    printed = run(example("aws-services.md"))

    simulated = json.loads(printed[printed.index('{\n    "EvaluationResults"') :])["EvaluationResults"]
    assert [each["EvalDecision"] for each in simulated] == ["allowed", "implicitDeny"]
    assert iam.get_user(UserName="build")["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/ci/build"
    assert len(iam.list_access_keys(UserName="build")["AccessKeyMetadata"]) == 1


def test_the_example_of_users_and_keys(run: Any, iam: Any) -> None:
    key = json.loads(run(example("users-and-keys.md")).rpartition("\n{\n")[2].join(("{", "")))["AccessKey"]

    assert (key["UserName"], key["Status"]) == ("deploy", "Active")
    policy = iam.get_user_policy(UserName="deploy", PolicyName="pull")["PolicyDocument"]
    assert policy["Statement"][0]["Action"] == "ecr:Get*"


def test_the_example_of_roles(run: Any, iam: Any, sts: Any) -> None:
    made = json.loads(run(example("roles.md")))["Role"]

    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/release"
    (attached,) = iam.list_attached_role_policies(RoleName="release")["AttachedPolicies"]
    assert attached["PolicyName"] == "AmazonEC2ContainerRegistryReadOnly"
