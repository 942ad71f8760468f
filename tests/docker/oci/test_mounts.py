"""Mounts: a repository gets a blob of another repository without an upload; otherwise an upload begins."""

from __future__ import annotations

import pytest

from moorage.domain.identity.managed_policies import MANAGED_POLICIES
from tests.docker.oci.client import Answer, Client, World
from tests.docker.oci.test_uploads import CONTENT, LOCATION
from tests.support.images import digest
from tests.support.policies import allowing


def mount(client: Client, target: str, name: str, source: str | None) -> Answer:
    origin = "" if source is None else f"&from={source}"
    return client.send("POST", f"/v2/{target}/blobs/uploads/?mount={name}{origin}")


def test_a_blob_is_mounted_without_sending_it(world: World, root: Client, repository: str) -> None:
    name = root.push_blob(repository, CONTENT)
    target = world.new_repository()

    answer, again = mount(root, target, name, repository), mount(root, target, name, repository)

    assert answer.status == again.status == 201
    assert answer.headers["location"] == f"/v2/{target}/blobs/{name}"
    assert answer.headers["docker-content-digest"] == name
    assert root.get(answer.headers["location"]).body == CONTENT
    assert answer.details.operation == "InitiateLayerUpload"


def test_a_mount_without_a_source_finds_one(world: World, root: Client, repository: str) -> None:
    name = root.push_blob(repository, CONTENT)
    target = world.new_repository()

    answer = mount(root, target, name, None)

    assert (answer.status, answer.headers["location"]) == (201, f"/v2/{target}/blobs/{name}")
    assert root.get(f"/v2/{target}/blobs/{name}").body == CONTENT


@pytest.mark.parametrize("source", ["", "not/there", "NO NAME"])
def test_a_blob_that_cannot_be_mounted_starts_an_upload(
    world: World, root: Client, repository: str, source: str | None
) -> None:
    name = root.push_blob(repository, CONTENT)
    target = world.new_repository()

    answer = mount(root, target, name, source)

    assert answer.status == 202
    assert LOCATION.fullmatch(answer.headers["location"])
    assert root.get(f"/v2/{target}/blobs/{name}").status == 404


@pytest.mark.parametrize("name", [digest(b"absent"), "sha256:abc", ""])
def test_a_blob_that_the_source_does_not_have_starts_an_upload(
    world: World, root: Client, repository: str, name: str
) -> None:
    root.push_blob(world.new_repository(), b"absent")

    assert mount(root, world.new_repository(), name, repository).status == 202


def test_a_caller_who_cannot_read_the_source_cannot_mount_from_it(
    world: World, root: Client, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller who can push but not read gets the response for a missing blob."""
    name = root.push_blob(repository, CONTENT)
    target = world.new_repository()
    monkeypatch.setitem(MANAGED_POLICIES, "WriteOnly", allowing("ecr:InitiateLayerUpload", "ecr:CompleteLayerUpload"))
    writer = world.user("WriteOnly")

    answer = mount(writer, target, name, repository)

    assert answer.status == 202
    assert root.get(f"/v2/{target}/blobs/{name}").status == 404


def test_a_caller_who_cannot_complete_uploads_cannot_mount(
    world: World, root: Client, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mount makes a layer of the target, as CompleteLayerUpload does."""
    name = root.push_blob(repository, CONTENT)
    target = world.new_repository()
    monkeypatch.setitem(
        MANAGED_POLICIES, "Beginning", allowing("ecr:InitiateLayerUpload", "ecr:GetDownloadUrlForLayer")
    )

    answer = mount(world.user("Beginning"), target, name, repository)

    assert answer.status == 202
    assert root.get(f"/v2/{target}/blobs/{name}").status == 404


def test_a_mount_into_an_unknown_repository_is_rejected(root: Client, repository: str) -> None:
    name = root.push_blob(repository, CONTENT)

    answer = mount(root, "not/there", name, repository)

    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")
