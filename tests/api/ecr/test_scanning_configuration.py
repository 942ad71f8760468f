"""Scanning configurations of registries, and what repositories get from them, with boto3, the AWS CLI and Terraform."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api.ecr.refusals import invalid
from tests.api.ecr.wire import ACCOUNT, Refusal, refusal
from tests.support.server import Server

_numbers = itertools.count()


@pytest.fixture
def region() -> str:
    """A Region that no other test uses: the configuration is that of a whole registry."""
    return f"scan-region-{next(_numbers)}"


@pytest.fixture
def ecr(clients: Callable[..., Any], region: str) -> Any:
    return clients(region=region)


def rule(frequency: str, *filters: str) -> dict[str, Any]:
    return {
        "scanFrequency": frequency,
        "repositoryFilters": [{"filter": text, "filterType": "WILDCARD"} for text in filters],
    }


def put(ecr: Any, scan_type: str, *rules: dict[str, Any]) -> Any:
    return ecr.put_registry_scanning_configuration(scanType=scan_type, rules=list(rules))


def described(ecr: Any, *names: str) -> dict[str, Any]:
    found = ecr.batch_get_repository_scanning_configuration(repositoryNames=list(names))
    assert found["failures"] == []
    return {one["repositoryName"]: one for one in found["scanningConfigurations"]}


def test_a_new_registry_has_basic_scanning_without_rules(ecr: Any) -> None:
    answer = ecr.get_registry_scanning_configuration()

    answer.pop("ResponseMetadata")
    assert answer == {"registryId": ACCOUNT, "scanningConfiguration": {"scanType": "BASIC", "rules": []}}


def test_a_configuration_is_returned_as_it_was_put(ecr: Any) -> None:
    rules = [rule("CONTINUOUS_SCAN", "prod*", "team/app"), rule("SCAN_ON_PUSH", "*")]
    configuration = {"scanType": "ENHANCED", "rules": rules}

    answer = put(ecr, "ENHANCED", *rules)

    assert answer["registryScanningConfiguration"] == configuration
    assert ecr.get_registry_scanning_configuration()["scanningConfiguration"] == configuration


def test_a_configuration_without_members_is_the_default(ecr: Any) -> None:
    put(ecr, "ENHANCED", rule("SCAN_ON_PUSH", "*"))

    answer = ecr.put_registry_scanning_configuration()

    assert answer["registryScanningConfiguration"] == {"scanType": "BASIC", "rules": []}


def test_registries_have_their_own_configurations(ecr: Any, clients: Callable[..., Any]) -> None:
    put(ecr, "ENHANCED")

    other = clients(region=f"scan-region-{next(_numbers)}")

    assert other.get_registry_scanning_configuration()["scanningConfiguration"]["scanType"] == "BASIC"


def test_a_frequency_of_the_other_scan_type_is_refused(ecr: Any) -> None:
    """The text: badmintoncryer/cdk-preflight, rules/ecr, captured in September 2026."""
    message = (
        "Invalid parameter failed to satisfy constraint: 'Invalid scan frequency for scanType BASIC: CONTINUOUS_SCAN'"
    )
    refused = refusal(
        ecr.put_registry_scanning_configuration, scanType="BASIC", rules=[rule("CONTINUOUS_SCAN", "prod")]
    )

    assert refused == Refusal(400, "InvalidParameterException", message)
    assert ecr.get_registry_scanning_configuration()["scanningConfiguration"]["rules"] == []


def test_a_frequency_can_have_one_rule_only(ecr: Any) -> None:
    rules = [rule("SCAN_ON_PUSH", "a"), rule("SCAN_ON_PUSH", "b")]

    refused = refusal(ecr.put_registry_scanning_configuration, scanType="BASIC", rules=rules)

    assert refused == invalid("rules", "Each scan frequency can have one rule only")


def test_repositories_get_the_frequency_of_the_first_rule_that_matches(ecr: Any) -> None:
    """Filters: ECR user guide, "Filter wildcards". Continuous scanning takes precedence."""
    for name in ("prod", "repo-prod", "team/test"):
        ecr.create_repository(repositoryName=name)
    put(ecr, "ENHANCED", rule("SCAN_ON_PUSH", "prod"), rule("CONTINUOUS_SCAN", "*prod", "prod*", "dev"))

    found = described(ecr, "prod", "repo-prod", "team/test")

    def filters(*texts: str) -> list[dict[str, str]]:
        return [{"filter": text, "filterType": "WILDCARD"} for text in texts]

    region = ecr.meta.region_name
    assert found["prod"] == {
        "repositoryArn": f"arn:aws:ecr:{region}:{ACCOUNT}:repository/prod",
        "repositoryName": "prod",
        "scanOnPush": True,
        "scanFrequency": "CONTINUOUS_SCAN",
        "appliedScanFilters": filters("*prod", "prod*"),
    }
    assert found["repo-prod"]["appliedScanFilters"] == filters("*prod")
    off = found["team/test"]
    assert (off["scanOnPush"], off["scanFrequency"], off["appliedScanFilters"]) == (False, "MANUAL", [])


def test_the_setting_of_a_repository_counts_for_basic_scanning(ecr: Any) -> None:
    setting = {"scanOnPush": True}
    ecr.create_repository(repositoryName="app", imageScanningConfiguration=setting)
    ecr.create_repository(repositoryName="other")

    found = described(ecr, "app", "other")

    assert [(found[name]["scanOnPush"], found[name]["scanFrequency"]) for name in ("app", "other")] == [
        (True, "SCAN_ON_PUSH"),
        (False, "MANUAL"),
    ]


def test_repositories_that_do_not_exist_are_failures(ecr: Any) -> None:
    ecr.create_repository(repositoryName="app")

    found = ecr.batch_get_repository_scanning_configuration(repositoryNames=["none", "app", "none"])

    assert [one["repositoryName"] for one in found["scanningConfigurations"]] == ["app"]
    assert found["failures"] == [
        {
            "repositoryName": "none",
            "failureCode": "REPOSITORY_NOT_FOUND",
            "failureReason": f"The repository with name 'none' does not exist in the registry with id '{ACCOUNT}'",
        }
    ]


def test_terraforms_resource_is_created_changed_and_removed(ecr: Any) -> None:
    """`aws_ecr_registry_scanning_configuration` puts, reads after each change, and ends with BASIC without rules."""
    states: list[dict[str, Any]] = [
        {"scanType": "ENHANCED", "rules": [rule("CONTINUOUS_SCAN", "example")]},
        {"scanType": "ENHANCED", "rules": [rule("SCAN_ON_PUSH", "example"), rule("CONTINUOUS_SCAN", "example-2")]},
        {"scanType": "BASIC", "rules": []},
    ]
    for state in states:
        ecr.put_registry_scanning_configuration(**state)

        read = ecr.get_registry_scanning_configuration()

        assert read["registryId"] == ACCOUNT
        assert read["scanningConfiguration"] == state


def test_the_aws_cli_puts_and_gets_a_configuration(server: Server, region: str, tmp_path: Path) -> None:
    def aws(*arguments: str) -> Any:
        command = [sys.executable, "-m", "awscli", "ecr", *arguments, "--region", region]
        done = subprocess.run(command, env=server.client_environment(tmp_path), capture_output=True, check=True)
        return json.loads(done.stdout)

    rules = json.dumps([rule("SCAN_ON_PUSH", "prod")])
    put_answer = aws("put-registry-scanning-configuration", "--scan-type", "ENHANCED", "--rules", rules)
    found = aws("get-registry-scanning-configuration")

    assert put_answer == {
        "registryScanningConfiguration": {"scanType": "ENHANCED", "rules": [rule("SCAN_ON_PUSH", "prod")]}
    }
    assert found["scanningConfiguration"] == put_answer["registryScanningConfiguration"]
