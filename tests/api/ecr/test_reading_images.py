"""BatchGetImage, ListImages and DescribeImages."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.ecr.pushing import push, put, variants
from tests.api.ecr.wire import ACCOUNT, Wire, refusal
from tests.support.images import (
    DOCKER_CONFIG,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Blob,
    Image,
    digest,
    image,
    index,
    layer,
)

ABSENT = digest(b"no such image")

REASONS = {
    "ImageNotFound": "Requested image not found",
    "InvalidImageDigest": "Invalid request parameters: image digest should satisfy the regex "
    "'[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
    "InvalidImageTag": "Invalid request parameters: image tag should satisfy the regex "
    "'[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'",
    "MissingDigestAndTag": "Invalid request parameters: both tag and digest cannot be null",
    "ImageTagDoesNotMatchDigest": "Invalid request parameters: given tag does not map to the given digest",
}


def failure(image_id: dict[str, str], code: str) -> dict[str, Any]:
    return {"imageId": image_id, "failureCode": code, "failureReason": REASONS[code]}


def get(ecr: Any, repository: str, *image_ids: dict[str, str]) -> Any:
    answer = ecr.batch_get_image(repositoryName=repository, imageIds=list(image_ids))
    return [found["imageId"] for found in answer["images"]], answer["failures"]


def ids(answer: Any) -> list[tuple[str, str | None]]:
    return [(found["imageDigest"], found.get("imageTag")) for found in answer["imageIds"]]


@pytest.fixture
def three(ecr: Any, repository: str) -> tuple[str, str, str]:
    """Digests of three images: with the tags a and b, with the tag c, and untagged."""
    first, second, third = (each for each, _ in zip(variants(), range(3), strict=False))
    push(ecr, repository, first, "b", "a")
    push(ecr, repository, second, "c")
    push(ecr, repository, third)
    return first.manifest.digest, second.manifest.digest, third.manifest.digest


# --- BatchGetImage --------------------------------------------------------------------------------------------------


def test_an_image_is_found_by_tag_by_digest_and_by_both(ecr: Any, repository: str, three: tuple[str, str, str]) -> None:
    """By digest it is returned once for each of its tags."""
    first, second, third = three

    found, failures = get(
        ecr,
        repository,
        {"imageTag": "a"},
        {"imageDigest": first},
        {"imageDigest": first, "imageTag": "b"},
        {"imageDigest": third},
    )

    assert failures == []
    assert found == [
        {"imageDigest": first, "imageTag": "a"},
        {"imageDigest": first, "imageTag": "a"},
        {"imageDigest": first, "imageTag": "b"},
        {"imageDigest": first, "imageTag": "b"},
        {"imageDigest": third},
    ]
    assert get(ecr, repository, {"imageTag": "c"})[0] == [{"imageDigest": second, "imageTag": "c"}]


def test_missing_images_are_listed_beside_those_that_were_found(
    ecr: Any, repository: str, three: tuple[str, str, str]
) -> None:
    first, _, _ = three
    bad: list[tuple[dict[str, str], str]] = [
        ({"imageTag": "unknown"}, "ImageNotFound"),
        ({"imageDigest": ABSENT}, "ImageNotFound"),
        ({"imageTag": "unknown", "imageDigest": first}, "ImageNotFound"),
        ({"imageTag": "c", "imageDigest": first}, "ImageTagDoesNotMatchDigest"),
        ({"imageTag": "c", "imageDigest": ABSENT}, "ImageTagDoesNotMatchDigest"),
        ({}, "MissingDigestAndTag"),
        ({"imageDigest": "no digest"}, "InvalidImageDigest"),
        ({"imageDigest": ""}, "InvalidImageDigest"),
        ({"imageDigest": first + "\n"}, "InvalidImageDigest"),
        ({"imageDigest": "sha256:", "imageTag": "a"}, "InvalidImageDigest"),
        ({"imageTag": "-a"}, "InvalidImageTag"),
        ({"imageTag": "x" * 129}, "InvalidImageTag"),
        ({"imageTag": "with\0nul"}, "InvalidImageTag"),
    ]

    found, failures = get(ecr, repository, *(image_id for image_id, _ in bad), {"imageTag": "a"})

    assert found == [{"imageDigest": first, "imageTag": "a"}]
    assert failures == [failure(image_id, code) for image_id, code in bad]


def test_an_image_is_returned_with_its_manifest_for_any_accepted_types(ecr: Any, repository: str) -> None:
    """Manifests are not converted."""
    pushed = push(ecr, repository, image(), "v1")

    answer = ecr.batch_get_image(
        repositoryName=repository,
        imageIds=[{"imageTag": "v1"}],
        acceptedMediaTypes=["application/vnd.docker.distribution.manifest.v1+json"],
    )

    assert answer["images"] == [
        {
            "registryId": ACCOUNT,
            "repositoryName": repository,
            "imageId": {"imageDigest": pushed.manifest.digest, "imageTag": "v1"},
            "imageManifest": pushed.manifest.content.decode(),
            "imageManifestMediaType": OCI_MANIFEST,
        }
    ]


@pytest.mark.parametrize("operation", ["batch_get_image", "batch_delete_image", "describe_images"])
@pytest.mark.parametrize(
    ("count", "constraint"), [(0, "greater than or equal to 1"), (101, "less than or equal to 100")]
)
def test_a_request_has_1_to_100_images(
    unchecked: Any, repository: str, operation: str, count: int, constraint: str
) -> None:
    refused = refusal(getattr(unchecked, operation), repositoryName=repository, imageIds=[{"imageTag": "a"}] * count)

    assert refused == (
        400,
        "InvalidParameterException",
        f"Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have length {constraint}'",
    )


@pytest.mark.parametrize("operation", ["batch_get_image", "batch_delete_image", "describe_images", "list_images"])
def test_a_request_for_images_of_an_unknown_repository_is_rejected(ecr: Any, operation: str) -> None:
    named = {} if operation == "list_images" else {"imageIds": [{"imageTag": "a"}]}

    assert refusal(getattr(ecr, operation), repositoryName="tests/not-there", **named) == (
        400,
        "RepositoryNotFoundException",
        f"The repository with name 'tests/not-there' does not exist in the registry with id '{ACCOUNT}'",
    )


# --- ListImages -----------------------------------------------------------------------------------------------------


def test_a_list_has_one_row_for_each_tag_and_one_for_an_untagged_image(
    ecr: Any, repository: str, three: tuple[str, str, str]
) -> None:
    first, second, third = three
    tagged = [(first, "a"), (first, "b"), (second, "c")]

    def listed(**chosen: str) -> list[tuple[str, str | None]]:
        return ids(ecr.list_images(repositoryName=repository, **({"filter": chosen} if chosen else {})))

    assert listed() == [*tagged, (third, None)]
    assert listed(tagStatus="ANY") == [*tagged, (third, None)]
    assert listed(tagStatus="TAGGED") == tagged
    assert listed(tagStatus="UNTAGGED") == [(third, None)]
    assert listed(imageStatus="ACTIVE") == listed(imageStatus="ANY") == listed()
    assert listed(imageStatus="ARCHIVED") == listed(imageStatus="ACTIVATING") == []


@pytest.mark.parametrize(
    ("chosen", "values"),
    [("tagStatus", "ANY, TAGGED, UNTAGGED"), ("imageStatus", "ACTIVATING, ACTIVE, ANY, ARCHIVED")],
)
@pytest.mark.parametrize("operation", ["list_images", "describe_images"])
def test_a_filter_has_one_of_the_model_s_values(
    unchecked: Any, repository: str, operation: str, chosen: str, values: str
) -> None:
    refused = refusal(getattr(unchecked, operation), repositoryName=repository, filter={chosen: "SOME"})

    message = (
        f"Invalid parameter at 'filter.{chosen}' failed to satisfy constraint: "
        f"'Member must satisfy enum value set: [{values}]'"
    )
    assert refused == (400, "InvalidParameterException", message)


@pytest.fixture(scope="module")
def sixty_images(ecr: Any) -> tuple[str, list[Image]]:
    """A repository with 60 images. Every third is untagged and the others have three tags: 140 rows."""
    name = "tests/a-crowd"
    ecr.create_repository(repositoryName=name)
    images = [each for each, _ in zip(variants(seed=60), range(60), strict=False)]
    for number, each in enumerate(images):
        push(ecr, name, each, *([] if number % 3 == 0 else [f"{letter}{number:02}" for letter in "abc"]))
    return name, images


def rows_of(images: list[Image]) -> list[tuple[str, str | None]]:
    rows: list[tuple[str, str | None]] = []
    for number, each in enumerate(images):
        tags = [None] if number % 3 == 0 else [f"{letter}{number:02}" for letter in "abc"]
        rows += [(each.manifest.digest, tag) for tag in tags]
    return rows


@pytest.mark.parametrize("size", [1, 7, 100, 139, 140, 1000])
def test_pages_return_every_row_once(ecr: Any, sixty_images: tuple[str, list[Image]], size: int) -> None:
    name, images = sixty_images
    rows = rows_of(images)[: 20 if size == 1 else None]

    pages, token = 0, dict[str, Any]()
    found: list[tuple[str, str | None]] = []
    while len(found) < len(rows):
        page = ecr.list_images(repositoryName=name, maxResults=size, **token)
        found += ids(page)
        pages += 1
        token = {"nextToken": page.get("nextToken")}

    assert found == rows
    assert pages == -(-len(rows) // size)
    assert (token["nextToken"] is None) is (size > 1)


def test_a_page_has_100_rows_by_default(ecr: Any, sixty_images: tuple[str, list[Image]]) -> None:
    name, images = sixty_images

    assert ids(ecr.list_images(repositoryName=name)) == rows_of(images)[:100]
    tagged = ecr.list_images(repositoryName=name, filter={"tagStatus": "TAGGED"}, maxResults=1000)
    assert ids(tagged) == [row for row in rows_of(images) if row[1] is not None]
    assert len(ecr.describe_images(repositoryName=name)["imageDetails"]) == 60


def test_pages_stay_correct_while_images_are_pushed_and_deleted(ecr: Any, repository: str) -> None:
    """An image that exists all the time is returned once, no matter what happens between two pages."""
    images = [each for each, _ in zip(variants(), range(12), strict=False)]
    for number, each in enumerate(images[:8]):
        push(ecr, repository, each, f"t{number}")

    first = ecr.list_images(repositoryName=repository, maxResults=3)
    gone = [{"imageTag": "t2"}, {"imageTag": "t5"}]
    ecr.batch_delete_image(repositoryName=repository, imageIds=gone)
    for number, each in enumerate(images[8:], start=8):
        push(ecr, repository, each, f"t{number}")
    put(ecr, repository, images[0], "later")
    second = ecr.list_images(repositoryName=repository, maxResults=1000, nextToken=first["nextToken"])

    tags = [tag for _, tag in ids(first) + ids(second)]
    assert tags == ["t0", "t1", "t2", "t3", "t4", "t6", "t7", "t8", "t9", "t10", "t11"]


# --- DescribeImages -------------------------------------------------------------------------------------------------


def test_an_image_is_described_in_full(wire: Wire, ecr: Any, repository: str) -> None:
    pushed = push(ecr, repository, image([layer(5000, seed=1), layer(seed=2)]), "v1", "latest")

    described = wire.call("DescribeImages", {"repositoryName": repository}).json()["imageDetails"][0]

    assert abs(described["imagePushedAt"] - time.time()) < 60
    assert described == {
        "registryId": ACCOUNT,
        "repositoryName": repository,
        "imageDigest": pushed.manifest.digest,
        "imageTags": ["latest", "v1"],
        "imageSizeInBytes": sum(len(blob.content) for blob in pushed.blobs),
        "imagePushedAt": described["imagePushedAt"],
        "imageManifestMediaType": OCI_MANIFEST,
        "artifactMediaType": OCI_CONFIG,
        "imageStatus": "ACTIVE",
    }


def test_an_index_is_as_large_as_the_largest_of_its_images(ecr: Any, repository: str) -> None:
    small = push(ecr, repository, image([layer(100, seed=1)]))
    large = push(ecr, repository, image([layer(9000, seed=2)]))
    listed = push(ecr, repository, index([small, large]), "v1")

    rows = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "v1"}])["imageDetails"]

    assert [row["imageDigest"] for row in rows] == [listed.manifest.digest]
    assert rows[0]["imageSizeInBytes"] == sum(len(blob.content) for blob in large.blobs)
    assert rows[0]["imageManifestMediaType"] == OCI_INDEX
    assert "artifactMediaType" not in rows[0]


def test_docker_images_and_artifacts_are_told_apart_by_media_type(ecr: Any, repository: str) -> None:
    """The type of an artifact with the empty config is its artifactType (image-spec, manifest.md)."""
    subject = push(ecr, repository, image(docker=True), "docker")
    empty = Blob(b"{}", "application/vnd.oci.empty.v1+json")
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.example.sbom",
        "config": empty.descriptor,
        "layers": [empty.descriptor],
        "subject": subject.manifest.descriptor,
    }
    push(ecr, repository, Image(Blob(json.dumps(manifest).encode(), OCI_MANIFEST), (empty,)), "artifact")

    rows = ecr.describe_images(repositoryName=repository)["imageDetails"]

    assert [row["artifactMediaType"] for row in rows] == [DOCKER_CONFIG, "application/vnd.example.sbom"]
    assert [row.get("subjectManifestDigest") for row in rows] == [None, subject.manifest.digest]


def test_images_that_are_named_are_described_once_each(ecr: Any, repository: str, three: tuple[str, str, str]) -> None:
    first, second, third = three
    named = [{"imageDigest": third}, {"imageTag": "a"}, {"imageTag": "b"}, {"imageDigest": second, "imageTag": "c"}]

    rows = ecr.describe_images(repositoryName=repository, imageIds=named)["imageDetails"]

    assert [(row["imageDigest"], row.get("imageTags")) for row in rows] == [
        (third, None),
        (first, ["a", "b"]),
        (second, ["c"]),
    ]


@pytest.mark.parametrize(
    ("image_id", "printed"),
    [
        ({"imageTag": "unknown"}, "{imageDigest:'null', imageTag:'unknown'}"),
        ({"imageDigest": ABSENT}, f"{{imageDigest:'{ABSENT}', imageTag:'null'}}"),
        ({"imageDigest": ABSENT, "imageTag": "c"}, f"{{imageDigest:'{ABSENT}', imageTag:'c'}}"),
        ({}, "{imageDigest:'null', imageTag:'null'}"),
        ({"imageTag": "-no-tag"}, "{imageDigest:'null', imageTag:'-no-tag'}"),
    ],
)
def test_one_missing_image_fails_the_whole_request(
    ecr: Any, repository: str, three: tuple[str, str, str], image_id: dict[str, str], printed: str
) -> None:
    assert refusal(ecr.describe_images, repositoryName=repository, imageIds=[{"imageTag": "a"}, image_id]) == (
        400,
        "ImageNotFoundException",
        (
            f"The image with imageId {printed} does not exist within the repository with name '{repository}' "
            f"in the registry with id '{ACCOUNT}'"
        ),
    )


@pytest.mark.parametrize(
    ("member", "value"), [("maxResults", 10), ("nextToken", "x"), ("filter", {"tagStatus": "ANY"})]
)
def test_names_exclude_pages_and_filters(ecr: Any, repository: str, member: str, value: Any) -> None:
    request = {"repositoryName": repository, "imageIds": [{"imageTag": "a"}], member: value}

    assert refusal(ecr.describe_images, **request) == (
        400,
        "InvalidParameterException",
        (
            f"Invalid parameter at '{member}' failed to satisfy constraint: "
            f"'{member} cannot be used when imageIds is specified'"
        ),
    )


@pytest.mark.parametrize(("status", "count"), [("ANY", 60), ("TAGGED", 40), ("UNTAGGED", 20)])
def test_pages_of_descriptions_return_every_image_once(
    ecr: Any, sixty_images: tuple[str, list[Image]], status: str, count: int
) -> None:
    name, images = sixty_images
    pages = ecr.get_paginator("describe_images").paginate(
        repositoryName=name, filter={"tagStatus": status}, PaginationConfig={"PageSize": 9}
    )

    rows = [row for page in pages for row in page["imageDetails"]]

    assert len(rows) == count
    order = [each.manifest.digest for each in images]
    assert [row["imageDigest"] for row in rows] == sorted((row["imageDigest"] for row in rows), key=order.index)


def test_repeated_layers_and_many_tags_do_not_multiply_rows(ecr: Any, new_repository: Callable[[], str]) -> None:
    repository = new_repository()
    content = layer(seed=4)
    pushed = push(ecr, repository, image([content, content]), *(f"t{number}" for number in range(5)))

    rows = ecr.describe_images(repositoryName=repository)["imageDetails"]
    layers = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[content.digest])["layers"]

    assert [row["imageDigest"] for row in rows] == [pushed.manifest.digest]
    assert layers[0]["mediaType"] == OCI_LAYER
