"""UpdateImageStorageClass, and archived images at both endpoints.

ECR user guide, "Archiving an image in Amazon ECR"; API reference, UpdateImageStorageClass.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.api.ecr.pushing import push, put, put_refused, upload_layer, variants
from tests.api.ecr.refusals import no_repository
from tests.api.ecr.wire import ACCOUNT, Refusal, refusal
from tests.support.http_client import Docker
from tests.support.images import Image, digest, image, index

INACCESSIBLE = {"failureCode": "ImageInaccessible", "failureReason": "Requested image is archived"}


def move(ecr: Any, repository: str, target: str, **image_id: str) -> Any:
    answer = ecr.update_image_storage_class(repositoryName=repository, imageId=image_id, targetStorageClass=target)
    answer.pop("ResponseMetadata")
    return answer


def archive(ecr: Any, repository: str, pushed: Image) -> None:
    move(ecr, repository, "ARCHIVE", imageDigest=pushed.manifest.digest)


def restore(ecr: Any, repository: str, pushed: Image) -> None:
    move(ecr, repository, "STANDARD", imageDigest=pushed.manifest.digest)


def detail(ecr: Any, repository: str, pushed: Image) -> Any:
    described = ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": pushed.manifest.digest}])
    return described["imageDetails"][0]


def statuses(ecr: Any, repository: str) -> dict[str, str]:
    described = ecr.describe_images(repositoryName=repository, filter={"imageStatus": "ANY"})["imageDetails"]
    return {row["imageDigest"]: row["imageStatus"] for row in described}


def listed(ecr: Any, repository: str, **chosen: str) -> tuple[list[str], list[str]]:
    """Digests by ListImages and by DescribeImages."""
    ids = ecr.list_images(repositoryName=repository, filter=chosen)["imageIds"]
    details = ecr.describe_images(repositoryName=repository, filter=chosen)["imageDetails"]
    return [row["imageDigest"] for row in ids], [row["imageDigest"] for row in details]


def referring(to: Image) -> Image:
    return image(
        to.blobs[1:], extra={"subject": to.manifest.descriptor, "artifactType": "application/vnd.example.note"}
    )


def unchangeable(pushed: Image, repository: str, reason: str) -> Refusal:
    message = (
        f"The storage class of the image with digest '{pushed.manifest.digest}' in the repository with name "
        f"'{repository}' in the registry with id '{ACCOUNT}' cannot be updated: {reason}"
    )
    return Refusal(400, "ImageStorageClassUpdateNotSupportedException", message)


@pytest.fixture
def pair(ecr: Any, repository: str) -> tuple[Image, Image]:
    """An image with the tags a and b, and an image with the tag kept. They share their blobs."""
    each, kept = (each for each, _ in zip(variants(), range(2), strict=False))
    return push(ecr, repository, each, "a", "b"), push(ecr, repository, kept, "kept")


def test_the_description_of_an_image_shows_that_it_is_archived_or_restored(
    ecr: Any, repository: str, pair: tuple[Image, Image]
) -> None:
    first, _ = pair
    before = time.time()

    archived = move(ecr, repository, "ARCHIVE", imageTag="a")
    while_archived = detail(ecr, repository, first)
    restored = move(ecr, repository, "STANDARD", imageDigest=first.manifest.digest)
    afterwards = detail(ecr, repository, first)

    common = {"registryId": ACCOUNT, "repositoryName": repository}
    assert archived == common | {
        "imageId": {"imageDigest": first.manifest.digest, "imageTag": "a"},
        "imageStatus": "ARCHIVED",
    }
    assert restored == common | {"imageId": {"imageDigest": first.manifest.digest}, "imageStatus": "ACTIVATING"}
    assert while_archived["imageStatus"] == "ARCHIVED"
    assert before - 1 < while_archived["lastArchivedAt"].timestamp() < time.time() + 1
    assert "lastActivatedAt" not in while_archived
    assert afterwards["imageStatus"] == "ACTIVE"
    assert afterwards["lastArchivedAt"] == while_archived["lastArchivedAt"] <= afterwards["lastActivatedAt"]
    assert afterwards["imagePushedAt"] == while_archived["imagePushedAt"]
    assert afterwards["imageTags"] == ["a", "b"]


def test_lists_include_archived_images_only_on_request(ecr: Any, repository: str, pair: tuple[Image, Image]) -> None:
    archived, kept = pair
    archive(ecr, repository, archived)
    archived_digest, kept_digest = archived.manifest.digest, kept.manifest.digest

    assert listed(ecr, repository) == listed(ecr, repository, imageStatus="ACTIVE") == ([kept_digest], [kept_digest])
    assert listed(ecr, repository, imageStatus="ARCHIVED") == ([archived_digest, archived_digest], [archived_digest])
    assert listed(ecr, repository, imageStatus="ANY", tagStatus="TAGGED") == (
        [archived_digest, archived_digest, kept_digest],
        [archived_digest, kept_digest],
    )
    assert listed(ecr, repository, imageStatus="ACTIVATING") == ([], [])
    assert listed(ecr, repository, imageStatus="ARCHIVED", tagStatus="UNTAGGED") == ([], [])


def test_pages_of_archived_images_end_with_the_list(ecr: Any, repository: str) -> None:
    some = [push(ecr, repository, each) for each, _ in zip(variants(), range(5), strict=False)]
    for each in (some[0], some[2], some[4]):
        archive(ecr, repository, each)

    def pages(**chosen: str) -> list[list[str]]:
        found = ecr.get_paginator("list_images").paginate(
            repositoryName=repository, filter=chosen, PaginationConfig={"PageSize": 1}
        )
        return [[row["imageDigest"] for row in page["imageIds"]] for page in found]

    assert pages(imageStatus="ARCHIVED") == [[some[n].manifest.digest] for n in (0, 2, 4)]
    assert pages() == [[some[n].manifest.digest] for n in (1, 3)]


def test_an_archived_image_cannot_be_pulled_at_either_endpoint(
    ecr: Any, http: Docker, repository: str, pair: tuple[Image, Image]
) -> None:
    first, _ = pair
    path, by_digest = f"/v2/{repository}/manifests", {"imageDigest": first.manifest.digest}
    assert http.get(f"{path}/a").status == 200
    archive(ecr, repository, first)

    answer = ecr.batch_get_image(
        repositoryName=repository, imageIds=[by_digest, {"imageTag": "a"}, {"imageTag": "kept"}]
    )
    refused = [http.get(f"{path}/a"), http.head(f"{path}/a"), http.get(f"{path}/{first.manifest.digest}")]

    assert [found["imageId"]["imageTag"] for found in answer["images"]] == ["kept"]
    assert answer["failures"] == [
        {"imageId": by_digest, **INACCESSIBLE},
        {"imageId": {"imageTag": "a"}, **INACCESSIBLE},
    ]
    assert [each.status for each in refused] == [404, 404, 404]
    assert refused[0].error_codes() == refused[2].error_codes() == ["MANIFEST_UNKNOWN"]
    assert http.get(f"/v2/{repository}/tags/list").json()["tags"] == ["kept"]

    restore(ecr, repository, first)
    assert http.get(f"{path}/a").body == first.manifest.content
    assert http.get(f"/v2/{repository}/tags/list").json()["tags"] == ["a", "b", "kept"]


def test_layers_are_archived_when_all_images_that_use_them_are(
    ecr: Any, repository: str, pair: tuple[Image, Image]
) -> None:
    archived, kept = pair
    layer = archived.blobs[1].digest
    unused = upload_layer(ecr, repository, b"unused")

    def availability(digest: str = layer) -> str:
        found = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest])["layers"]
        return str(found[0]["layerAvailability"])

    archive(ecr, repository, archived)
    assert availability() == "AVAILABLE"
    assert ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=layer)["layerDigest"] == layer

    archive(ecr, repository, kept)
    refused = refusal(ecr.get_download_url_for_layer, repositoryName=repository, layerDigest=layer)
    assert (availability(), availability(unused)) == ("ARCHIVED", "AVAILABLE")
    assert refused == (
        400,
        "LayerInaccessibleException",
        (
            f"The layer with digest {layer} in the repository with name '{repository}' "
            f"in the registry with id '{ACCOUNT}' is archived: only archived images reference it"
        ),
    )

    restore(ecr, repository, kept)
    assert availability() == "AVAILABLE"


def test_pushing_an_archived_image_again_restores_it(
    ecr: Any, http: Docker, repository: str, pair: tuple[Image, Image]
) -> None:
    archived, kept = pair
    for each in pair:
        archive(ecr, repository, each)

    put(ecr, repository, archived, "a")
    http.push(repository, kept, "kept")

    assert set(statuses(ecr, repository).values()) == {"ACTIVE"}
    assert detail(ecr, repository, kept)["lastActivatedAt"] >= detail(ecr, repository, kept)["lastArchivedAt"]
    assert put_refused(ecr, repository, archived, "a").code == "ImageAlreadyExistsException"


def test_archived_images_can_be_deleted_and_prevent_the_deletion_of_their_repository(
    ecr: Any, repository: str, pair: tuple[Image, Image]
) -> None:
    for each in pair:
        archive(ecr, repository, each)

    assert refusal(ecr.delete_repository, repositoryName=repository).code == "RepositoryNotEmptyException"
    requested = [{"imageDigest": each.manifest.digest} for each in pair]
    assert ecr.batch_delete_image(repositoryName=repository, imageIds=requested)["failures"] == []
    assert statuses(ecr, repository) == {}


# --- Indexes and referrers -------------------------------------------------------------------------------------------


def test_an_image_that_an_active_index_lists_cannot_be_archived(ecr: Any, repository: str) -> None:
    child = push(ecr, repository, image())
    parent = push(ecr, repository, index([child]), "multi")

    refused = refusal(
        ecr.update_image_storage_class,
        repositoryName=repository,
        imageId={"imageDigest": child.manifest.digest},
        targetStorageClass="ARCHIVE",
    )
    archive(ecr, repository, parent)
    archive(ecr, repository, child)

    reason = f"it is referenced by manifest list: [{parent.manifest.digest}]"
    assert refused == unchangeable(child, repository, reason)
    assert statuses(ecr, repository) == {child.manifest.digest: "ARCHIVED", parent.manifest.digest: "ARCHIVED"}


def test_restoring_an_index_restores_its_images(ecr: Any, repository: str) -> None:
    child = push(ecr, repository, image())
    parent = push(ecr, repository, index([child]), "multi")
    for each in (parent, child):
        archive(ecr, repository, each)

    restore(ecr, repository, parent)

    assert set(statuses(ecr, repository).values()) == {"ACTIVE"}


def test_pushing_an_index_restores_the_images_that_it_lists(ecr: Any, repository: str) -> None:
    child = push(ecr, repository, image())
    archive(ecr, repository, child)

    push(ecr, repository, index([child]), "multi")

    assert detail(ecr, repository, child)["imageStatus"] == "ACTIVE"


def test_referrers_are_archived_and_restored_with_their_subject(ecr: Any, http: Docker, repository: str) -> None:
    subject = push(ecr, repository, image(), "v1")
    note = push(ecr, repository, referring(subject))
    note_of_note = push(ecr, repository, referring(note))

    def listed_by_api(status: str) -> list[tuple[str, str]]:
        found = ecr.list_image_referrers(
            repositoryName=repository,
            subjectId={"imageDigest": subject.manifest.digest},
            filter={"artifactStatus": status},
        )["referrers"]
        return [(row["digest"], row["artifactStatus"]) for row in found]

    archive(ecr, repository, subject)
    assert set(statuses(ecr, repository).values()) == {"ARCHIVED"}
    assert listed_by_api("ACTIVE") == []
    assert listed_by_api("ARCHIVED") == listed_by_api("ANY") == [(note.manifest.digest, "ARCHIVED")]
    assert http.get(f"/v2/{repository}/referrers/{subject.manifest.digest}").json()["manifests"] == []

    restore(ecr, repository, subject)
    assert statuses(ecr, repository)[note_of_note.manifest.digest] == "ACTIVE"
    assert listed_by_api("ACTIVE") == [(note.manifest.digest, "ACTIVE")]
    assert len(http.get(f"/v2/{repository}/referrers/{subject.manifest.digest}").json()["manifests"]) == 1


# --- Refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["STANDARD", "ARCHIVE"])
def test_an_image_cannot_move_to_its_own_storage_class(ecr: Any, repository: str, target: str) -> None:
    pushed = push(ecr, repository, image())
    if target == "ARCHIVE":
        archive(ecr, repository, pushed)
    before = detail(ecr, repository, pushed)

    refused = refusal(
        ecr.update_image_storage_class,
        repositoryName=repository,
        imageId={"imageDigest": pushed.manifest.digest},
        targetStorageClass=target,
    )

    assert refused == unchangeable(pushed, repository, f"it is already in the storage class {target}")
    assert detail(ecr, repository, pushed) == before


@pytest.mark.parametrize("identifier", [{"imageTag": "unknown"}, {"imageDigest": digest(b"absent")}, {}])
def test_an_unknown_image_cannot_move(ecr: Any, repository: str, identifier: dict[str, str]) -> None:
    request = {"repositoryName": repository, "imageId": identifier, "targetStorageClass": "ARCHIVE"}

    assert refusal(ecr.update_image_storage_class, **request).code == "ImageNotFoundException"


def test_an_image_of_an_unknown_repository_cannot_move(ecr: Any) -> None:
    request = {"repositoryName": "no/such", "imageId": {"imageTag": "a"}, "targetStorageClass": "ARCHIVE"}

    assert refusal(ecr.update_image_storage_class, **request) == no_repository("no/such")
