"""The examples of docs/operating-api.md, and the AWS command line with the model that `moorage env` names."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from moorage.aws.service_model import MODELS
from moorage.cli.aws import MODELS_OF_CLIENTS
from tests.support.server import Server

PAGE = (Path(__file__).parents[3] / "docs" / "operating-api.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
OPERATIONS = sorted(MODELS["moorage"].operations)


def test_the_examples_run(server: Server, tmp_path: Path) -> None:
    server.moorage("console")
    program = tmp_path / "example.py"
    program.write_text("\n".join(EXAMPLES))

    ended = subprocess.run(
        [sys.executable, "-W", "error", program],
        env=server.client_environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_operation_has_a_section_with_an_example(operation: str) -> None:
    method = re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
    section = PAGE.partition(f"\n## {operation}\n")[2].partition("\n## ")[0]

    assert f"moorage.{method}(" in section


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_operation_and_member_is_described_in_the_model(operation: str) -> None:
    model = json.loads(next(MODELS_OF_CLIENTS.rglob("service-2.json")).read_text("utf-8"))
    members = model["shapes"][model["operations"][operation]["input"]["shape"]]["members"]

    assert model["operations"][operation]["documentation"].endswith(".")
    assert [name for name, member in members.items() if not member.get("documentation", "").endswith(".")] == []


@pytest.mark.client
def test_the_aws_command_line_knows_the_service(server: Server, tmp_path: Path) -> None:
    ended = subprocess.run(
        ["aws", "moorage", "list-console-sessions", "--max-results", "1"],
        env=server.client_environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert ended.returncode == 0, ended.stderr
    assert "sessions" in json.loads(ended.stdout)
