"""ListRetentionReasons."""

from __future__ import annotations

from typing import Any

from tests.api.ecr.wire import refusal
from tests.api.services.calls import allow, client_of, person_with
from tests.support.http_client import Docker
from tests.support.images import image, index, layer
from tests.support.server import Server


def reasons(moorage: Any, repository: str, digest: str) -> list[tuple[str, str, list[str]]]:
    answer = moorage.list_retention_reasons(repositoryName=repository, digest=digest)
    assert answer["isComplete"]
    return [(one["kind"], one.get("imageDigest", ""), one["imageTags"]) for one in answer["reasons"]]


def test_an_image_is_kept_by_itself_and_by_what_refers_to_it(moorage: Any, http: Docker, repository: str) -> None:
    kept = image(seed=1)
    listing, referrer = index([kept]), image(seed=2, extra={"subject": kept.manifest.descriptor})
    http.push(repository, kept, "v1")
    http.push(repository, listing, "multi")
    http.push(repository, referrer, "attached")

    assert reasons(moorage, repository, kept.manifest.digest) == [
        ("IMAGE", "", ["v1"]),
        ("INDEX", listing.manifest.digest, []),
        ("REFERRER", referrer.manifest.digest, []),
    ]


def test_a_layer_is_kept_by_images_and_deleted_images(moorage: Any, ecr: Any, http: Docker, repository: str) -> None:
    shared = layer(seed=3)
    kept, gone = image([shared]), image([shared, layer(seed=4)])
    http.push(repository, kept, "v1")
    http.push(repository, gone, "v2")
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": gone.manifest.digest}])

    assert reasons(moorage, repository, shared.digest) == [
        ("LAYER", kept.manifest.digest, ["v1"]),
        ("DELETED_LAYER", gone.manifest.digest, []),
    ]
    (deleted,) = moorage.list_retention_reasons(repositoryName=repository, digest=gone.manifest.digest)["reasons"]
    (listed,) = moorage.list_deleted_images(repositoryName=repository)["images"]
    assert (deleted["kind"], deleted["until"]) == ("DELETED_IMAGE", listed["removedAfter"])
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": kept.manifest.digest}])
    assert reasons(moorage, repository, kept.blobs[0].digest) == [
        ("UNREFERENCED_LAYER", "", []),
        ("DELETED_LAYER", kept.manifest.digest, []),
    ]


def test_other_repositories_are_not_shown(moorage: Any, ecr: Any, http: Docker, repository: str) -> None:
    pushed = image(seed=5)
    ecr.create_repository(repositoryName=f"{repository}/other")
    http.push(f"{repository}/other", pushed, "v1")

    refused = refusal(moorage.list_retention_reasons, repositoryName=repository, digest=pushed.manifest.digest)

    assert refused.code == "ResourceNotFoundException"
    assert "has no image and no layer" in refused.message


def test_at_most_100_reasons_are_returned(moorage: Any, http: Docker, repository: str) -> None:
    shared = layer(seed=6)
    for number in range(101):
        http.push(repository, image([shared], extra={"annotations": {"number": str(number)}}), f"v{number}")

    answer = moorage.list_retention_reasons(repositoryName=repository, digest=shared.digest)

    assert (len(answer["reasons"]), answer["isComplete"]) == (100, False)


def test_it_needs_the_permission_to_see_the_images_of_the_repository(
    server: Server, moorage: Any, http: Docker, repository: str
) -> None:
    pushed = image(seed=7)
    http.push(repository, pushed, "v1")
    wanted = {"repositoryName": repository, "digest": pushed.manifest.digest}
    nobody = client_of(server, "moorage", person_with(server, allow("ecr:ListImages")))
    reader = client_of(server, "moorage", person_with(server, allow("ecr:DescribeImages")))

    assert refusal(nobody.list_retention_reasons, **wanted).code == "AccessDeniedException"
    assert reader.list_retention_reasons(**wanted)["reasons"]
