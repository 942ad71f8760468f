"""The fixtures of pytest and the context manager of `moorage.testing`, and the examples of docs/testing.md."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from moorage.testing import Registry, RegistryNotStarted, registry
from tests.support.clients import program_environment
from tests.support.http_client import Docker
from tests.support.images import image
from tests.support.waiting import wait_until

PAGE = (Path(__file__).parents[3] / "docs/testing.md").read_text("utf-8")
EXAMPLES = {
    found[1]: found[2] for found in re.finditer(r"^```python\n# (\S+\.py)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
}

SHARED = """
def test_one(ecr_client, moorage):
    ecr_client.create_repository(repositoryName="team/app")
    assert moorage.account == "000000000000"

def test_two(ecr_client):
    assert ecr_client.describe_repositories()["repositories"] == []

def test_three(moorage, moorage_region, monkeypatch):
    assert moorage.endpoint == moorage_region.endpoint
    assert moorage.region != moorage_region.region
"""

RESET = """
def test_one(moorage_reset):
    moorage_reset.create_repository("team/app")
    moorage_reset.client("iam").create_user(UserName="ann")

def test_two(moorage):
    assert moorage.client().describe_repositories()["repositories"] == []
    assert moorage.client("iam").list_users()["Users"] == []
    assert moorage.lab("PUT", "time", {"time": "2030-01-31T12:00:00Z"})["time"].startswith("2030-01-31")
"""

UNUSED = """
import sys

def test_nothing_was_imported():
    loaded = {name for name in sys.modules if name.partition(".")[0] in ("moorage", "boto3", "botocore", "aiohttp")}
    assert loaded == {"moorage", "moorage.testing", "moorage.testing.plugin"}
"""

DYING = """
import os, signal

def test_it_is_killed(moorage):
    print(moorage.endpoint, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def run_in(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program of Python in a folder, without the settings of this project."""
    environment = program_environment(folder, {"AWS_PROFILE": "of-the-user"})
    command = [sys.executable, "-W", "error", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=240
    )


def run_pytest(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run_in(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", *words)


def is_served(host: str) -> bool:
    name, _, port = host.partition(":")
    try:
        return Docker(name, int(port), None).get("/healthz").status == 200
    except OSError:
        return False


def test_the_examples_of_the_page_run(tmp_path: Path) -> None:
    for name, text in EXAMPLES.items():
        (tmp_path / name).write_text(text)
    assert {"conftest.py", "test_images.py", "test_with_unittest.py"} <= set(EXAMPLES)

    by_pytest = run_pytest(tmp_path, "test_images.py")
    by_unittest = run_in(tmp_path, "-m", "unittest", "test_with_unittest")

    assert by_pytest.returncode == 0, by_pytest.stdout
    assert "2 passed" in by_pytest.stdout
    assert by_unittest.returncode == 0, by_unittest.stderr


def test_tests_share_a_server_and_have_a_region_each(tmp_path: Path) -> None:
    (tmp_path / "test_shared.py").write_text(SHARED)

    ended = run_pytest(tmp_path)

    assert "3 passed" in ended.stdout, ended.stdout


def test_a_reset_empties_all_regions_for_the_next_test(tmp_path: Path) -> None:
    (tmp_path / "test_reset.py").write_text(RESET)

    ended = run_pytest(tmp_path)

    assert "2 passed" in ended.stdout, ended.stdout


def test_a_session_that_uses_no_fixture_imports_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "test_unused.py").write_text(UNUSED)

    ended = run_pytest(tmp_path)

    assert "1 passed" in ended.stdout, ended.stdout


def test_the_server_ends_when_the_tests_are_killed(tmp_path: Path) -> None:
    (tmp_path / "test_dying.py").write_text(DYING)

    ended = run_pytest(tmp_path, "-s")

    assert ended.returncode == -signal.SIGKILL, ended.stdout
    found = re.search(r"http://(\S+)", ended.stdout)
    assert found
    wait_until(lambda: not is_served(found[1]))


@pytest.fixture(scope="module")
def started() -> Registry:
    """A registry that has already ended, so only its description is left."""
    with registry("--account", "123456789012", "--region", "eu-central-1") as running:
        own = running.in_region("us-west-2")
        repository = own.create_repository("team/app")
        docker = Docker(*_address(own), own.login().password)
        docker.push("team/app", image(seed=1), "v1")
        (detail,) = own.client().describe_images(repositoryName=repository.name)["imageDetails"]
        assert detail["imageTags"] == ["v1"]
        assert running.client().describe_repositories()["repositories"] == []
        assert repository.arn == "arn:aws:ecr:us-west-2:123456789012:repository/team/app"
        return running


def _address(of: Registry) -> tuple[str, int]:
    host, _, port = of.host.partition(":")
    return host, int(port)


def test_a_registry_is_gone_at_the_end(started: Registry) -> None:
    assert (started.account, started.region) == ("123456789012", "eu-central-1")
    assert not is_served(started.host)
    assert not Path(started.environment["MOORAGE_DATA"]).exists()


def test_secrets_are_not_in_what_a_failed_test_prints(started: Registry) -> None:
    assert started.environment["AWS_SECRET_ACCESS_KEY"] not in repr(started)


def test_a_registry_that_cannot_start_says_why() -> None:
    with pytest.raises(RegistryNotStarted, match="No such option"), registry("--no-such-option"):
        pass


def test_a_login_is_written_for_docker(tmp_path: Path) -> None:
    with registry() as running:
        variables = running.write_login(tmp_path / "docker")
        login = running.login()

    file = Path(variables["DOCKER_CONFIG"]) / "config.json"
    assert variables["REGISTRY_AUTH_FILE"] == str(file)
    assert list(json.loads(file.read_text())["auths"]) == [login.host]
    assert file.stat().st_mode & 0o777 == 0o600
    assert login.password not in repr(login)
