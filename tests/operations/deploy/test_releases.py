"""Versions come from tags, the image's packages exist for both platforms, and the release workflow is careful."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.clients import require_client, run

ROOT = Path(__file__).parents[3]
WORKFLOW = ROOT / ".github/workflows/release.yml"
PINNED = re.compile(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")

Git = Callable[..., str]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the build hook, and no commit."""
    (tmp_path / "src/moorage").mkdir(parents=True)
    (tmp_path / "src/moorage/__init__.py").write_text('__version__ = "1.2.0"\n')
    shutil.copy(ROOT / "hatch_build.py", tmp_path)
    return tmp_path


@pytest.fixture
def git(repository: Path) -> Git:
    """Runs git there."""
    program = require_client("git")
    names = {f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **names, "GIT_CONFIG_GLOBAL": os.devnull}
    return lambda *words: run([program, "-C", repository, *words], environment)


def version(repository: Path, **variables: str) -> str:
    """What a build there has as its version, or why there is none."""
    ended = subprocess.run(
        [sys.executable, "-c", "import hatch_build; print(hatch_build.version())"],
        cwd=repository,
        env={**os.environ, **variables},
        check=False,
        capture_output=True,
        text=True,
    )
    return (ended.stdout or ended.stderr.splitlines()[-1]).strip()


@pytest.mark.client
def test_the_version_is_that_of_the_tag_and_between_tags_that_of_the_commit(repository: Path, git: Git) -> None:
    git("init", "--quiet")
    assert version(repository) == "1.2.0"

    git("add", ".")
    git("commit", "--quiet", "--message=first")
    assert re.fullmatch(r"1\.2\.0\.dev1\+g[0-9a-f]{12}", version(repository))

    git("tag", "v1.2.0")
    assert version(repository) == "1.2.0"

    git("commit", "--quiet", "--allow-empty", "--message=second")
    assert re.fullmatch(r"1\.2\.0\.post1\.dev1\+g[0-9a-f]{12}", version(repository))

    git("tag", "v2.0.0")
    assert "The tag v2.0.0 is not the version of __init__.py, 1.2.0: change __version__." in version(repository)


def test_without_git_the_version_is_the_given_one_or_that_of_the_source(repository: Path) -> None:
    assert version(repository, WHEEL_VERSION="v3.0.0") == "3.0.0"
    assert version(repository) == "1.2.0"

    (repository / "PKG-INFO").write_text("Metadata-Version: 2.4\nName: moorage\nVersion: 1.2.0.dev5\n")
    assert version(repository) == "1.2.0.dev5"


@pytest.mark.client
@pytest.mark.parametrize("platform", ["x86_64-manylinux_2_36", "aarch64-manylinux_2_36"])
def test_all_packages_of_the_image_have_wheels_for_the_platform(platform: str, tmp_path: Path) -> None:
    """With the hashes of the pins, for the base of the Dockerfile: Debian 12 with Python 3.13."""
    assert "python:3.13-slim-bookworm" in (ROOT / "deploy/docker/Dockerfile").read_text()
    where: list[str | Path] = [
        "--dry-run",
        "--target",
        tmp_path,
        "--python-platform",
        platform,
        "--python-version",
        "3.13",
    ]
    what: list[str | Path] = [
        "--only-binary",
        ":all:",
        "--require-hashes",
        "--requirement",
        ROOT / "requirements/image.txt",
    ]

    run([Path(sys.executable).with_name("uv"), "pip", "install", *where, *what], dict(os.environ), timeout=280)


def workflow() -> dict[str, Any]:
    content: dict[str, Any] = msgspec.yaml.decode(WORKFLOW.read_bytes())
    return content


def test_each_action_of_the_release_is_pinned_by_its_hash_and_names_its_version() -> None:
    used = [line.strip().removeprefix("- ") for line in WORKFLOW.read_text().splitlines() if "uses:" in line]

    assert used
    assert [line for line in used if not PINNED.fullmatch(line)] == []


def test_a_tag_publishes_nothing_unless_the_owner_says_so() -> None:
    release = workflow()
    assert release["permissions"] == {"contents": "read"}
    assert release["jobs"]["publish"]["if"].startswith("vars.PUBLISH == 'true' && ")
    assert release["jobs"]["publish"]["environment"] == "release"

    steps = [step for name in ("wheel", "image") for step in release["jobs"][name]["steps"]]
    for step in steps:
        if step.get("uses", "").startswith(("actions/attest@", "docker/login-action@")):
            assert step["if"] == "vars.PUBLISH == 'true'", step
        if step.get("uses", "").startswith("docker/build-push-action@"):
            assert step["with"]["push"] == "${{ vars.PUBLISH == 'true' }}"
            assert (step["with"]["sbom"], step["with"]["provenance"]) == (True, "mode=max")
            assert step["with"]["platforms"] == "linux/amd64,linux/arm64"
        assert "twine" not in step.get("run", "")
        assert "uv publish" not in step.get("run", "")


def test_no_step_puts_an_expression_into_a_shell() -> None:
    """Expressions in `run` would be commands of whoever names a branch or a tag."""
    steps = [step for job in workflow()["jobs"].values() for step in job["steps"]]

    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []
