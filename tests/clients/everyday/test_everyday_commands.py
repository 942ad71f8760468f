"""Everyday commands of docker, podman, skopeo, crane and the AWS command line, besides a first push and pull."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api.ecr.pushing import push
from tests.clients.everyday.programs import TAKE_PLAIN_HTTP, Programs
from tests.support.clients import require_client, run
from tests.support.images import Image, image, index, layer, write_docker_archive
from tests.support.server import Server
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.client


def test_skopeo_and_crane_list_tags(programs: Programs, ecr: Any, repository: str) -> None:
    push(ecr, repository, image(seed=1), "v1", "v2", "latest")

    by_skopeo = json.loads(programs.run("skopeo", "list-tags", TAKE_PLAIN_HTTP, programs.image(repository)[:-3]))
    by_crane = programs.run("crane", "ls", f"{programs.host}/{repository}")

    assert by_skopeo == {"Repository": f"{programs.host}/{repository}", "Tags": ["latest", "v1", "v2"]}
    assert by_crane.split() == ["latest", "v1", "v2"]


def test_crane_lists_the_repositories_of_the_registry(programs: Programs, new_repository: Callable[[], str]) -> None:
    made = {new_repository(), new_repository()}

    listed = programs.run("crane", "catalog", programs.host).split()

    assert made <= set(listed)
    assert listed == sorted(listed)


def test_every_client_reads_the_same_manifest_and_digest(programs: Programs, ecr: Any, repository: str) -> None:
    pushed = push(ecr, repository, image(seed=1, docker=True), "v1")
    name, manifest = programs.reference(repository), pushed.manifest.content.decode()

    assert programs.run("crane", "digest", name).strip() == pushed.manifest.digest
    assert programs.run("crane", "manifest", name).strip() == manifest
    assert programs.run("crane", "config", name).strip() == pushed.blobs[0].content.decode()
    assert programs.run("skopeo", "inspect", TAKE_PLAIN_HTTP, "--raw", programs.image(repository)) == manifest
    inspected = json.loads(programs.run("docker", "manifest", "inspect", "--insecure", "--verbose", name))
    assert inspected["Descriptor"]["digest"] == pushed.manifest.digest
    described = json.loads(programs.run("skopeo", "inspect", TAKE_PLAIN_HTTP, programs.image(repository)))
    assert described["Digest"] == pushed.manifest.digest
    assert described["Layers"] == [blob.digest for blob in pushed.blobs[1:]]
    assert described["RepoTags"] == ["v1"]


def test_podman_inspects_an_index_where_its_configuration_allows_plain_http(
    programs: Programs, ecr: Any, repository: str
) -> None:
    """`inspect` has no --tls-verify, so docs/docker.md has these three lines. It shows any index with Docker's type."""
    children = [push(ecr, repository, image(seed=seed)) for seed in (1, 2)]
    family = push(ecr, repository, index(children), "v1")
    listed = json.loads(family.manifest.content)["manifests"]
    registries = programs.home / ".config" / "containers" / "registries.conf"
    registries.parent.mkdir(parents=True, exist_ok=True)
    registries.write_text(f'[[registry]]\nlocation = "{programs.host}"\ninsecure = true\n')

    shown = json.loads(programs.run("podman", "manifest", "inspect", programs.reference(repository)))

    registries.unlink()
    assert shown["manifests"] == listed


def test_crane_validates_an_image(programs: Programs, ecr: Any, repository: str) -> None:
    """crane downloads every blob and compares digests, sizes and diff ids."""
    push(ecr, repository, image([layer(seed=1), layer(100_000, seed=2)]), "v1")

    assert "PASS" in programs.run("crane", "validate", "--remote", programs.reference(repository))


def test_crane_tags_and_copies_inside_the_registry_without_sending_a_blob(
    programs: Programs, ecr: Any, new_repository: Callable[[], str], server: Server
) -> None:
    source, target = new_repository(), new_repository()
    pushed = push(ecr, source, image(seed=1), "v1")

    programs.run("crane", "tag", programs.reference(source), "stable")
    programs.run("crane", "copy", programs.reference(source, "stable"), programs.reference(target, "copied"))

    assert _tags(ecr, source) == {pushed.manifest.digest: ["stable", "v1"]}
    assert _tags(ecr, target) == {pushed.manifest.digest: ["copied"]}
    assert _uploads(server, target, len(pushed.blobs)) == [("POST", 201)] * len(pushed.blobs)


def test_skopeo_copies_between_two_repositories(
    programs: Programs, ecr: Any, new_repository: Callable[[], str]
) -> None:
    source, target = new_repository(), new_repository()
    pushed = push(ecr, source, image(seed=7), "v1")

    programs.skopeo_copy(programs.image(source), programs.image(target, "copied"))

    assert _tags(ecr, target) == {pushed.manifest.digest: ["copied"]}


