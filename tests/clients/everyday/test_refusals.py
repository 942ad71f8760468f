"""Refused requests, and the messages that the clients then show: ECR's own sentences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api.ecr.pushing import push
from tests.clients.everyday.programs import TAKE_PLAIN_HTTP, Credentials, Programs
from tests.clients.everyday.users import new_user
from tests.support.http_client import Docker
from tests.support.images import Image, image, layer, write_directory, write_docker_archive, write_layout
from tests.support.server import Server

pytestmark = pytest.mark.client

People = Callable[..., Programs]
PUSHERS = ("docker", "podman", "skopeo", "crane")
READ_ONLY = "AmazonEC2ContainerRegistryReadOnly"


def refused_push(programs: Programs, pusher: str, pushed: Image, name: str, folder: Path) -> str:
    """The message of a client whose push of `pushed` under `name` (with the host) fails."""
    match pusher:
        case "docker":
            archive = write_docker_archive(folder / "image.tar", pushed, name)
            programs.run("docker", "load", "--input", str(archive))
            message = programs.refused("docker", "push", name)
            programs.run("docker", "image", "rm", name)
            return message
        case "podman":
            programs.run("podman", "load", "--input", str(write_docker_archive(folder / "image.tar", pushed, name)))
            return programs.refused("podman", "push", TAKE_PLAIN_HTTP, name)
        case "skopeo":
            source = f"dir:{write_directory(folder / 'directory', pushed)}"
            return programs.refused("skopeo", "copy", "--dest-tls-verify=false", source, f"docker://{name}")
        case _:
            return programs.refused("crane", "push", str(write_layout(folder / "layout", pushed)), name)


@pytest.mark.parametrize("pusher", PUSHERS)
def test_an_immutable_tag_cannot_be_overwritten(
    pusher: str, programs: Programs, ecr: Any, http: Docker, tmp_path: Path
) -> None:
    repository = f"immutable/{pusher}"
    ecr.create_repository(repositoryName=repository, imageTagMutability="IMMUTABLE")
    first = push(ecr, repository, image(seed=1, docker=True), "v1")
    other = image([layer(seed=2, docker=True)], docker=True)

    message = refused_push(programs, pusher, other, programs.reference(repository), tmp_path)

    assert (
        f"The image tag 'v1' already exists in the '{repository}' repository "
        "and cannot be overwritten because the tag is immutable." in message
    )
    assert http.get(f"/v2/{repository}/manifests/v1").body == first.manifest.content


def test_an_immutable_tag_is_pushed_again_with_the_same_image(programs: Programs, ecr: Any, tmp_path: Path) -> None:
    ecr.create_repository(repositoryName="immutable/again", imageTagMutability="IMMUTABLE")
    source = f"dir:{write_directory(tmp_path / 'directory', image(seed=1, docker=True))}"

    for _ in range(2):
        programs.skopeo_copy(source, programs.image("immutable/again"))


@pytest.mark.parametrize("pusher", PUSHERS)
def test_a_push_to_a_missing_repository_names_it(pusher: str, programs: Programs, tmp_path: Path) -> None:
    pushed = image([layer(seed=4, docker=True)], docker=True)

    message = refused_push(programs, pusher, pushed, programs.reference("no/such"), tmp_path)

    assert "name unknown" in message.lower().replace("_", " ")
    assert "The repository with name 'no/such' does not exist in the registry with id '000000000000'" in message


@pytest.fixture(scope="module")
def credentials_of_reader(server: Server) -> Credentials:
    return new_user(server, "reader", READ_ONLY)


class TestAReader:
    """A user whose only policy is AmazonEC2ContainerRegistryReadOnly."""

    @pytest.fixture
    def reader(self, strangers: People, credentials_of_reader: Credentials) -> Programs:
        return strangers(credentials_of_reader)

    @pytest.mark.parametrize("pusher", PUSHERS)
    def test_can_pull_and_cannot_push(
        self, pusher: str, reader: Programs, ecr: Any, repository: str, tmp_path: Path
    ) -> None:
        push(ecr, repository, image(seed=5, docker=True), "v1")
        name = reader.reference(repository)
        self._pull(reader, pusher, name, tmp_path)

        other = image([layer(seed=6, docker=True)], docker=True)
        message = refused_push(reader, pusher, other, reader.reference(repository, "v2"), tmp_path)

        assert "denied: user: arn:aws:iam::000000000000:user/reader " in message.lower()
        assert "is not authorized to perform: ecr:InitiateLayerUpload" in message
        assert "because no identity-based policy allows the ecr:InitiateLayerUpload action" in message
        assert [row["imageTags"] for row in ecr.describe_images(repositoryName=repository)["imageDetails"]] == [["v1"]]

    def test_cannot_delete(self, reader: Programs, ecr: Any, repository: str) -> None:
        push(ecr, repository, image(seed=5, docker=True), "v1")

        by_skopeo = reader.refused("skopeo", "delete", TAKE_PLAIN_HTTP, reader.image(repository))
        by_crane = reader.refused("crane", "delete", reader.reference(repository))

        assert "ecr:BatchDeleteImage" in by_crane
        assert "denied" in by_skopeo.lower()
        assert len(ecr.list_images(repositoryName=repository)["imageIds"]) == 1

    @staticmethod
    def _pull(reader: Programs, puller: str, name: str, folder: Path) -> None:
        match puller:
            case "docker":
                reader.run("docker", "pull", name)
                reader.run("docker", "image", "rm", name)
            case "podman":
                reader.run("podman", "pull", TAKE_PLAIN_HTTP, name)
            case "skopeo":
                reader.run("skopeo", "copy", "--src-tls-verify=false", f"docker://{name}", f"dir:{folder / 'pulled'}")
            case _:
                reader.run("crane", "pull", name, str(folder / "pulled.tar"))
