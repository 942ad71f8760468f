"""PutImageTagMutability and exclusion filters: which settings are valid, and how they affect a push."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.ecr.pushing import push, put, put_refused, variants
from tests.api.ecr.refusals import invalid
from tests.api.ecr.wire import ACCOUNT, NotRefused, Refusal, refusal
from tests.support.images import Image

FILTERS = "imageTagMutabilityExclusionFilters"


def filters(*texts: str) -> list[dict[str, str]]:
    return [{"filterType": "WILDCARD", "filter": text} for text in texts]


def overwrites(ecr: Any, repository: str, tag: str) -> bool:
    """Whether a tag that names one image can be moved to another."""
    first, second = (image for image, _ in zip(variants(), range(2), strict=False))
    push(ecr, repository, first, tag)
    push(ecr, repository, second)
    refused = put_outcome(ecr, repository, second, tag)
    message = (
        f"The image tag '{tag}' already exists in the '{repository}' repository "
        "and cannot be overwritten because the tag is immutable."
    )
    assert refused in (None, (400, "ImageTagAlreadyExistsException", message))
    return refused is None


def put_outcome(ecr: Any, repository: str, pushed: Image, tag: str) -> Refusal | None:
    """The refusal of a push, or None if it succeeded."""
    found = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": tag}])["images"][0]
    assert found["imageId"]["imageDigest"] != pushed.manifest.digest
    try:
        return put_refused(ecr, repository, pushed, tag)
    except NotRefused:
        return None


@pytest.mark.parametrize(
    ("mutability", "excluded", "tag", "mutable"),
    [
        ("MUTABLE", None, "v1", True),
        ("IMMUTABLE", None, "v1", False),
        ("IMMUTABLE_WITH_EXCLUSION", "dev-*", "dev-1", True),
        ("IMMUTABLE_WITH_EXCLUSION", "dev-*", "v1", False),
        ("IMMUTABLE_WITH_EXCLUSION", "dev-*", "my-dev-1", False),
        ("IMMUTABLE_WITH_EXCLUSION", "latest", "latest", True),
        ("IMMUTABLE_WITH_EXCLUSION", "latest", "latest-1", False),
        ("IMMUTABLE_WITH_EXCLUSION", "*-rc*", "v1-rc2", True),
        ("IMMUTABLE_WITH_EXCLUSION", "v1.0", "v1x0", False),
        ("MUTABLE_WITH_EXCLUSION", "v*", "v1", False),
        ("MUTABLE_WITH_EXCLUSION", "v*", "latest", True),
        ("MUTABLE_WITH_EXCLUSION", "*", "latest", False),
    ],
)
def test_a_tag_can_be_overwritten_unless_the_setting_protects_it(
    ecr: Any, repository: str, mutability: str, excluded: str | None, tag: str, mutable: bool
) -> None:
    """A filter is a glob over the whole tag. Matching tags are exceptions from the setting's first word."""
    more = {} if excluded is None else {FILTERS: filters(excluded)}
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability=mutability, **more)

    assert overwrites(ecr, repository, tag) is mutable


def test_one_matching_filter_is_enough(ecr: Any, repository: str) -> None:
    excluded = filters("a-*", "b-*", "c-*", "d-*", "e-*")
    ecr.put_image_tag_mutability(
        repositoryName=repository, imageTagMutability="IMMUTABLE_WITH_EXCLUSION", **{FILTERS: excluded}
    )

    assert overwrites(ecr, repository, "e-1")


def test_the_setting_is_returned_and_described(ecr: Any, repository: str) -> None:
    excluded = filters("dev-*", "latest")

    answer = ecr.put_image_tag_mutability(
        repositoryName=repository, imageTagMutability="MUTABLE_WITH_EXCLUSION", **{FILTERS: excluded}
    )
    described = ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]

    answer.pop("ResponseMetadata")
    assert answer == {
        "registryId": ACCOUNT,
        "repositoryName": repository,
        "imageTagMutability": "MUTABLE_WITH_EXCLUSION",
        FILTERS: excluded,
    }
    assert described["imageTagMutability"] == "MUTABLE_WITH_EXCLUSION"
    assert described[FILTERS] == excluded


