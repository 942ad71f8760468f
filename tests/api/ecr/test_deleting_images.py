"""BatchDeleteImage: what is deleted, what stays, and what the response lists."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.ecr.pushing import push, variants
from tests.api.ecr.wire import refusal
from tests.support.images import Image, digest, image, index

NOT_FOUND = "Requested image not found"


def delete(ecr: Any, repository: str, *image_ids: dict[str, str]) -> tuple[list[tuple[str, str | None]], Any]:
    answer = ecr.batch_delete_image(repositoryName=repository, imageIds=list(image_ids))
    removed = [(row["imageDigest"], row.get("imageTag")) for row in answer["imageIds"]]
    return removed, answer["failures"]


def remaining(ecr: Any, repository: str) -> list[tuple[str, str | None]]:
    rows = ecr.list_images(repositoryName=repository)["imageIds"]
    return [(row["imageDigest"], row.get("imageTag")) for row in rows]


@pytest.fixture
def tagged(ecr: Any, repository: str) -> str:
    """The digest of an image with the tags a and b."""
    return push(ecr, repository, image(), "a", "b").manifest.digest


@pytest.fixture
def family(ecr: Any, repository: str) -> tuple[Image, Image, Image]:
    """An index with the tag `list`, and its two images. The first has the tag `child`."""
    first, second = (each for each, _ in zip(variants(), range(2), strict=False))
    push(ecr, repository, first, "child")
    push(ecr, repository, second)
    return push(ecr, repository, index([first, second]), "list"), first, second


def test_deleting_a_tag_keeps_the_image_with_its_other_tags(ecr: Any, repository: str, tagged: str) -> None:
    assert delete(ecr, repository, {"imageTag": "a"}) == ([(tagged, "a")], [])
    assert remaining(ecr, repository) == [(tagged, "b")]


def test_deleting_the_last_tag_deletes_the_image(ecr: Any, repository: str, tagged: str) -> None:
    delete(ecr, repository, {"imageTag": "a"})

    assert delete(ecr, repository, {"imageTag": "b"}) == ([(tagged, "b")], [])
    assert remaining(ecr, repository) == []


def test_deleting_by_digest_deletes_the_image_with_all_tags(ecr: Any, repository: str, tagged: str) -> None:
    assert delete(ecr, repository, {"imageDigest": tagged}) == ([(tagged, "a"), (tagged, "b")], [])
    assert remaining(ecr, repository) == []


def test_deleting_by_tag_and_digest_deletes_only_the_tag(ecr: Any, repository: str, tagged: str) -> None:
    assert delete(ecr, repository, {"imageDigest": tagged, "imageTag": "b"}) == ([(tagged, "b")], [])
    assert remaining(ecr, repository) == [(tagged, "a")]


def test_an_untagged_image_is_one_row(ecr: Any, repository: str) -> None:
    untagged = push(ecr, repository, image()).manifest.digest

    assert delete(ecr, repository, {"imageDigest": untagged}) == ([(untagged, None)], [])


@pytest.mark.parametrize(
    "named",
    [
        [{"imageTag": "a"}, {"imageTag": "b"}],
        [{"imageTag": "a"}, {"imageTag": "a"}, {"imageTag": "b"}],
        [{"imageDigest": ...}, {"imageDigest": ...}],
        [{"imageTag": "b"}, {"imageDigest": ...}, {"imageTag": "a"}],
        [{"imageDigest": ..., "imageTag": "b"}, {"imageTag": "b"}, {"imageTag": "a"}],
    ],
)
def test_an_image_that_is_named_twice_is_deleted_once_without_a_failure(
    ecr: Any, repository: str, tagged: str, named: list[dict[str, Any]]
) -> None:
    identifiers = [{name: tagged if value is ... else value for name, value in item.items()} for item in named]

    removed, failures = delete(ecr, repository, *identifiers)

    assert sorted(removed, key=str) == [(tagged, "a"), (tagged, "b")]
    assert failures == []
    assert remaining(ecr, repository) == []


def test_an_image_that_cannot_be_deleted_is_listed_and_the_others_are_deleted(
    ecr: Any, repository: str, tagged: str
) -> None:
    absent = digest(b"absent")
    answer = ecr.batch_delete_image(
        repositoryName=repository,
        imageIds=[{"imageTag": "unknown"}, {"imageDigest": absent}, {}, {"imageDigest": "x"}, {"imageTag": "a"}],
    )

    assert answer["imageIds"] == [{"imageDigest": tagged, "imageTag": "a"}]
    assert [(item["imageId"], item["failureCode"]) for item in answer["failures"]] == [
        ({"imageTag": "unknown"}, "ImageNotFound"),
        ({"imageDigest": absent}, "ImageNotFound"),
        ({}, "MissingDigestAndTag"),
        ({"imageDigest": "x"}, "InvalidImageDigest"),
    ]
    assert answer["failures"][0]["failureReason"] == NOT_FOUND


def test_a_second_deletion_finds_nothing(ecr: Any, repository: str, tagged: str) -> None:
    delete(ecr, repository, {"imageDigest": tagged})

    assert delete(ecr, repository, {"imageDigest": tagged}) == (
        [],
        [{"imageId": {"imageDigest": tagged}, "failureCode": "ImageNotFound", "failureReason": NOT_FOUND}],
    )


def test_an_image_that_an_index_lists_is_not_deleted(
    ecr: Any, repository: str, family: tuple[Image, Image, Image]
) -> None:
    """Neither by digest nor with its last tag."""
    listed, first, second = family
    before = remaining(ecr, repository)
    named = [
        {"imageTag": "child"},
        {"imageDigest": first.manifest.digest},
        {"imageDigest": second.manifest.digest},
    ]

    removed, failures = delete(ecr, repository, *named)

    reason = f"Requested image referenced by manifest list: [{listed.manifest.digest}]"
    assert removed == []
    assert sorted(failures, key=str) == sorted(
        [
            {"imageId": identifier, "failureCode": "ImageReferencedByManifestList", "failureReason": reason}
            for identifier in named
        ],
        key=str,
    )
    assert remaining(ecr, repository) == before


def test_an_index_and_its_images_are_deleted_together_in_any_order(
    ecr: Any, repository: str, family: tuple[Image, Image, Image]
) -> None:
    listed, first, second = family

    removed, failures = delete(
        ecr, repository, {"imageTag": "child"}, {"imageDigest": second.manifest.digest}, {"imageTag": "list"}
    )

    assert failures == []
    assert sorted(removed, key=str) == sorted(
        [(listed.manifest.digest, "list"), (first.manifest.digest, "child"), (second.manifest.digest, None)], key=str
    )
    assert remaining(ecr, repository) == []


def test_images_of_a_deleted_index_can_be_deleted(
    ecr: Any, repository: str, family: tuple[Image, Image, Image]
) -> None:
    _, first, second = family
    delete(ecr, repository, {"imageTag": "list"})

    removed, _ = delete(ecr, repository, {"imageTag": "child"}, {"imageDigest": second.manifest.digest})

    assert sorted(removed, key=str) == sorted(
        [(first.manifest.digest, "child"), (second.manifest.digest, None)], key=str
    )


def test_a_deleted_image_can_be_pushed_again(ecr: Any, repository: str, tagged: str) -> None:
    """Its layers stay in the repository, so clients do not upload them again."""
    delete(ecr, repository, {"imageDigest": tagged})

    push(ecr, repository, image(), "again")

    assert remaining(ecr, repository) == [(tagged, "again")]
    named = [{"imageTag": "a"}]
    assert refusal(ecr.describe_images, repositoryName=repository, imageIds=named).code == "ImageNotFoundException"
