"""ListDeletedImages and UndeleteImage."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.api.ecr.wire import refusal
from tests.api.services.calls import allow, client_of, person_with
from tests.support.http_client import Docker
from tests.support.images import image
from tests.support.server import Server


@pytest.fixture
def deleted(ecr: Any, http: Docker, repository: str) -> list[str]:
    """The digests of three images that were pushed and deleted."""
    pushed = [image(seed=number) for number in range(3)]
    for number, one in enumerate(pushed):
        http.push(repository, one, f"v{number}")
    digests = [one.manifest.digest for one in pushed]
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": digest} for digest in digests])
    return digests


def test_deleted_images_are_listed_by_pages_with_their_tags_and_their_end(
    moorage: Any, deleted: list[str], repository: str, all_of: Callable[..., list[Any]]
) -> None:
    found = all_of(moorage.list_deleted_images, "images", repositoryName=repository, maxResults=2)

    assert [one["imageDigest"] for one in found] == sorted(deleted)
    assert {one["imageDigest"]: one["imageTags"] for one in found} == {
        digest: [f"v{number}"] for number, digest in enumerate(deleted)
    }
    assert {one["removedAfter"] - one["deletedAt"] for one in found} == {timedelta(hours=24)}


@pytest.mark.parametrize("by_tag", [False, True])
def test_an_undeleted_image_can_be_pulled_by_its_tag(
    moorage: Any, http: Docker, deleted: list[str], repository: str, by_tag: bool
) -> None:
    (undeleted,) = moorage.undelete_image(repositoryName=repository, imageReference="v1" if by_tag else deleted[1])[
        "images"
    ]

    assert undeleted == {"imageDigest": deleted[1], "imageTags": ["v1"], "takenTags": []}
    assert http.get(f"/v2/{repository}/manifests/v1").status == 200
    left = moorage.list_deleted_images(repositoryName=repository)["images"]
    assert sorted(one["imageDigest"] for one in left) == sorted([deleted[0], deleted[2]])


def test_a_tag_of_another_image_stays_there(moorage: Any, http: Docker, deleted: list[str], repository: str) -> None:
    http.push(repository, image(seed=9), "v1")
    (undeleted,) = moorage.undelete_image(repositoryName=repository, imageReference=deleted[1])["images"]
    assert (undeleted["imageTags"], undeleted["takenTags"]) == ([], ["v1"])


def test_what_is_not_deleted_cannot_be_undeleted(moorage: Any, repository: str) -> None:
    for reference in ("v1", f"sha256:{'0' * 64}"):
        refused = refusal(moorage.undelete_image, repositoryName=repository, imageReference=reference)
        assert (refused.status, refused.code) == (400, "ResourceNotFoundException")
    refused = refusal(moorage.list_deleted_images, repositoryName="deleted/nothing")
    assert (refused.status, refused.code) == (400, "ResourceNotFoundException")


def test_permissions_are_those_to_see_and_to_push_images(server: Server, deleted: list[str], repository: str) -> None:
    nobody, reader, writer = (
        client_of(server, "moorage", person_with(server, *statements))
        for statements in ([], [allow("ecr:DescribeImages")], [allow("ecr:PutImage")])
    )
    denied = refusal(nobody.list_deleted_images, repositoryName=repository)
    assert (denied.status, denied.code) == (400, "AccessDeniedException")
    assert len(reader.list_deleted_images(repositoryName=repository)["images"]) == 3
    refused = refusal(reader.undelete_image, repositoryName=repository, imageReference=deleted[0])
    assert refused.code == "AccessDeniedException"
    assert writer.undelete_image(repositoryName=repository, imageReference=deleted[0])["images"]
