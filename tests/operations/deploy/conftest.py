"""The image, built once for all test processes, and the removal of containers."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clients import program_environment, require_client, run
from tests.support.debian_image import write_base_archive
from tests.support.dockerd import Dockerd

ROOT = Path(__file__).parents[3]
IMAGE = "moorage:test"
_DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"
BASE = "python-of-this-machine:test"
BASE_PACKAGES = (
    "base-files",
    "base-passwd",
    "coreutils",
    "dash",
    "libc-bin",
    "libgcc-s1",
    "libstdc++6",
    "python3-venv",
)


@pytest.fixture(scope="session")
def image(dockerd: Dockerd, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> str:
    """The name of the image in this test process's daemon. The first test process builds it, the others load it."""
    own = tmp_path_factory.getbasetemp()
    archive = (own if worker_id == "master" else own.parent) / "moorage-image.tar"
    with archive.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if archive.exists():
            dockerd.docker("load", "--input", str(archive))
        else:
            _build(dockerd, own)
            dockerd.docker("save", "--output", str(archive), IMAGE)
    return IMAGE


def _build(dockerd: Dockerd, folder: Path) -> None:
    base = write_base_archive(folder / "base.tar", BASE_PACKAGES)
    dockerd.docker("import", str(base), BASE)
    words = [f"--build-arg=BASE={BASE}", "--network=host", f"--file={_DOCKERFILE}", f"--tag={IMAGE}"]
    if index := os.environ.get("PIP_INDEX_URL"):
        words.append(f"--build-arg=PIP_INDEX_URL={index}")
    environment = program_environment(dockerd.folder, {"DOCKER_HOST": dockerd.address, "DOCKER_BUILDKIT": "0"})
    run([require_client("docker"), "build", *words, str(ROOT)], environment, timeout=500)


@pytest.fixture
def containers(dockerd: Dockerd) -> Iterator[None]:
    """Removes the containers that a test leaves, with their volumes."""
    yield
    if left := dockerd.docker("ps", "--all", "--quiet").split():
        dockerd.docker("rm", "--force", "--volumes", *left)