def test_a_setting_without_exclusion_removes_the_filters(ecr: Any, repository: str) -> None:
    ecr.put_image_tag_mutability(
        repositoryName=repository, imageTagMutability="IMMUTABLE_WITH_EXCLUSION", **{FILTERS: filters("*")}
    )

    answer = ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")

    assert FILTERS not in answer
    assert FILTERS not in ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]
    assert not overwrites(ecr, repository, "v1")


@pytest.fixture(params=["create_repository", "put_image_tag_mutability"])
def setting(ecr: Any, unchecked: Any, new_repository: Callable[[], str], request: pytest.FixtureRequest) -> Any:
    """The two operations that accept the setting, each as a function of its members that returns the refusal."""
    name = new_repository()
    if request.param == "create_repository":
        ecr.delete_repository(repositoryName=name)
    return lambda **members: refusal(getattr(unchecked, request.param), repositoryName=name, **members)


@pytest.mark.parametrize("mutability", ["IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION"])
def test_a_setting_with_exclusion_needs_filters(setting: Any, mutability: str) -> None:
    reason = f"ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as {mutability}"

    assert setting(imageTagMutability=mutability) == invalid(FILTERS, reason)


@pytest.mark.parametrize("mutability", ["IMMUTABLE", "MUTABLE"])
def test_a_setting_without_exclusion_takes_no_filters(setting: Any, mutability: str) -> None:
    """The text is ECR's, captured from a deployment (badmintoncryer/cdk-preflight, September 2026)."""
    reason = f"ImageTagMutabilityExclusionFilters are not allowed when imageTagMutability is set as {mutability}"

    assert setting(imageTagMutability=mutability, **{FILTERS: filters("a*")}) == invalid(FILTERS, reason)


@pytest.mark.parametrize(
    ("excluded", "parameter", "constraint"),
    [
        ([], FILTERS, "Member must have length greater than or equal to 1"),
        (filters("a", "b", "c", "d", "e", "f"), FILTERS, "Member must have length less than or equal to 5"),
        (filters("a*b*c*"), FILTERS, "A filter can have at most 2 wildcards"),
        (
            filters("with space"),
            f"{FILTERS}.1.member.filter",
            "Member must satisfy regular expression pattern: ^[0-9a-zA-Z._*-]{1,128}$",
        ),
        (
            [{"filterType": "REGEX", "filter": "a"}],
            f"{FILTERS}.1.member.filterType",
            "Member must satisfy enum value set: [WILDCARD]",
        ),
        ([{"filterType": "WILDCARD"}], f"{FILTERS}.1.member.filter", "Member must not be null"),
    ],
)
def test_filters_have_a_grammar(setting: Any, excluded: Any, parameter: str, constraint: str) -> None:
    refused = setting(imageTagMutability="IMMUTABLE_WITH_EXCLUSION", **{FILTERS: excluded})

    assert refused == invalid(parameter, constraint)


def test_an_unknown_setting_is_rejected_with_the_valid_ones(setting: Any) -> None:
    known = "IMMUTABLE, IMMUTABLE_WITH_EXCLUSION, MUTABLE, MUTABLE_WITH_EXCLUSION"

    refused = setting(imageTagMutability="SOMETIMES")

    assert refused == invalid("imageTagMutability", f"Member must satisfy enum value set: [{known}]")


def test_an_immutable_tag_can_be_deleted_and_then_pushed_again(ecr: Any, repository: str) -> None:
    """Immutability only prevents overwriting."""
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")
    first, second = (image for image, _ in zip(variants(), range(2), strict=False))
    push(ecr, repository, first, "v1")

    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])

    assert put(ecr, repository, second, "v1")["imageId"]["imageDigest"] == second.manifest.digest


def test_the_setting_of_an_unknown_repository_is_rejected(ecr: Any) -> None:
    refused = refusal(
        ecr.put_image_tag_mutability, repositoryName="tests/no-such-repository", imageTagMutability="MUTABLE"
    )

    assert refused == (
        400,
        "RepositoryNotFoundException",
        f"The repository with name 'tests/no-such-repository' does not exist in the registry with id '{ACCOUNT}'",
    )
