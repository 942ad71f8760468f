"""ListImageReferrers: signatures, software bills of materials and other artifacts whose subject is an image."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.ecr.pushing import push
from tests.api.ecr.wire import ACCOUNT, refusal
from tests.support.images import OCI_CONFIG, OCI_MANIFEST, Blob, Image, digest, image, index

EMPTY = Blob(b"{}", "application/vnd.oci.empty.v1+json")
SIGNATURE = "application/vnd.dev.sigstore.bundle.v0.3+json"
BILL = "application/spdx+json"


def artifact(subject: Image, kind: str, **annotations: str) -> Image:
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": kind,
        "config": EMPTY.descriptor,
        "layers": [EMPTY.descriptor],
        "subject": subject.manifest.descriptor,
        "annotations": annotations,
    }
    return Image(Blob(json.dumps(manifest).encode(), OCI_MANIFEST), (EMPTY,))


def referrers(ecr: Any, repository: str, subject: Image, **more: Any) -> Any:
    answer = ecr.list_image_referrers(
        repositoryName=repository, subjectId={"imageDigest": subject.manifest.digest}, **more
    )
    answer.pop("ResponseMetadata")
    return answer


def digests(answer: Any) -> list[str]:
    return [row["digest"] for row in answer["referrers"]]


@pytest.fixture
def subject(ecr: Any, repository: str) -> Image:
    return push(ecr, repository, image(), "v1")


def test_an_artifact_that_names_an_image_as_its_subject_is_a_referrer(
    ecr: Any, repository: str, subject: Image
) -> None:
    signature = push(ecr, repository, artifact(subject, SIGNATURE, signer="me", time="now"), "signature")
    plain = push(ecr, repository, image(seed=5, extra={"subject": subject.manifest.descriptor}))

    assert referrers(ecr, repository, subject) == {
        "referrers": [
            {
                "digest": signature.manifest.digest,
                "mediaType": OCI_MANIFEST,
                "artifactType": SIGNATURE,
                "size": len(signature.manifest.content),
                "annotations": {"signer": "me", "time": "now"},
                "artifactStatus": "ACTIVE",
            },
            {
                "digest": plain.manifest.digest,
                "mediaType": OCI_MANIFEST,
                "artifactType": OCI_CONFIG,
                "size": len(plain.manifest.content),
                "artifactStatus": "ACTIVE",
            },
        ]
    }


def test_a_referrer_may_be_pushed_before_its_subject(ecr: Any, repository: str) -> None:
    subject = image(seed=9)

    early = push(ecr, repository, artifact(subject, BILL))

    assert digests(referrers(ecr, repository, subject)) == [early.manifest.digest]


def test_an_index_may_be_a_referrer(ecr: Any, repository: str, subject: Image) -> None:
    listed = push(ecr, repository, index([subject], extra={"subject": subject.manifest.descriptor}))

    rows = referrers(ecr, repository, subject)["referrers"]

    assert [(row["digest"], row.get("artifactType")) for row in rows] == [(listed.manifest.digest, None)]


def test_an_image_without_referrers_has_an_empty_list(ecr: Any, repository: str, subject: Image) -> None:
    """So has an image that does not exist (distribution-spec, "Listing Referrers")."""
    assert referrers(ecr, repository, subject) == {"referrers": []}
    assert referrers(ecr, repository, image(seed=77)) == {"referrers": []}
    answer = ecr.list_image_referrers(repositoryName=repository, subjectId={"imageDigest": "no digest"})
    assert answer["referrers"] == []


def test_a_tag_of_cosign_s_old_scheme_is_not_a_referrer(ecr: Any, repository: str, subject: Image) -> None:
    push(ecr, repository, image(seed=8), subject.manifest.digest.replace(":", "-") + ".sig")

    assert referrers(ecr, repository, subject) == {"referrers": []}


def test_referrers_are_filtered_by_artifact_type(ecr: Any, repository: str, subject: Image) -> None:
    signature = push(ecr, repository, artifact(subject, SIGNATURE)).manifest.digest
    bill = push(ecr, repository, artifact(subject, BILL)).manifest.digest

    def found(*kinds: str, **more: str) -> list[str]:
        return digests(referrers(ecr, repository, subject, filter={"artifactTypes": list(kinds), **more}))

    assert found(SIGNATURE) == [signature]
    assert found(BILL, "application/unknown") == [bill]
    assert found(SIGNATURE, BILL) == found() == [signature, bill]
    assert found("application/unknown") == []
    assert found(SIGNATURE, artifactStatus="ANY") == found(SIGNATURE, artifactStatus="ACTIVE") == [signature]
    assert found(SIGNATURE, artifactStatus="ARCHIVED") == []


def test_pages_return_each_referrer_once_and_20_by_default(ecr: Any, repository: str, subject: Image) -> None:
    pushed = [
        push(ecr, repository, artifact(subject, BILL, number=str(number))).manifest.digest for number in range(23)
    ]

    first = referrers(ecr, repository, subject)
    second = referrers(ecr, repository, subject, nextToken=first["nextToken"])
    by_ten = referrers(ecr, repository, subject, maxResults=10)

    assert digests(first) == pushed[:20]
    assert digests(second) == pushed[20:]
    assert "nextToken" not in second
    assert digests(by_ten) == pushed[:10]
    assert "nextToken" not in referrers(ecr, repository, subject, maxResults=23)
    for request in (
        {"subjectId": {"imageDigest": digest(b"another")}},
        {"subjectId": {"imageDigest": subject.manifest.digest}, "filter": {"artifactTypes": [BILL]}},
    ):
        assert refusal(
            ecr.list_image_referrers, repositoryName=repository, nextToken=first["nextToken"], **request
        ) == (
            400,
            "InvalidParameterException",
            "Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token'",
        )


def test_a_deleted_referrer_is_no_longer_listed(ecr: Any, repository: str, subject: Image) -> None:
    signature = push(ecr, repository, artifact(subject, SIGNATURE), "signature")

    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": signature.manifest.digest}])

    assert referrers(ecr, repository, subject) == {"referrers": []}


@pytest.mark.parametrize(
    ("request_", "parameter", "constraint"),
    [
        ({}, "subjectId", "Member must not be null"),
        ({"subjectId": {}}, "subjectId.imageDigest", "Member must not be null"),
        ({"maxResults": 51}, "maxResults", "Member must have value less than or equal to 50"),
        ({"maxResults": 0}, "maxResults", "Member must have value greater than or equal to 1"),
        (
            {"filter": {"artifactTypes": ["a"] * 6}},
            "filter.artifactTypes",
            "Member must have length less than or equal to 5",
        ),
    ],
)
def test_the_request_has_the_model_s_limits(
    unchecked: Any, repository: str, request_: dict[str, Any], parameter: str, constraint: str
) -> None:
    whole = request_ if "subjectId" in parameter else {"subjectId": {"imageDigest": "sha256:00"}, **request_}

    assert refusal(unchecked.list_image_referrers, repositoryName=repository, **whole) == (
        400,
        "InvalidParameterException",
        f"Invalid parameter at '{parameter}' failed to satisfy constraint: '{constraint}'",
    )


def test_a_request_for_referrers_in_an_unknown_repository_is_rejected(ecr: Any) -> None:
    subject = {"imageDigest": digest(b"x")}

    assert refusal(ecr.list_image_referrers, repositoryName="tests/not-there", subjectId=subject) == (
        400,
        "RepositoryNotFoundException",
        f"The repository with name 'tests/not-there' does not exist in the registry with id '{ACCOUNT}'",
    )
