"""Tests in Go and Node.js with `moorage run`, the GitHub action, and the snippets for pipelines in docs/testing.md."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.clients import program_environment, require_client
from tests.support.http_client import Docker
from tests.support.ports import free_port

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/testing.md").read_text("utf-8")
OF_CI = PAGE.partition("\n## CI\n")[2].partition("\n## ")[0]
PIPELINES = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```", OF_CI, re.MULTILINE | re.DOTALL)
ACTION: dict[str, Any] = msgspec.yaml.decode((ROOT / "action.yml").read_bytes())
BIN = Path(sys.executable).parent


def run_with_registry(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command by `moorage run`, with the caches of the user."""
    command = [str(BIN / "moorage"), "run", "--", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=280)


@pytest.mark.client
def test_the_example_in_go_runs() -> None:
    go, folder = require_client("go"), ROOT / "tests/support/go/with_registry"
    assert (folder / "registry_test.go").read_text("utf-8") in PAGE

    ended = run_with_registry(folder, go, "test", "-count=1", "./...")

    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.client
def test_the_example_in_javascript_runs(tmp_path: Path) -> None:
    npm, folder = require_client("npm"), tmp_path / "example"
    shutil.copytree(ROOT / "tests/support/node/with_registry", folder)
    assert (folder / "registry.test.mjs").read_text("utf-8") in PAGE
    subprocess.run([npm, "ci", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True, timeout=200)

    ended = run_with_registry(folder, npm, "test")

    assert ended.returncode == 0, ended.stdout + ended.stderr


class Runner:
    """The folders and files that GitHub gives to the steps of an action."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = {name: folder / name.lower() for name in ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH")}
        self.temp = folder / "temp"
        self.groups: list[int] = []
        (self.temp / "moorage").mkdir(parents=True)
        (self.temp / "moorage/bin").symlink_to(BIN)  # What the first step installs.

    def values(self, name: str) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.files[name].read_text().splitlines())

    def run(self, step: dict[str, Any], inputs: dict[str, str]) -> None:
        """Run a step as GitHub does, with the expressions of its environment filled in."""
        known = {f"inputs.{name}": value for name, value in inputs.items()} | {"runner.temp": str(self.temp)}
        given = {
            name: re.sub(r"\$\{\{ (\S+) \}\}", lambda found: known[found[1]], text)
            for name, text in step["env"].items()
        }
        files = {name: str(path) for name, path in self.files.items()}
        environment = program_environment(self.folder, {"RUNNER_TEMP": str(self.temp), **files, **given})
        environment["PATH"] = "/usr/bin:/bin"
        log = self.folder / "log"
        with log.open("wb") as output:
            command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
            started = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
            self.groups.append(started.pid)
            code = started.wait(120)
        assert code == 0, log.read_text()


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    made = Runner(tmp_path)
    yield made
    for group in made.groups:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGTERM)


def test_the_action_starts_a_registry_for_the_steps_that_follow(runner: Runner) -> None:
    port = free_port()
    inputs = {name: entry["default"] for name, entry in ACTION["inputs"].items()}
    wanted = inputs | {"listen": f"127.0.0.1:{port}", "region": "eu-central-1", "account": "123456789012"}

    runner.run(ACTION["runs"]["steps"][1], wanted)

    variables, outputs = runner.values("GITHUB_ENV"), runner.values("GITHUB_OUTPUT")
    assert outputs == {"registry": f"localhost:{port}", "endpoint": f"http://localhost:{port}"}
    assert (variables["AWS_REGION"], variables["MOORAGE_REGISTRY"]) == ("eu-central-1", f"localhost:{port}")
    docker = Docker("127.0.0.1", port, variables["AWS_SECRET_ACCESS_KEY"], variables["AWS_ACCESS_KEY_ID"])
    assert docker.get("/v2/").status == 200


def test_no_step_of_the_action_puts_an_expression_into_a_shell() -> None:
    assert [step["run"] for step in ACTION["runs"]["steps"] if "${{" in step["run"]] == []


@pytest.mark.parametrize(("name", "text"), PIPELINES, ids=[name for name, _ in PIPELINES])
def test_the_pipelines_are_yaml(name: str, text: str) -> None:
    pipeline = msgspec.yaml.decode(text)

    assert isinstance(pipeline, dict), name


def test_there_is_a_pipeline_for_each_service() -> None:
    assert [name for name, _ in PIPELINES] == [".github/workflows/test.yml", ".gitlab-ci.yml", ".circleci/config.yml"]
    inputs = msgspec.yaml.decode(PIPELINES[0][1])["jobs"]["test"]["steps"][1]["with"]
    assert inputs.keys() <= ACTION["inputs"].keys()
