"""CreateRepositoryCreationTemplate and its siblings (ECR user guide, "Repository creation templates").

tests/docker/oci/test_creation.py tests their effect on pushes.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.ecr.refusals import invalid
from tests.api.ecr.wire import ACCOUNT, Refusal, refusal

LIFECYCLE = """{\r
  "rules": [{"rulePriority": 1, "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan",
             "countNumber": 5}, "action": {"type": "expire"}}]}"""

POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "pull", "Effect": "Allow", "Principal": "*", "Action": ["ecr:BatchGetImage"]}],
}

ROLE = f"arn:aws:iam::{ACCOUNT}:role/templates"


@pytest.fixture
def ecr(clients: Callable[..., Any]) -> Any:
    """The client of a Region that no other test uses."""
    return clients(region=f"test-region-{next(_numbers)}")


_numbers = itertools.count()


def create(ecr: Any, prefix: str, **more: Any) -> Any:
    request = {"prefix": prefix, "appliedFor": ["CREATE_ON_PUSH"], **more}
    return ecr.create_repository_creation_template(**request)["repositoryCreationTemplate"]


def create_refused(ecr: Any, prefix: str = "team", **more: Any) -> Refusal:
    request = {"prefix": prefix, "appliedFor": ["CREATE_ON_PUSH"], **more}
    return refusal(ecr.create_repository_creation_template, **request)


def prefixes(ecr: Any, *named: str) -> list[str]:
    request = {"prefixes": list(named)} if named else {}
    answer = ecr.describe_repository_creation_templates(**request)
    return [template["prefix"] for template in answer["repositoryCreationTemplates"]]


def missing(prefix: str) -> Refusal:
    message = (
        f"The repository creation template with prefix '{prefix}' does not exist in the registry with id '{ACCOUNT}'"
    )
    return Refusal(400, "TemplateNotFoundException", message)


def test_a_template_has_the_given_values_and_defaults(ecr: Any) -> None:
    answer = ecr.create_repository_creation_template(prefix="team/apps", appliedFor=["REPLICATION", "CREATE_ON_PUSH"])

    template = answer["repositoryCreationTemplate"]
    created = template.pop("createdAt")
    assert answer["registryId"] == ACCOUNT
    assert template.pop("updatedAt") == created
    assert abs(created.timestamp() - time.time()) < 60
    assert template == {
        "prefix": "team/apps",
        "appliedFor": ["REPLICATION", "CREATE_ON_PUSH"],
        "encryptionConfiguration": {"encryptionType": "AES256"},
        "imageTagMutability": "MUTABLE",
    }


def test_a_template_is_created_read_updated_and_deleted(ecr: Any) -> None:
    """As Terraform does it: all members first, then a change of each, and a read after each step."""
    whole = {
        "description": "Applications",
        "encryptionConfiguration": {"encryptionType": "KMS"},
        "resourceTags": [{"Key": "team", "Value": "a"}],
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "dev-*"}],
        "lifecyclePolicy": LIFECYCLE,
        "customRoleArn": ROLE,
    }
    created = create(ecr, "team", **whole)
    assert {member: created[member] for member in whole} == whole
    assert ecr.describe_repository_creation_templates(prefixes=["team"])["repositoryCreationTemplates"] == [created]

    answer = ecr.update_repository_creation_template(prefix="team", description="", imageTagMutability="MUTABLE")
    updated = answer["repositoryCreationTemplate"]
    assert updated["updatedAt"] > created["updatedAt"]
    gone = {"description", "imageTagMutabilityExclusionFilters"}
    assert created.keys() - updated.keys() == gone
    kept = created.keys() - gone - {"imageTagMutability", "updatedAt"}
    assert {member: updated[member] for member in kept} == {member: created[member] for member in kept}
    assert ecr.describe_repository_creation_templates()["repositoryCreationTemplates"] == [updated]

    deleted = ecr.delete_repository_creation_template(prefix="team")["repositoryCreationTemplate"]
    assert deleted == updated
    assert prefixes(ecr) == []
    assert refusal(ecr.delete_repository_creation_template, prefix="team") == missing("team")


def test_an_empty_text_removes_a_text(ecr: Any) -> None:
    create(ecr, "team", lifecyclePolicy=LIFECYCLE, repositoryPolicy=json.dumps(POLICY), customRoleArn=ROLE)

    answer = ecr.update_repository_creation_template(
        prefix="team", lifecyclePolicy="", repositoryPolicy="", customRoleArn=""
    )

    assert {"lifecyclePolicy", "repositoryPolicy", "customRoleArn"}.isdisjoint(answer["repositoryCreationTemplate"])


def test_a_lifecycle_policy_is_returned_verbatim(ecr: Any) -> None:
    assert create(ecr, "team", lifecyclePolicy=LIFECYCLE)["lifecyclePolicy"] == LIFECYCLE


def test_a_repository_policy_is_returned_in_the_form_of_set_repository_policy(ecr: Any) -> None:
    """The API reference, CreateRepositoryCreationTemplate, shows this form in its example."""
    ecr.create_repository(repositoryName="team/app")
    text = json.dumps(POLICY)

    created = create(ecr, "team", repositoryPolicy=text)
    answer = ecr.set_repository_policy(repositoryName="team/app", policyText=text)

    assert created["repositoryPolicy"] == answer["policyText"] != text
    assert ecr.describe_repository_creation_templates()["repositoryCreationTemplates"] == [created]


def test_a_slash_at_the_end_does_not_change_the_prefix(ecr: Any) -> None:
    assert create(ecr, "team/apps/")["prefix"] == "team/apps/"

    template = "The repository creation template with prefix 'team/apps'"
    text = f"{template} already exists in the registry with id '{ACCOUNT}'"
    assert create_refused(ecr, "team/apps") == (400, "TemplateAlreadyExistsException", text)
    assert prefixes(ecr, "team/apps") == ["team/apps/"]
    ecr.delete_repository_creation_template(prefix="team/apps")
    assert prefixes(ecr) == []


def test_describing_a_prefix_returns_its_template_or_those_below(ecr: Any) -> None:
    """The API reference, DescribeRepositoryCreationTemplates, requests `eng` and shows `eng/test`.

    Terraform requests one prefix and treats a second template in the response as an error.
    """
    for prefix in ("eng/test", "eng/tools", "english", "ops", "ops/test", "ROOT"):
        create(ecr, prefix)

    assert prefixes(ecr) == ["ROOT", "eng/test", "eng/tools", "english", "ops", "ops/test"]
    assert prefixes(ecr, "eng") == ["eng/test", "eng/tools"]
    assert prefixes(ecr, "ops") == ["ops"]
    assert prefixes(ecr, "ops/test", "ROOT", "eng/test") == ["ROOT", "eng/test", "ops/test"]
    assert prefixes(ecr, "nothing") == []


def test_templates_are_returned_in_pages(ecr: Any) -> None:
    names = [f"team-{number}" for number in range(5)]
    for name in names:
        create(ecr, name)

    first = ecr.describe_repository_creation_templates(maxResults=3)
    rest = ecr.describe_repository_creation_templates(maxResults=3, nextToken=first["nextToken"])

    listed = [*first["repositoryCreationTemplates"], *rest["repositoryCreationTemplates"]]
    assert [template["prefix"] for template in listed] == names
    assert "nextToken" not in rest
    refused = refusal(ecr.describe_repository_creation_templates, prefixes=["team-1"], maxResults=3)
    assert refused == invalid("maxResults", "maxResults cannot be used when prefixes is specified")


@pytest.mark.parametrize("prefix", ["Team", "/team", "team//app", "team/ROOT", "", "ROOT/", "a" * 257])
def test_a_prefix_is_the_beginning_of_a_repository_name_or_root(ecr: Any, prefix: str) -> None:
    refused = create_refused(ecr, prefix)

    assert (refused.code, "'prefix'" in refused.message) == ("InvalidParameterException", True)


@pytest.mark.parametrize(
    ("members", "code", "text"),
    [
        ({"appliedFor": []}, "ValidationException", "appliedFor"),
        ({"appliedFor": ["PUSH"]}, "InvalidParameterException", "appliedFor"),
        ({"customRoleArn": "templates"}, "ValidationException", "customRoleArn"),
        ({"resourceTags": [{"Key": "aws:x", "Value": ""}]}, "ValidationException", "aws:"),
        ({"resourceTags": [{"Key": "a", "Value": ""}] * 2}, "ValidationException", "Duplicate"),
        (
            {"resourceTags": [{"Key": str(number), "Value": ""} for number in range(51)]},
            "ValidationException",
            "maximum number of tags: 50",
        ),
        (
            {
                "encryptionConfiguration": {
                    "encryptionType": "KMS",
                    "kmsKey": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/unknown",
                }
            },
            "ValidationException",
            "KMS key",
        ),
        ({"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"}, "InvalidParameterException", "can't be null"),
        ({"lifecyclePolicy": "{}"}, "InvalidParameterException", "LifecyclePolicyText"),
        ({"lifecyclePolicy": LIFECYCLE.replace("5", "0")}, "InvalidParameterException", "LifecyclePolicyText"),
        ({"repositoryPolicy": "{}"}, "InvalidParameterException", "Invalid repository policy provided"),
        (
            {"repositoryPolicy": json.dumps(POLICY).replace('"Effect"', '"Resource": "*", "Effect"')},
            "InvalidParameterException",
            "Invalid repository policy provided",
        ),
        ({"description": "d" * 257}, "InvalidParameterException", "description"),
    ],
)
def test_a_template_that_no_repository_could_have_is_rejected(
    ecr: Any, members: dict[str, Any], code: str, text: str
) -> None:
    refused = create_refused(ecr, **members)

    assert (refused.code, text in refused.message) == (code, True), refused
    assert prefixes(ecr) == []

    kept = create(ecr, "team")
    changed = refusal(ecr.update_repository_creation_template, prefix="team", **members)
    assert changed == refused
    assert ecr.describe_repository_creation_templates()["repositoryCreationTemplates"] == [kept]


def test_only_an_existing_template_is_updated(ecr: Any) -> None:
    assert refusal(ecr.update_repository_creation_template, prefix="team") == missing("team")


def test_a_registry_has_at_most_50_templates(ecr: Any) -> None:
    for number in range(50):
        create(ecr, f"team-{number:02}")

    assert create_refused(ecr, "one-more").code == "LimitExceededException"
    assert len(prefixes(ecr)) == 50
