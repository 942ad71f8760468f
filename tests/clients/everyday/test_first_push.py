"""The README's first push, word for word, with the AWS command line and docker."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import StartServer
from tests.support.aws import aws_client
from tests.support.clients import require_client, run
from tests.support.dockerd import Dockerd
from tests.support.images import image, layer, write_docker_archive

pytestmark = pytest.mark.client

README = Path(__file__).parents[3] / "README.md"


def first_push() -> list[str]:
    """The lines of the README."""
    found = re.search(r"<!-- first-push -->\n```sh\n(.*?)```", README.read_text(), re.DOTALL)
    assert found is not None, "the README has no first push"
    return found[1].splitlines()


@pytest.mark.parametrize("command", ["aws ecr", ".venv/bin/moorage ecr"])
def test_the_first_push_of_the_readme_works(
    command: str, fresh_server: StartServer, dockerd: Dockerd, tmp_path: Path
) -> None:
    """Only the port differs. The README says that `moorage ecr` may replace `aws ecr`."""
    server, pushed = fresh_server(), image([layer(b"Hello from Docker!\n", docker=True)], docker=True)
    folder = _project_folder(tmp_path / "project", server.data)
    dockerd.docker("load", "--input", str(write_docker_archive(tmp_path / "image.tar", pushed, "hello-world:latest")))
    lines = "\n".join(first_push()).replace("localhost:5000", f"localhost:{server.port}").replace("aws ecr", command)
    require_client("aws")
    environment = _without_credentials(server.client_environment(tmp_path)) | {"DOCKER_HOST": dockerd.address}

    output = run(["sh", "-e", "-c", f"cd '{folder}'\n{lines}"], environment)

    name = f"localhost:{server.port}/team/app:v1"
    dockerd.docker("image", "rm", name, "hello-world:latest")
    assert "Login Succeeded" in output
    assert "v1: digest: sha256:" in output
    with aws_client(server) as ecr:
        (described,) = ecr.describe_images(repositoryName="team/app")["imageDetails"]
    assert described["imageTags"] == ["v1"]
    assert described["imageDigest"] in output


def test_the_first_push_has_five_lines() -> None:
    assert len(first_push()) == 5


def _project_folder(folder: Path, data: Path) -> Path:
    """A folder that looks like the project's after `make serve`: the program in .venv, and the data folder."""
    (folder / ".venv" / "bin").mkdir(parents=True)
    program = shutil.which("moorage", path=str(Path(sys.executable).parent))
    assert program is not None, "moorage is not installed in this environment"
    (folder / ".venv" / "bin" / "moorage").symlink_to(program)
    (folder / "moorage-data").symlink_to(data)
    return folder


def _without_credentials(environment: dict[str, str]) -> dict[str, str]:
    """The variables that the README's first line sets must not be set before."""
    kept = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
    return {**kept, "AWS_EC2_METADATA_DISABLED": "true"}
