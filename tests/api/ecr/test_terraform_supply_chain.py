"""The calls of Terraform's AWS provider for its resources of pull-through, replication, scanning and signing.

From `internal/service/ecr` of the provider, as in test_terraform.py: each resource is read after each change, and what
is read must be what was written. Otherwise the next plan changes or replaces the resource again.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from moorage.domain.signing.profiles import PLATFORM
from tests.api.ecr.wire import ACCOUNT, refusal
from tests.api.services.calls import client_of
from tests.support.server import Server

RULE_ATTRIBUTES = {
    "credential_arn": "credentialArn",
    "custom_role_arn": "customRoleArn",
    "ecr_repository_prefix": "ecrRepositoryPrefix",
    "upstream_registry_url": "upstreamRegistryUrl",
    "upstream_repository_prefix": "upstreamRepositoryPrefix",
}
"""The attributes of `aws_ecr_pull_through_cache_rule`. None is computed: the state has each as it is read."""

ROLES = [f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("puller", "other")]

_numbers = itertools.count()


@pytest.fixture
def region() -> str:
    """A Region that no other test uses."""
    return f"tfs-region-{next(_numbers)}"


@pytest.fixture
def ecr(clients: Callable[..., Any], region: str) -> Any:
    return clients(region=region)


# --- aws_ecr_pull_through_cache_rule --------------------------------------------------------------------------------


def request_of(config: Mapping[str, str]) -> dict[str, str]:
    return {RULE_ATTRIBUTES[attribute]: value for attribute, value in config.items()}


def state_of(ecr: Any, identifier: str) -> dict[str, str]:
    """The state after a refresh or an import: the attributes that have a value."""
    found = ecr.describe_pull_through_cache_rules(ecrRepositoryPrefixes=[identifier])["pullThroughCacheRules"]
    (rule,) = found
    assert rule["registryId"] == ACCOUNT
    return {attribute: rule[member] for attribute, member in RULE_ATTRIBUTES.items() if member in rule}


@pytest.mark.parametrize(
    "config",
    [
        {"ecr_repository_prefix": "ecr-public", "upstream_registry_url": "public.ecr.aws"},
        {"ecr_repository_prefix": "team/cache/", "upstream_registry_url": "quay.io"},
        {"ecr_repository_prefix": "ROOT", "upstream_registry_url": "registry.k8s.io"},
        {
            "ecr_repository_prefix": "other",
            "upstream_registry_url": f"{ACCOUNT}.dkr.ecr.eu-north-1.amazonaws.com",
            "upstream_repository_prefix": "ROOT",
        },
    ],
    ids=lambda config: config["ecr_repository_prefix"],
)
def test_a_rule_without_credentials_is_created_planned_and_destroyed(ecr: Any, config: dict[str, str]) -> None:
    prefix = config["ecr_repository_prefix"]
    ecr.create_pull_through_cache_rule(**request_of(config))

    assert state_of(ecr, prefix) == config

    again = refusal(ecr.create_pull_through_cache_rule, **request_of(config))
    assert again.code == "PullThroughCacheRuleAlreadyExistsException"
    ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix=prefix, registryId=ACCOUNT)
    for call, member in (
        (ecr.describe_pull_through_cache_rules, {"ecrRepositoryPrefixes": [prefix]}),
        (ecr.delete_pull_through_cache_rule, {"ecrRepositoryPrefix": prefix, "registryId": ACCOUNT}),
    ):
        assert refusal(call, **member).code == "PullThroughCacheRuleNotFoundException"


def test_the_secret_of_a_rule_is_replaced(ecr: Any, server: Server, region: str) -> None:
    """Its value is not looked at; the provider's acceptance test has one that is not JSON."""
    secrets = client_of(server, "secretsmanager", region_name=region)
    first, second = (
        secrets.create_secret(Name=f"ecr-pullthroughcache/{name}", SecretString="test")["ARN"] for name in "ab"
    )
    config = {"ecr_repository_prefix": "hub", "upstream_registry_url": "registry-1.docker.io", "credential_arn": first}
    ecr.create_pull_through_cache_rule(**request_of(config))
    assert state_of(ecr, "hub") == config

    ecr.update_pull_through_cache_rule(ecrRepositoryPrefix="hub", credentialArn=second)

    assert state_of(ecr, "hub") == config | {"credential_arn": second}


def test_the_role_of_a_rule_is_replaced(ecr: Any) -> None:
    first, second = ROLES
    config = {
        "ecr_repository_prefix": "other",
        "upstream_registry_url": "111122223333.dkr.ecr.eu-west-1.amazonaws.com",
        "upstream_repository_prefix": "team",
        "custom_role_arn": first,
    }
    ecr.create_pull_through_cache_rule(**request_of(config))
    assert state_of(ecr, "other") == config

    ecr.update_pull_through_cache_rule(ecrRepositoryPrefix="other", customRoleArn=second)

    assert state_of(ecr, "other") == config | {"custom_role_arn": second}


