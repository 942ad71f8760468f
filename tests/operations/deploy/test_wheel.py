"""The wheel brings everything, is the same wheel each time, and serves a registry where nothing else is installed."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support.aws import docker_password
from tests.support.clients import program_environment, run
from tests.support.http_client import Docker
from tests.support.images import image
from tests.support.ports import free_port

ROOT = Path(__file__).parents[3]
STATIC = Path("src/moorage/console/static")
PAGES = ("index.html", "index.html.gz", "assets/index-12345678.js")
COMPLETIONS = {
    "bash": ("moorage.bash", "share/bash-completion/completions/moorage"),
    "zsh": ("_moorage", "share/zsh/site-functions/_moorage"),
    "fish": ("moorage.fish", "share/fish/vendor_completions.d/moorage.fish"),
}
OF_EXTRAS = ("awscli", "boto3", "botocore", "moorage_bench", "opentelemetry", "pytest", "yaml")
"""Packages that a module may need only with an extra."""

IMPORT_ALL = f"""
import importlib, pkgutil, moorage
for module in pkgutil.walk_packages(moorage.__path__, "moorage."):
    if module.name == "moorage.__main__":
        continue
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {OF_EXTRAS}:
            raise
"""


def source_in(folder: Path, *, pages: bool = True) -> Path:
    """What a wheel is built from, without git."""
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("static", "__pycache__"))
    shutil.copytree(ROOT / "deploy/completions", folder / "deploy/completions")
    for name in ("LICENSE", "README.md", "hatch_build.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    if pages:
        (folder / STATIC / "assets").mkdir(parents=True)
        for name in PAGES:
            (folder / STATIC / name).write_text(name)
    return folder


def build(source: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Build a wheel on a machine without npm."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", "dist"]
    environment = {**os.environ, "PATH": str(Path(sys.executable).parent), **variables}
    return subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=source, env=environment, timeout=300
    )


def wheel_of(source: Path, **variables: str) -> Path:
    built = build(source, **variables)
    assert built.returncode == 0, built.stderr
    (wheel,) = (source / "dist").iterdir()
    return wheel


def test_a_wheel_has_the_pages_of_the_console_the_completions_and_the_types(tmp_path: Path) -> None:
    wheel = wheel_of(source_in(tmp_path / "source"))

    names = zipfile.ZipFile(wheel).namelist()
    assert {name for name in names if "/static/" in name} == {f"moorage/console/static/{name}" for name in PAGES}
    for _, installed in COMPLETIONS.values():
        assert [name for name in names if name.endswith(f".data/data/{installed}")]
    assert "moorage/py.typed" in names


def test_a_wheel_without_pages_is_not_built(tmp_path: Path) -> None:
    source = source_in(tmp_path / "source", pages=False)

    built = build(source)

    assert built.returncode != 0
    assert "run `make console` first" in built.stderr
    assert not (source / "dist").exists() or not list((source / "dist").iterdir())


def test_two_builds_of_a_commit_are_the_same_bytes(tmp_path: Path) -> None:
    """In other folders, at other times, with other modes of files."""
    first, second = (source_in(tmp_path / name / "source") for name in ("here", "elsewhere"))
    for path in second.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        if path.is_file():
            path.chmod(0o640)

    wheels = [wheel_of(source, SOURCE_DATE_EPOCH="1700000000", WHEEL_VERSION="1.2.3") for source in (first, second)]

    assert wheels[0].name == "moorage-1.2.3-py3-none-any.whl"
    assert len({hashlib.sha256(wheel.read_bytes()).digest() for wheel in wheels}) == 1
    dates = {entry.date_time for entry in zipfile.ZipFile(wheels[0]).infolist()}
    assert dates == {(2023, 11, 14, 22, 13, 20)}


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """The prefix of a new environment with the wheel and what it requires, as `uv tool install` makes it."""
    wheel = wheel_of(source_in(tmp_path / "source"), WHEEL_VERSION="1.2.3")
    folders = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    uv = Path(sys.executable).with_name("uv")
    pins: list[str | Path] = ["--constraints", ROOT / "requirements/image.txt"]
    run([uv, "tool", "install", "--python", sys.executable, *pins, wheel], {**os.environ, **folders}, timeout=280)
    return tmp_path / "tools" / "moorage"


class Installed:
    """A server that runs from the wheel, in an environment with nothing else."""

    def __init__(self, prefix: Path, folder: Path) -> None:
        self.port = free_port()
        self.prefix = prefix
        settings = {"MOORAGE_DATA": str(folder / "data"), "MOORAGE_LISTEN": f"127.0.0.1:{self.port}"}
        self.environment = program_environment(folder, settings)

    def run(self, program: str, *words: str) -> str:
        return run([self.prefix / "bin" / program, *words], self.environment, timeout=120)

    def ecr(self) -> Any:
        """boto3 with the output of `moorage env`."""
        lines = [shlex.split(line) for line in self.run("moorage", "env").splitlines()]
        variables = dict(words[1].split("=", 1) for words in lines if words[0] == "export")
        return boto3.client(
            "ecr",
            endpoint_url=variables["AWS_ENDPOINT_URL_ECR"],
            region_name=variables["AWS_REGION"],
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        )


@pytest.fixture
def installed(prefix: Path, tmp_path: Path) -> Iterator[Installed]:
    server = Installed(prefix, tmp_path)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([prefix / "bin/moorage", "serve"], env=server.environment, stderr=log, stdout=log)
        server.run("moorage", "ready", "--wait", "60s")
        yield server
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


@pytest.mark.client
def test_a_server_that_is_installed_from_the_wheel_alone_takes_a_push(installed: Installed) -> None:
    ecr, pushed = installed.ecr(), image(seed=1)
    ecr.create_repository(repositoryName="team/app")
    docker = Docker("127.0.0.1", installed.port, docker_password(ecr))

    docker.push("team/app", pushed, "v1")

    (detail,) = ecr.describe_images(repositoryName="team/app")["imageDetails"]
    assert detail["imageDigest"] == pushed.manifest.digest
    assert docker.get("/console/").body == b"index.html"
    assert installed.run("moorage", "--version").strip() == "moorage, version 1.2.3"
    installed.run("python", "-c", IMPORT_ALL)


@pytest.mark.parametrize("shell", COMPLETIONS)
def test_the_completions_are_those_of_the_program(shell: str) -> None:
    """After a change of click: `_MOORAGE_COMPLETE=SHELL_source moorage >deploy/completions/FILE`."""
    printed = subprocess.run(
        [Path(sys.executable).with_name("moorage")],
        env={**os.environ, "_MOORAGE_COMPLETE": f"{shell}_source"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert (ROOT / "deploy/completions" / COMPLETIONS[shell][0]).read_text() == f"{printed.rstrip()}\n"
