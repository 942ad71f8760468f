"""Pull-through cache rules and their upstream registries.

Texts: aws-controllers-k8s/community#2589, entigolabs/entigo-infralib#1645, and responses that cdk-preflight recorded in
September 2026; otherwise the API reference.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.ecr.refusals import invalid
from tests.api.ecr.wire import ACCOUNT, client_of, refusal
from tests.api.pull_through.calls import (
    HUB,
    INPUT,
    MISSING,
    NEEDS_SECRET,
    OPEN,
    OTHER_ECR,
    create,
    create_refused,
    described,
    refused,
)
from tests.support.server import Server

# --- Create and describe ------------------------------------------------------------------------------------------


def test_a_rule_has_the_given_values_and_defaults(ecr: Any) -> None:
    created = create(ecr)

    at = created.pop("createdAt")
    assert abs(at.timestamp() - time.time()) < 60
    assert created == {
        "ecrRepositoryPrefix": "quay",
        "upstreamRegistryUrl": "quay.io",
        "registryId": ACCOUNT,
        "upstreamRegistry": "quay",
    }
    assert described(ecr) == described(ecr, "quay") == [created | {"createdAt": at, "updatedAt": at}]


@pytest.mark.parametrize(("url", "kind"), [*NEEDS_SECRET, *OPEN, (OTHER_ECR, "ecr"), ("other.test", None)])
def test_the_kind_of_the_upstream_registry_follows_from_its_url(
    ecr: Any, new_secret: Callable[..., str], url: str, kind: str | None
) -> None:
    more = {"credentialArn": new_secret()} if (url, kind) in NEEDS_SECRET else {}

    created = create(ecr, "cache", url, **more)

    assert created.get("upstreamRegistry") == kind
    assert created.get("credentialArn") == more.get("credentialArn")


@pytest.mark.parametrize("prefix", ["ab", "a" * 30, "team/app", "team/app/", "a.b_c__d---e", "ROOT"])
def test_prefixes_have_the_form_of_repository_names_or_are_root(ecr: Any, prefix: str) -> None:
    assert create(ecr, prefix)["ecrRepositoryPrefix"] == prefix
    assert [rule["ecrRepositoryPrefix"] for rule in described(ecr, prefix)] == [prefix]


PREFIX_PATTERN = (
    "Member must satisfy regular expression pattern: "
    r"^([a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*\/?|ROOT)$"
)


@pytest.mark.parametrize("member", ["ecrRepositoryPrefix", "upstreamRepositoryPrefix"])
@pytest.mark.parametrize(
    ("prefix", "constraint"),
    [
        ("a", "Member must have length greater than or equal to 2"),
        ("a" * 31, "Member must have length less than or equal to 30"),
        ("Team", PREFIX_PATTERN),
        ("/team", PREFIX_PATTERN),
        ("team//app", PREFIX_PATTERN),
        ("root/ROOT", PREFIX_PATTERN),
    ],
)
def test_other_prefixes_are_refused(ecr: Any, member: str, prefix: str, constraint: str) -> None:
    request = {"ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io", member: prefix}

    assert refusal(ecr.create_pull_through_cache_rule, **request) == invalid(member, constraint)


@pytest.mark.parametrize(
    ("arn", "constraint"),
    [
        ("arn:aws:secretsmanager:x:1:secret:ecr-pullthroughcach", None),
        (f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:other/hub-abcdef", None),
        (f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:ecr-pullthroughcache/" + "a" * 600, None),
    ],
)
def test_a_credential_arn_is_that_of_a_secret_with_ecrs_prefix(ecr: Any, arn: str, constraint: None) -> None:
    answer = create_refused(ecr, "hub", HUB, credentialArn=arn)

    assert answer.code == "InvalidParameterException"
    assert answer.message.startswith("Invalid parameter at 'credentialArn' failed to satisfy constraint: '")


def test_a_registry_has_one_rule_for_a_prefix(ecr: Any) -> None:
    create(ecr, "team/app")

    expected = refused(
        "PullThroughCacheRuleAlreadyExists",
        "A pull through cache rule with these settings already exists for the private registry.",
    )
    for prefix in ("team/app", "team/app/"):
        assert create_refused(ecr, prefix, "registry.k8s.io") == expected


def test_a_registry_has_50_rules_and_lists_them_in_pages(ecr: Any) -> None:
    """Service quotas: "Pull through cache rules per registry: 50"."""
    prefixes = [f"cache-{number:02}" for number in range(50)]
    for prefix in prefixes:
        create(ecr, prefix)

    assert create_refused(ecr, "one-more").code == "LimitExceededException"
    pages = ecr.get_paginator("describe_pull_through_cache_rules").paginate(PaginationConfig={"PageSize": 20})
    found = [[rule["ecrRepositoryPrefix"] for rule in page["pullThroughCacheRules"]] for page in pages]
    assert found == [prefixes[:20], prefixes[20:40], prefixes[40:]]
    token = ecr.describe_pull_through_cache_rules(maxResults=20)["nextToken"]
    answer = refusal(ecr.describe_pull_through_cache_rules, ecrRepositoryPrefixes=["ab"], nextToken=token)
    assert answer == invalid("nextToken", "nextToken cannot be used when ecrRepositoryPrefixes is specified")
    assert refusal(ecr.describe_pull_through_cache_rules, nextToken="x").code == "InvalidParameterException"
    answer = refusal(ecr.describe_pull_through_cache_rules, maxResults=1001)
    assert answer == invalid("maxResults", "Member must have value less than or equal to 1000")
    answer = refusal(ecr.describe_pull_through_cache_rules, ecrRepositoryPrefixes=[])
    assert answer == invalid("ecrRepositoryPrefixes", "Member must have length greater than or equal to 1")


def test_rules_are_those_of_one_region_and_account(ecr: Any, caching: Server) -> None:
    create(ecr)

    assert described(client_of(caching, region="ptc-region-99")) == []
    assert refusal(ecr.describe_pull_through_cache_rules, registryId="111122223333").code == "AccessDeniedException"


def test_an_unknown_prefix_is_refused_by_each_operation(ecr: Any) -> None:
    create(ecr)

    assert refusal(ecr.describe_pull_through_cache_rules, ecrRepositoryPrefixes=["quay", "no"]) == MISSING
    for call in (
        ecr.update_pull_through_cache_rule,
        ecr.delete_pull_through_cache_rule,
        ecr.validate_pull_through_cache_rule,
    ):
        assert refusal(call, ecrRepositoryPrefix="no") == MISSING


# --- Upstream registries ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["registry.example.com", "https://quay.io", "quay.io/", "docker.io", "127.0.0.1", " "])
def test_an_unknown_registry_is_refused(ecr: Any, url: str) -> None:
    text = f"The upstream registry URL {url} is invalid. Specify a valid upstream registry URL and try again"

    assert create_refused(ecr, url=url) == refused("UnsupportedUpstreamRegistry", text)


def test_a_registry_is_not_its_own_upstream(ecr: Any) -> None:
    own = f"{ACCOUNT}.dkr.ecr.{ecr.meta.region_name}.amazonaws.com"
    text = f"Invalid input: Upstream registry URL cannot be the same as the cache registry. {INPUT}"

    assert create_refused(ecr, url=own) == refused("Validation", text)


def test_the_named_registry_is_compared_only_for_registries_that_need_a_secret(
    ecr: Any, new_secret: Callable[..., str]
) -> None:
    text = f"Invalid input: Upstream registry URL and entered upstream registry do not match. {INPUT}"

    answer = create_refused(ecr, "hub", HUB, upstreamRegistry="quay", credentialArn=new_secret())
    assert answer == refused("Validation", text)
    assert create(ecr, "quay", upstreamRegistry="k8s")["upstreamRegistry"] == "quay"
    unknown = create_refused(ecr, upstreamRegistry="harbor")
    assert unknown.message.startswith("Invalid parameter at 'upstreamRegistry'")


def test_with_root_the_upstream_prefix_is_root_too(ecr: Any) -> None:
    """User guide, "Customizing repository prefixes for ECR to ECR pull through cache"."""
    assert create_refused(ecr, "ROOT", upstreamRepositoryPrefix="team").code == "ValidationException"
    assert create(ecr, "team", upstreamRepositoryPrefix="team")["upstreamRepositoryPrefix"] == "team"
