"""Calls of the operations on pull-through cache rules, and their refusals."""

from __future__ import annotations

from typing import Any

from tests.api.ecr.wire import ACCOUNT, Refusal, refusal

HUB = "registry-1.docker.io"
INPUT = "Please verify input and try again."
NEEDS_SECRET = [
    (HUB, "docker-hub"),
    ("ghcr.io", "github-container-registry"),
    ("corp123.azurecr.io", "azure-container-registry"),
    ("registry.gitlab.com", "gitlab-container-registry"),
    ("cgr.dev", "chainguard"),
]
OPEN = [("quay.io", "quay"), ("registry.k8s.io", "k8s"), ("public.ecr.aws", "ecr-public")]
OTHER_ECR = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
ADDED_ECR = f"{ACCOUNT}.dkr.ecr.eu-north-1.amazonaws.com"
"""The name of an ECR registry under which the operator added another Moorage."""

ROLE = f"arn:aws:iam::{ACCOUNT}:role/puller"


def create(ecr: Any, prefix: str = "quay", url: str = "quay.io", **more: Any) -> Any:
    answer = ecr.create_pull_through_cache_rule(ecrRepositoryPrefix=prefix, upstreamRegistryUrl=url, **more)
    answer.pop("ResponseMetadata")
    return answer


def create_refused(ecr: Any, prefix: str = "quay", url: str = "quay.io", **more: Any) -> Refusal:
    return refusal(ecr.create_pull_through_cache_rule, ecrRepositoryPrefix=prefix, upstreamRegistryUrl=url, **more)


def described(ecr: Any, *prefixes: str, **more: Any) -> list[Any]:
    request = {"ecrRepositoryPrefixes": list(prefixes)} if prefixes else {}
    rules: list[Any] = ecr.describe_pull_through_cache_rules(**request, **more)["pullThroughCacheRules"]
    return rules


def refused(code: str, message: str) -> Refusal:
    return Refusal(400, f"{code}Exception", message)


MISSING = refused(
    "PullThroughCacheRuleNotFound",
    "The pull through cache rule was not found. Specify a valid pull through cache rule and try again.",
)
