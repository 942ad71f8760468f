"""BatchDeleteImage: what goes, what stays, and what is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.ecr.pushing import push, variants
from tests.api.ecr.wire import refusal
from tests.support.images import Image, digest, image, index

NOT_FOUND = "Requested image not found"


def delete(ecr: Any, repository: str, *image_ids: dict[str, str]) -> tuple[list[tuple[str, str | None]], Any]:
    answer = ecr.batch_delete_image(repositoryName=repository, imageIds=list(image_ids))
    removed = [(one["imageDigest"], one.get("imageTag")) for one in answer["imageIds"]]
    return removed, answer["failures"]


def left(ecr: Any, repository: str) -> list[tuple[str, str | None]]:
    rows = ecr.list_images(repositoryName=repository)["imageIds"]
    return [(row["imageDigest"], row.get("imageTag")) for row in rows]


@pytest.fixture
def one(ecr: Any, repository: str) -> str:
    """The digest of an image with the tags a and b."""
    return push(ecr, repository, image(), "a", "b").manifest.digest


@pytest.fixture
def family(ecr: Any, repository: str) -> tuple[Image, Image, Image]:
    """An index tagged `list`, and its two images, of which the first is tagged `child`."""
    first, second = (one for one, _ in zip(variants(), range(2), strict=False))
    push(ecr, repository, first, "child")
    push(ecr, repository, second)
    return push(ecr, repository, index([first, second]), "list"), first, second


def test_a_tag_goes_and_the_image_stays_with_its_other_tags(ecr: Any, repository: str, one: str) -> None:
    assert delete(ecr, repository, {"imageTag": "a"}) == ([(one, "a")], [])
    assert left(ecr, repository) == [(one, "b")]


def test_the_image_goes_with_its_last_tag(ecr: Any, repository: str, one: str) -> None:
    delete(ecr, repository, {"imageTag": "a"})

    assert delete(ecr, repository, {"imageTag": "b"}) == ([(one, "b")], [])
    assert left(ecr, repository) == []


def test_by_digest_the_image_goes_with_all_its_tags(ecr: Any, repository: str, one: str) -> None:
    assert delete(ecr, repository, {"imageDigest": one}) == ([(one, "a"), (one, "b")], [])
    assert left(ecr, repository) == []


def test_by_tag_and_digest_only_the_tag_goes(ecr: Any, repository: str, one: str) -> None:
    assert delete(ecr, repository, {"imageDigest": one, "imageTag": "b"}) == ([(one, "b")], [])
    assert left(ecr, repository) == [(one, "a")]


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
def test_an_image_named_twice_goes_once_and_is_no_failure(
    ecr: Any, repository: str, one: str, named: list[dict[str, Any]]
) -> None:
    identifiers = [{name: one if value is ... else value for name, value in item.items()} for item in named]

    removed, failures = delete(ecr, repository, *identifiers)

    assert sorted(removed, key=str) == [(one, "a"), (one, "b")]
    assert failures == []
    assert left(ecr, repository) == []


def test_what_cannot_be_deleted_is_listed_and_the_rest_goes(ecr: Any, repository: str, one: str) -> None:
    absent = digest(b"absent")
    answer = ecr.batch_delete_image(
        repositoryName=repository,
        imageIds=[{"imageTag": "unknown"}, {"imageDigest": absent}, {}, {"imageDigest": "x"}, {"imageTag": "a"}],
    )

    assert answer["imageIds"] == [{"imageDigest": one, "imageTag": "a"}]
    assert [(item["imageId"], item["failureCode"]) for item in answer["failures"]] == [
        ({"imageTag": "unknown"}, "ImageNotFound"),
        ({"imageDigest": absent}, "ImageNotFound"),
        ({}, "MissingDigestAndTag"),
        ({"imageDigest": "x"}, "InvalidImageDigest"),
    ]
    assert answer["failures"][0]["failureReason"] == NOT_FOUND


def test_a_second_deletion_finds_nothing(ecr: Any, repository: str, one: str) -> None:
    delete(ecr, repository, {"imageDigest": one})

    assert delete(ecr, repository, {"imageDigest": one}) == (
        [],
        [{"imageId": {"imageDigest": one}, "failureCode": "ImageNotFound", "failureReason": NOT_FOUND}],
    )


def test_an_image_that_an_index_lists_stays(ecr: Any, repository: str, family: tuple[Image, Image, Image]) -> None:
    """Neither by digest nor with its last tag."""
    listed, first, second = family
    before = left(ecr, repository)
    named = [
        {"imageTag": "child"},
        {"imageDigest": first.manifest.digest},
        {"imageDigest": second.manifest.digest},
    ]

    removed, failures = delete(ecr, repository, *named)

    reason = f"Requested image referenced by manifest list: [{listed.manifest.digest}]"
    assert removed == []
    assert sorted(failures, key=str) == sorted(
        [{"imageId": one, "failureCode": "ImageReferencedByManifestList", "failureReason": reason} for one in named],
        key=str,
    )
    assert left(ecr, repository) == before


def test_an_index_goes_together_with_its_images_in_any_order(
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
    assert left(ecr, repository) == []


def test_images_of_an_index_that_is_gone_can_go(ecr: Any, repository: str, family: tuple[Image, Image, Image]) -> None:
    _, first, second = family
    delete(ecr, repository, {"imageTag": "list"})

    removed, _ = delete(ecr, repository, {"imageTag": "child"}, {"imageDigest": second.manifest.digest})

    assert sorted(removed, key=str) == sorted(
        [(first.manifest.digest, "child"), (second.manifest.digest, None)], key=str
    )


def test_a_deleted_image_can_be_pushed_again(ecr: Any, repository: str, one: str) -> None:
    """Its layers stay in the repository: no client uploads them twice."""
    delete(ecr, repository, {"imageDigest": one})

    push(ecr, repository, image(), "again")

    assert left(ecr, repository) == [(one, "again")]
    wanted = [{"imageTag": "a"}]
    assert refusal(ecr.describe_images, repositoryName=repository, imageIds=wanted).code == "ImageNotFoundException"
