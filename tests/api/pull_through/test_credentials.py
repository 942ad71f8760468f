"""Secrets and roles of pull-through cache rules: how rules are created, updated, validated and deleted with them.

Texts: aws-controllers-k8s/community#2589, entigolabs/entigo-infralib#1645, and responses that cdk-preflight recorded in
September 2026; otherwise the API reference.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.ecr.refusals import invalid
from tests.api.ecr.wire import ACCOUNT, client_of, refusal
from tests.api.pull_through.calls import (
    ADDED_ECR,
    HUB,
    INPUT,
    MISSING,
    NEEDS_SECRET,
    OPEN,
    OTHER_ECR,
    ROLE,
    create,
    create_refused,
    described,
    refused,
)
from tests.api.services import calls as services
from tests.conftest import StartServer
from tests.support.server import Server


def validated(ecr: Any, prefix: str) -> tuple[bool, str | None]:
    answer = ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix=prefix)
    return answer["isValid"], answer.get("failure")


# --- Secrets and roles --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [url for url, _ in NEEDS_SECRET])
def test_some_registries_need_a_secret(ecr: Any, url: str) -> None:
    text = (
        "The specified upstream registry requires authentication. Specify a valid Secrets Manager ARN containing the "
        "upstream registry credentials and try again."
    )

    assert create_refused(ecr, url=url) == refused("UnsupportedUpstreamRegistry", text)


@pytest.mark.parametrize("url", [url for url, _ in OPEN])
def test_open_registries_have_no_secret(ecr: Any, new_secret: Callable[..., str], url: str) -> None:
    text = "The specified upstream registry doesn't require authentication."

    answer = create_refused(ecr, url=url, credentialArn=new_secret())
    assert answer == refused("UnsupportedUpstreamRegistry", text)


def test_the_secret_exists_in_the_same_account_and_region(ecr: Any, new_secret: Callable[..., str]) -> None:
    arn = new_secret()
    missing = (
        "The ARN of the secret specified in the pull through cache rule was not found. Update the pull through cache "
        "rule with a valid secret ARN and try again."
    )
    elsewhere = (
        "The secret is unable to be accessed. Please verify the secret exists in the same region and account that the "
        "pullthrough cache rule will be created in"
    )

    answer = create_refused(ecr, "hub", HUB, credentialArn=f"{arn[:-6]}abcdef")
    assert answer == refused("SecretNotFound", missing)
    for other in (arn.replace(ecr.meta.region_name, "us-east-1"), arn.replace(ACCOUNT, "111122223333")):
        assert create_refused(ecr, "hub", HUB, credentialArn=other) == refused("UnableToAccessSecret", elsewhere)
    assert create(ecr, "hub", HUB, credentialArn=arn)["credentialArn"] == arn


def test_a_secret_that_is_marked_for_deletion_cannot_be_used(
    ecr: Any, new_secret: Callable[..., str], caching: Server
) -> None:
    arn = new_secret()
    place = ("ecr-pullthroughcache/hub", "--region", ecr.meta.region_name)
    caching.moorage("secret", "delete", *place)

    answer = create_refused(ecr, "hub", HUB, credentialArn=arn)
    assert answer.code == "UnableToAccessSecretException"
    assert "marked for deletion" in answer.message
    caching.moorage("secret", "restore", *place)
    create(ecr, "hub", HUB, credentialArn=arn)
    caching.moorage("secret", "delete", "--now", *place)
    assert (
        refusal(ecr.update_pull_through_cache_rule, ecrRepositoryPrefix="hub", credentialArn=arn).code
        == "SecretNotFoundException"
    )


def test_a_role_is_for_ecr_registries_only(ecr: Any) -> None:
    text = f"Invalid input: Upstream registry URL and provided credential type do not match. {INPUT}"

    assert create_refused(ecr, customRoleArn=ROLE) == refused("Validation", text)
    foreign = ROLE.replace(ACCOUNT, "111122223333")
    for role in (foreign, "x"):
        assert create_refused(ecr, url=OTHER_ECR, customRoleArn=role).code == "ValidationException"
    assert create_refused(ecr, url=OTHER_ECR, customRoleArn="r" * 2049) == invalid(
        "customRoleArn", "Member must have length less than or equal to 2048"
    )
    assert create(ecr, url=OTHER_ECR, customRoleArn=ROLE)["customRoleArn"] == ROLE


# --- Update, validate, delete -------------------------------------------------------------------------------------


def test_a_rule_is_created_read_updated_and_deleted(ecr: Any, new_secret: Callable[..., str]) -> None:
    """As Terraform does it (`aws_ecr_pull_through_cache_rule`): it reads after each change."""
    first, second = new_secret(), new_secret(secret="ecr-pullthroughcache/other")
    created = create(ecr, "hub", HUB, credentialArn=first, upstreamRepositoryPrefix="library")
    assert described(ecr, "hub") == [created | {"updatedAt": created["createdAt"]}]

    updated = ecr.update_pull_through_cache_rule(ecrRepositoryPrefix="hub", credentialArn=second)
    updated.pop("ResponseMetadata")
    at = updated.pop("updatedAt")
    assert at > created["createdAt"]
    assert updated == {
        "ecrRepositoryPrefix": "hub",
        "registryId": ACCOUNT,
        "credentialArn": second,
        "upstreamRepositoryPrefix": "library",
    }
    assert described(ecr, "hub") == [created | {"updatedAt": at, "credentialArn": second}]
    assert refusal(ecr.update_pull_through_cache_rule, ecrRepositoryPrefix="hub").code == "ValidationException"

    deleted = ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix="hub")
    deleted.pop("ResponseMetadata")
    expected = created | {"credentialArn": second}
    expected.pop("upstreamRegistry")
    assert deleted == expected
    assert refusal(ecr.describe_pull_through_cache_rules, ecrRepositoryPrefixes=["hub"]) == MISSING
    create(ecr, "hub", HUB, credentialArn=first)


def test_validation_logs_in_to_the_upstream_registry(
    ecr: Any, new_secret: Callable[..., str], upstream: Server
) -> None:
    keys = upstream.environment["AWS_ACCESS_KEY_ID"], upstream.environment["AWS_SECRET_ACCESS_KEY"]
    arn = new_secret(token=keys[1], name=keys[0])
    create(ecr, "cache", "other.test", credentialArn=arn)

    answer = ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix="cache")
    answer.pop("ResponseMetadata")
    assert answer == {
        "ecrRepositoryPrefix": "cache",
        "registryId": ACCOUNT,
        "upstreamRegistryUrl": "other.test",
        "credentialArn": arn,
        "isValid": True,
    }

    new_secret(token="wrong", name=keys[0])
    is_valid, failure = validated(ecr, "cache")
    assert not is_valid
    assert failure is not None
    assert "wrong" not in failure


def test_validation_reports_what_is_wrong_with_a_secret(
    ecr: Any, new_secret: Callable[..., str], caching: Server
) -> None:
    arn = new_secret()
    place = ("ecr-pullthroughcache/hub", "--region", ecr.meta.region_name)
    create(ecr, "cache", "other.test", credentialArn=arn)

    for value in ("not JSON", "{}", '{"username": "a"}', '{"username": "a:b", "accessToken": "c"}', '["a"]'):
        caching.moorage("secret", "put", *place, stdin=value)
        is_valid, failure = validated(ecr, "cache")
        assert not is_valid
        assert failure is not None
        assert "must be a JSON object of the form" in failure
        assert value not in failure
    caching.moorage("secret", "delete", *place)
    assert validated(ecr, "cache")[1] == (
        "The secret is unable to be accessed. It is marked for deletion. Restore it and try again."
    )
    caching.moorage("secret", "delete", "--now", *place)
    failure = validated(ecr, "cache")[1]
    assert failure is not None
    assert failure.startswith("The ARN of the secret specified in the pull through cache rule was not found.")


@pytest.mark.parametrize("url", ["refused.test", "10.255.255.1"])
def test_validation_reports_a_registry_that_cannot_be_reached(ecr: Any, url: str) -> None:
    """The second one was added without a URL, so no private network is allowed for it."""
    create(ecr, "cache", url)

    is_valid, failure = validated(ecr, "cache")

    assert not is_valid
    assert failure in ("The upstream registry cannot be reached", "Access to the upstream registry is denied")


def test_an_ecr_registry_gets_a_token_for_an_access_key(
    ecr: Any, new_secret: Callable[..., str], upstream: Server
) -> None:
    """By GetAuthorizationToken, signed for the Region in its name."""
    key, secret = upstream.environment["AWS_ACCESS_KEY_ID"], upstream.environment["AWS_SECRET_ACCESS_KEY"]
    arn = new_secret(token=secret, name=key)
    assert create(ecr, "ecr", ADDED_ECR, credentialArn=arn)["upstreamRegistry"] == "ecr"

    assert validated(ecr, "ecr") == (True, None)
    new_secret(token="wrong", name=key)
    assert not validated(ecr, "ecr")[0]


def test_a_secret_of_secrets_manager_is_used_from_its_next_version_on(
    ecr: Any, caching: Server, upstream: Server
) -> None:
    """Terraform: `aws_secretsmanager_secret`, its version, and the rule that names its ARN."""
    secrets = services.client_of(caching, "secretsmanager", region_name=ecr.meta.region_name)
    key, secret = upstream.environment["AWS_ACCESS_KEY_ID"], upstream.environment["AWS_SECRET_ACCESS_KEY"]
    arn = secrets.create_secret(Name="ecr-pullthroughcache/made")["ARN"]
    create(ecr, "cache", "other.test", credentialArn=arn)
    assert validated(ecr, "cache") == (False, "The secret has no value.")

    for token, expected in (("wrong", False), (secret, True)):
        value = json.dumps({"username": key, "accessToken": token})
        secrets.put_secret_value(SecretId=arn, SecretString=value)
        assert validated(ecr, "cache")[0] is expected


def test_a_secret_with_another_kms_key_cannot_be_decrypted(fresh_server: StartServer) -> None:
    """User guide: the secret must be encrypted with Secrets Manager's own key."""
    key = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/one"
    server = fresh_server(extra_args=["--workers", "1", "--kms-key", key])
    arn = services.client_of(server, "secretsmanager").create_secret(
        Name="ecr-pullthroughcache/hub", SecretString="{}", KmsKeyId=key
    )["ARN"]

    answer = create_refused(client_of(server), "hub", HUB, credentialArn=arn)

    assert answer.code == "UnableToDecryptSecretValueException"
