"""Images of several architectures, and artifacts that are not container images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.api.ecr.pushing import push, put
from tests.clients.everyday.programs import TAKE_PLAIN_HTTP, Programs
from tests.clients.everyday.transfers import (
    Desk,
    crane_pulls_all,
    podman_pulls_another_architecture,
    pull_with_docker,
    skopeo_pulls_all,
)
from tests.support.http_client import Docker
from tests.support.images import DOCKER_LIST, OCI_INDEX, Image, artifact, digest, image, index, layer, write_layout

pytestmark = pytest.mark.client

ARCHITECTURES = ("amd64", "arm64")


class Family(NamedTuple):
    """An index (`top`) with its images, all in one format."""

    top: Image
    children: tuple[Image, ...]


def family(*, docker: bool) -> Family:
    children = tuple(
        image([layer(seed=seed, docker=docker)], {"architecture": architecture}, docker=docker)
        for seed, architecture in enumerate(ARCHITECTURES, 3_000 + 10 * docker)
    )
    return Family(index(children, docker=docker), children)


def push_with_skopeo(desk: Desk, repository: str, pushed: Family) -> None:
    layout = write_layout(desk.folder / "layout", pushed.top, children=pushed.children)
    desk.programs.skopeo_copy(f"oci:{layout}", desk.programs.image(repository), "--all")


def push_with_crane(desk: Desk, repository: str, pushed: Family) -> None:
    layout = write_layout(desk.folder / "layout", pushed.top, children=pushed.children)
    desk.programs.run("crane", "push", str(layout), desk.programs.reference(repository))


def push_with_the_api(desk: Desk, repository: str, pushed: Family) -> None:
    for child in pushed.children:
        push(desk.ecr, repository, child)
    put(desk.ecr, repository, pushed.top, "v1")


def push_with_podman(desk: Desk, repository: str, pushed: Family) -> None:
    """podman makes an index of its local images and pushes all of them."""
    name = "localhost/family"
    desk.programs.run("podman", "manifest", "create", name)
    for number, child in enumerate(pushed.children):
        layout = write_layout(desk.folder / f"layout-{number}", child)
        desk.programs.run("podman", "manifest", "add", name, f"oci:{layout}")
    target = f"docker://{desk.programs.reference(repository)}"
    desk.programs.run("podman", "manifest", "push", TAKE_PLAIN_HTTP, "--all", "--format", "oci", name, target)
    desk.programs.run("podman", "manifest", "rm", name)


def push_with_docker(desk: Desk, repository: str, pushed: Family) -> None:
    """`docker manifest` makes an index of images in the registry."""
    name = desk.programs.reference(repository)
    for child in pushed.children:
        push(desk.ecr, repository, child)
    members = [f"{desk.programs.host}/{repository}@{child.manifest.digest}" for child in pushed.children]
    desk.programs.run("docker", "manifest", "create", "--insecure", name, *members)
    desk.programs.run("docker", "manifest", "push", "--insecure", "--purge", name)


PUSHERS: dict[str, Callable[[Desk, str, Family], None]] = {
    "skopeo-oci": push_with_skopeo,
    "crane-oci": push_with_crane,
    "crane-docker": push_with_crane,
    "api-oci": push_with_the_api,
    "api-docker": push_with_the_api,
    "podman-oci": push_with_podman,
    "docker-docker": push_with_docker,
}
EXACT = ("skopeo", "crane", "api")
"""Clients that push an index unchanged. docker and podman write a new one."""


@pytest.mark.parametrize("pusher", PUSHERS)
def test_an_index_is_pushed_and_pulled_with_all_its_images(
    pusher: str, desk: Desk, repository: str, http: Docker
) -> None:
    client, form = pusher.split("-")
    pushed = family(docker=form == "docker")

    PUSHERS[pusher](desk, repository, pushed)

    stored = http.get(f"/v2/{repository}/manifests/v1")
    assert stored.headers["Content-Type"] == (DOCKER_LIST if form == "docker" else OCI_INDEX)
    if client in EXACT:
        assert stored.body == pushed.top.manifest.content
    listed = {child["platform"]["architecture"]: child["digest"] for child in stored.json()["manifests"]}
    assert listed.keys() == set(ARCHITECTURES)
    skopeo_pulls_all(desk, repository, stored.body, set(listed.values()))
    crane_pulls_all(desk, repository, stored.body, set(listed.values()))
    _the_api_reads_all(desk, repository, stored.body, set(listed.values()))
    pulled = pull_with_docker(desk, repository)
    assert (pulled.manifest, pulled.contents) == (digest(stored.body), (pushed.children[0].blobs[1].diff_id,))
    podman_pulls_another_architecture(desk, repository, pushed.children[1], ARCHITECTURES[1])


def _the_api_reads_all(desk: Desk, repository: str, manifest: bytes, children: set[str]) -> None:
    requested = [{"imageTag": "v1"}, *({"imageDigest": child} for child in children)]
    answer = desk.ecr.batch_get_image(repositoryName=repository, imageIds=requested)
    assert answer["failures"] == []
    found = {row["imageId"]["imageDigest"]: row["imageManifest"].encode() for row in answer["images"]}
    assert found.keys() == {digest(manifest), *children}
    assert found[digest(manifest)] == manifest
    assert all(digest(content) == name for name, content in found.items())


@pytest.mark.parametrize("pusher", ["crane", "api"])
def test_an_artifact_with_the_empty_configuration_is_pushed_and_pulled(
    pusher: str, programs: Programs, ecr: Any, repository: str, tmp_path: Path
) -> None:
    note = artifact(b"a note, not a layer")
    if pusher == "crane":
        programs.run("crane", "push", str(write_layout(tmp_path / "sent", note)), programs.reference(repository))
    else:
        push(ecr, repository, note, "v1")

    programs.skopeo_copy(programs.image(repository), f"dir:{tmp_path / 'skopeo'}")
    programs.run("crane", "pull", "--format=oci", programs.reference(repository), str(tmp_path / "crane"))
    (described,) = ecr.describe_images(repositoryName=repository)["imageDetails"]

    for blob in note.blobs:
        assert (tmp_path / "skopeo" / blob.digest[7:]).read_bytes() == blob.content
        assert (tmp_path / "crane" / "blobs" / "sha256" / blob.digest[7:]).read_bytes() == blob.content
    assert (tmp_path / "skopeo" / "manifest.json").read_bytes() == note.manifest.content
    assert described["imageDigest"] == note.manifest.digest
    assert described["artifactMediaType"] == "application/vnd.example.note"


def test_skopeo_copies_an_artifact_from_one_repository_to_another(
    programs: Programs, ecr: Any, new_repository: Callable[[], str]
) -> None:
    note, source, target = artifact(b"copied"), new_repository(), new_repository()
    push(ecr, source, note, "v1")

    programs.skopeo_copy(programs.image(source), programs.image(target))

    assert programs.run("crane", "digest", programs.reference(target)).strip() == note.manifest.digest