# --- aws_ecr_replication_configuration, aws_ecr_registry_scanning_configuration -----------------------------------


def test_a_replication_configuration_keeps_the_order_of_its_lists(ecr: Any) -> None:
    """Rules, destinations and filters are lists there. Without rules, the resource counts as deleted."""
    rules = [
        {
            "destinations": [{"region": region, "registryId": ACCOUNT} for region in ("us-west-2", "eu-west-1")],
            "repositoryFilters": [{"filter": name, "filterType": "PREFIX_MATCH"} for name in ("prod/", "app/")],
        },
        {"destinations": [{"region": "ap-south-1", "registryId": "111122223333"}]},
    ]
    for wanted in (rules[:1], rules, rules[::-1], []):
        ecr.put_replication_configuration(replicationConfiguration={"rules": wanted})

        read = ecr.describe_registry()
        assert (read["registryId"], read["replicationConfiguration"]) == (ACCOUNT, {"rules": wanted})


def test_a_scanning_configuration_has_the_states_of_the_providers_tests(ecr: Any) -> None:
    def rule(frequency: str, name: str) -> dict[str, Any]:
        return {"scanFrequency": frequency, "repositoryFilters": [{"filter": name, "filterType": "WILDCARD"}]}

    states: list[tuple[str, list[Any]]] = [
        ("BASIC", []),
        ("BASIC", [rule("SCAN_ON_PUSH", "example")]),
        ("ENHANCED", [rule("CONTINUOUS_SCAN", "example"), rule("SCAN_ON_PUSH", "*")]),
        ("BASIC", []),
    ]
    for kind, rules in states:
        ecr.put_registry_scanning_configuration(scanType=kind, rules=rules)

        read = ecr.get_registry_scanning_configuration()
        assert (read["registryId"], read["scanningConfiguration"]["scanType"]) == (ACCOUNT, kind)
        assert sorted(map(json.dumps, read["scanningConfiguration"]["rules"])) == sorted(map(json.dumps, rules))


# --- aws_ecr_signing_configuration, aws_signer_signing_profile ------------------------------------------------------


def test_a_signing_configuration_is_put_planned_and_destroyed(ecr: Any, server: Server, region: str) -> None:
    signer = client_of(server, "signer", region_name=region)
    first, second = (signer.put_signing_profile(profileName=name, platformId=PLATFORM)["arn"] for name in ("p1", "p2"))
    some = {"signingProfileArn": first, "repositoryFilters": [{"filter": "prod/*", "filterType": "WILDCARD_MATCH"}]}
    every = {"signingProfileArn": second}
    assert refusal(ecr.get_signing_configuration).code == "SigningConfigurationNotFoundException"

    for rules in ([some], [some, every], [every]):
        ecr.put_signing_configuration(signingConfiguration={"rules": rules})

        read = ecr.get_signing_configuration()
        assert (read["registryId"], read["signingConfiguration"]) == (ACCOUNT, {"rules": rules})

    ecr.delete_signing_configuration()
    for call in (ecr.get_signing_configuration, ecr.delete_signing_configuration):
        assert refusal(call).code == "SigningConfigurationNotFoundException"


@pytest.mark.parametrize("validity", [None, {"type": "DAYS", "value": 10}])
def test_a_signing_profile_is_created_planned_and_destroyed(
    server: Server, region: str, validity: dict[str, Any] | None
) -> None:
    """A canceled profile counts as deleted. The name is one that the provider makes."""
    signer = client_of(server, "signer", region_name=region)
    name = "terraform_20260902180000000000000001"
    more = {"signatureValidityPeriod": validity} if validity else {}
    assert refusal(signer.get_signing_profile, profileName=name).code == "ResourceNotFoundException"
    assert refusal(signer.cancel_signing_profile, profileName=name).code == "ResourceNotFoundException"

    put = signer.put_signing_profile(profileName=name, platformId=PLATFORM, **more)
    states = [signer.get_signing_profile(profileName=name) for _ in range(2)]

    for state in states:
        state.pop("ResponseMetadata")
    refreshed, planned = states
    assert refreshed == planned
    assert refreshed["signatureValidityPeriod"] == (validity or {"type": "MONTHS", "value": 135})
    assert (refreshed["arn"], refreshed["profileVersionArn"]) == (put["arn"], put["profileVersionArn"])
    assert refreshed["platformDisplayName"]
    assert "signingMaterial" not in refreshed

    signer.cancel_signing_profile(profileName=name)
    assert signer.get_signing_profile(profileName=name)["status"] == "Canceled"
