"""The screens of the private registry, each with a change that the API shows afterwards, and that the test undoes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.aws import aws_client
from tests.support.chromium import require_accessible, take_picture
from tests.support.server import Server


@pytest.fixture
def ecr(server: Server) -> Iterator[Any]:
    """The registry of the first Region, after the test's changes are undone."""
    with aws_client(server) as client:
        yield client
        client.put_replication_configuration(replicationConfiguration={"rules": []})
        client.put_registry_scanning_configuration(scanType="BASIC", rules=[])
        client.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")


def show(page: Page, screen: str, heading: str) -> None:
    page.goto(f"/console/registry/{screen}")
    expect(page.get_by_role("heading", name=heading, level=1).first).to_be_visible()
    require_accessible(page)


def test_the_policy_of_the_registry_is_saved(signed_in: Page, ecr: Any) -> None:
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "replicate",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
                "Action": ["ecr:ReplicateImage"],
                "Resource": ["arn:aws:ecr:us-east-1:000000000000:repository/*"],
            }
        ],
    }
    show(signed_in, "permissions", "Permissions")
    signed_in.locator(".cm-content").click()
    signed_in.keyboard.press("Control+A")
    signed_in.keyboard.insert_text(json.dumps(policy))
    signed_in.get_by_role("button", name="Save changes").click()

    expect(signed_in.get_by_text("Saved:")).to_be_visible()
    assert json.loads(ecr.get_registry_policy()["policyText"]) == policy
    ecr.delete_registry_policy()


def test_a_pull_through_rule_is_made_by_the_steps_and_tested(signed_in: Page, ecr: Any) -> None:
    show(signed_in, "pull-through-cache", "Pull-through cache")
    signed_in.goto("/console/registry/pull-through-cache/create")
    signed_in.get_by_role("radio", name="Kubernetes").click()
    require_accessible(signed_in)
    take_picture(signed_in, "pull-through")
    for _ in range(3):
        signed_in.get_by_role("button", name="Next").click()
    expect(signed_in.get_by_text("registry.k8s.io").first).to_be_visible()
    signed_in.get_by_role("button", name="Create", exact=True).click()
    signed_in.wait_for_function("!location.pathname.endsWith('/create')")

    (rule,) = ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"]
    assert rule["upstreamRegistryUrl"] == "registry.k8s.io"
    ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix=rule["ecrRepositoryPrefix"])


def test_a_replication_rule_is_saved(signed_in: Page, ecr: Any) -> None:
    show(signed_in, "replication", "Replication")
    signed_in.get_by_role("button", name="Add rule").click()
    signed_in.get_by_role("textbox", name="Region of the destination").fill("eu-west-1")
    account = signed_in.get_by_role("textbox", name="Account of the destination")
    if account.input_value() == "":
        account.fill("000000000000")
    require_accessible(signed_in)
    signed_in.get_by_role("button", name="Save changes").click()
    expect(signed_in.get_by_role("button", name="Save changes")).to_be_disabled()

    (rule,) = ecr.describe_registry()["replicationConfiguration"]["rules"]
    assert rule["destinations"] == [{"region": "eu-west-1", "registryId": "000000000000"}]


def test_scanning_on_push_is_set_up(signed_in: Page, ecr: Any) -> None:
    show(signed_in, "scanning", "Scanning")
    signed_in.get_by_role("textbox", name="Scan on push").fill("prod*")
    signed_in.get_by_role("button", name="Add: Scan on push").click()
    signed_in.get_by_role("button", name="Save changes").click()
    expect(signed_in.get_by_role("button", name="Save changes")).to_be_disabled()

    (rule,) = ecr.get_registry_scanning_configuration()["scanningConfiguration"]["rules"]
    assert rule == {
        "scanFrequency": "SCAN_ON_PUSH",
        "repositoryFilters": [{"filter": "prod*", "filterType": "WILDCARD"}],
    }


def test_a_template_is_made(signed_in: Page, ecr: Any) -> None:
    show(signed_in, "creation-templates", "Creation templates")
    signed_in.goto("/console/registry/creation-templates/-/create")
    signed_in.get_by_label("Prefix").fill("made")
    signed_in.get_by_label("Pull-through cache").first.check()
    require_accessible(signed_in)
    signed_in.get_by_role("button", name="Create template").click()
    signed_in.wait_for_url("**/registry/creation-templates*")
    expect(signed_in.get_by_text("made").first).to_be_visible()

    (template,) = ecr.describe_repository_creation_templates()["repositoryCreationTemplates"]
    assert (template["prefix"], template["appliedFor"]) == ("made", ["PULL_THROUGH_CACHE"])
    ecr.delete_repository_creation_template(prefix="made")


def test_a_signing_profile_and_a_rule_are_made(signed_in: Page, ecr: Any) -> None:
    show(signed_in, "signing", "Signing")
    signed_in.get_by_role("button", name="Create signing profile").click()
    dialog = signed_in.get_by_role("dialog")
    dialog.get_by_label("Name").fill("pages")
    dialog.get_by_role("button", name="Create", exact=True).click()
    expect(signed_in.get_by_role("cell", name="pages", exact=True)).to_be_visible()
    require_accessible(signed_in)

    signed_in.get_by_role("button", name="Add rule").click()
    signed_in.get_by_label("ARN of the signing profile").fill(
        "arn:aws:signer:us-east-1:000000000000:/signing-profiles/pages"
    )
    signed_in.get_by_role("button", name="Save changes").click()
    expect(signed_in.get_by_role("button", name="Save changes")).to_be_disabled()
    (rule,) = ecr.get_signing_configuration()["signingConfiguration"]["rules"]
    assert rule["signingProfileArn"].endswith("/pages")
    ecr.delete_signing_configuration()


def test_a_pull_time_exclusion_is_added(signed_in: Page, ecr: Any) -> None:
    show(signed_in, "pull-time-exclusions", "Pull-time exclusions")
    signed_in.get_by_role("button", name="Add", exact=True).click()
    arn = "arn:aws:iam::000000000000:user/scanner"
    dialog = signed_in.get_by_role("dialog")
    dialog.get_by_role("textbox", name="ARN of a user or role").fill(arn)
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(signed_in.get_by_role("cell", name=arn)).to_be_visible()

    assert arn in ecr.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"]
    ecr.deregister_pull_time_update_exclusion(principalArn=arn)


def test_an_account_setting_is_changed(signed_in: Page, ecr: Any) -> None:
    show(signed_in, "settings", "Settings")
    signed_in.get_by_role("radiogroup", name="Blob mounting").get_by_label("Off").check()
    signed_in.get_by_role("button", name="Save changes").first.click()
    expect(signed_in.get_by_role("button", name="Save changes").first).to_be_disabled()

    assert ecr.get_account_setting(name="BLOB_MOUNTING")["value"] == "DISABLED"