class TestDocker:
    """Pushes that have little or nothing to send."""

    @pytest.fixture
    def loaded(self, programs: Programs, repository: str, tmp_path: Path) -> Image:
        pushed = image([layer(seed=8, docker=True), layer(seed=9, docker=True)], docker=True)
        archive = write_docker_archive(tmp_path / "image.tar", pushed, programs.reference(repository))
        programs.run("docker", "load", "--input", str(archive))
        return pushed

    def test_pushes_an_unchanged_image_again(
        self, programs: Programs, ecr: Any, repository: str, loaded: Image
    ) -> None:
        name = programs.reference(repository)
        programs.run("docker", "push", name)
        before = _tags(ecr, repository)

        output = programs.run("docker", "push", name)

        programs.run("docker", "image", "rm", name)
        assert output.count("Layer already exists") == 2
        assert _tags(ecr, repository) == before

    def test_pushes_two_tags_that_share_a_layer(
        self, programs: Programs, ecr: Any, repository: str, loaded: Image, tmp_path: Path
    ) -> None:
        name = programs.reference(repository)
        second = image([layer(seed=8, docker=True), layer(seed=10, docker=True)], docker=True)
        other = programs.reference(repository, "v2")
        archive = write_docker_archive(tmp_path / "second.tar", second, other)
        programs.run("docker", "load", "--input", str(archive))
        programs.run("docker", "push", name)

        output = programs.run("docker", "push", other)

        programs.run("docker", "image", "rm", name, other)
        assert output.count("Layer already exists") == 1
        assert output.count(": Pushed") == 1
        assert sorted(tag for tags in _tags(ecr, repository).values() for tag in tags) == ["v1", "v2"]

    def test_pushes_all_tags_of_a_repository_and_pulls_them(
        self, programs: Programs, ecr: Any, repository: str, loaded: Image
    ) -> None:
        name, other = programs.reference(repository), programs.reference(repository, "v2")
        programs.run("docker", "tag", name, other)

        programs.run("docker", "push", "--all-tags", f"{programs.host}/{repository}")
        programs.run("docker", "image", "rm", name, other)
        programs.run("docker", "pull", "--all-tags", f"{programs.host}/{repository}")

        programs.run("docker", "image", "rm", name, other)
        assert [sorted(tags) for tags in _tags(ecr, repository).values()] == [["v1", "v2"]]

    def test_pulls_by_digest(self, programs: Programs, ecr: Any, repository: str) -> None:
        pushed = push(ecr, repository, image([layer(seed=11, docker=True)], docker=True))
        name = f"{programs.host}/{repository}@{pushed.manifest.digest}"

        output = programs.run("docker", "pull", name)

        programs.run("docker", "image", "rm", name)
        assert f"Digest: {pushed.manifest.digest}" in output

    def test_mounts_the_layers_that_it_pushed_to_another_repository(
        self, programs: Programs, repository: str, new_repository: Callable[[], str], loaded: Image
    ) -> None:
        first, second = programs.reference(repository), programs.reference(new_repository())
        programs.run("docker", "push", first)
        programs.run("docker", "tag", first, second)

        output = programs.run("docker", "push", second)

        programs.run("docker", "image", "rm", first, second)
        assert output.count(f"Mounted from {repository}") == 2


class TestDeletion:
    """A deletion at one endpoint takes effect at the other."""

    def test_skopeo_deletes_an_image_with_its_tags(self, programs: Programs, ecr: Any, repository: str) -> None:
        push(ecr, repository, image(seed=1), "v1", "v2")

        programs.run("skopeo", "delete", TAKE_PLAIN_HTTP, programs.image(repository))

        assert ecr.list_images(repositoryName=repository)["imageIds"] == []
        with pytest.raises(ecr.exceptions.ImageNotFoundException):
            ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "v2"}])

    def test_crane_deletes_a_tag_or_an_image(self, programs: Programs, ecr: Any, repository: str) -> None:
        pushed = push(ecr, repository, image(seed=1), "v1", "v2")

        programs.run("crane", "delete", programs.reference(repository))
        assert _tags(ecr, repository) == {pushed.manifest.digest: ["v2"]}

        programs.run("crane", "delete", f"{programs.host}/{repository}@{pushed.manifest.digest}")
        assert _tags(ecr, repository) == {}

    def test_batch_delete_image_deletes_the_image_for_docker_clients(
        self, programs: Programs, ecr: Any, server: Server, repository: str
    ) -> None:
        push(ecr, repository, image(seed=1), "v1")
        command = [require_client("aws"), "ecr", "batch-delete-image", "--repository-name", repository]
        name = programs.reference(repository)

        run([*command, "--image-ids", "imageTag=v1"], server.client_environment(programs.home))

        for output in (
            programs.refused("docker", "pull", name),
            programs.refused("podman", "pull", TAKE_PLAIN_HTTP, name),
            programs.refused("skopeo", "inspect", TAKE_PLAIN_HTTP, programs.image(repository)),
            programs.refused("crane", "manifest", name),
        ):
            assert "manifest unknown: requested image not found" in output.lower().replace("_", " ")


def _tags(ecr: Any, repository: str) -> dict[str, list[str]]:
    """The tags of each image."""
    described = ecr.describe_images(repositoryName=repository)["imageDetails"]
    return {row["imageDigest"]: sorted(row.get("imageTags", [])) for row in described}


def _uploads(server: Server, repository: str, expected: int) -> list[tuple[str, int]]:
    """Method and status of the logged blob upload requests of a repository; 201 for POST is a mount.

    The server writes its log in batches, so this waits for as many as `expected`.
    """
    uploads, end = f"/v2/{repository}/blobs/uploads/", time.monotonic() + PATIENCE_SECONDS
    while True:
        lines = [json.loads(line) for line in server.output().splitlines() if line.startswith("{")]
        found = [(line["method"], line["status"]) for line in lines if line.get("path", "").startswith(uploads)]
        if len(found) >= expected or time.monotonic() > end:
            return found
        time.sleep(0.05)
