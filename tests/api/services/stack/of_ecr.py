"""The resources of ECR."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.api.services.calls import ACCOUNT
from tests.api.services.stack.resource import (
    ARNS,
    REGION,
    SECRET,
    Arguments,
    Clients,
    Resource,
    lifecycle,
    never,
    normalized,
    policy,
)


def of_repository(ecr: Any, key: str) -> Iterator[Resource]:
    name = {"repositoryName": "stack/app"}
    tags = [{"Key": "team", "Value": "a"}]
    encryption = {"encryptionType": "KMS", "kmsKey": key}

    def read() -> Arguments:
        (found,) = ecr.describe_repositories(repositoryNames=["stack/app"])["repositories"]
        return {
            "tags": ecr.list_tags_for_resource(resourceArn=found["repositoryArn"])["tags"],
            **{name: found[name] for name in ("imageTagMutability", "encryptionConfiguration")},
        }

    def update(new: Arguments) -> None:
        ecr.put_image_tag_mutability(**name, imageTagMutability=new["imageTagMutability"])
        ecr.tag_resource(resourceArn=ARNS["repository"], tags=new["tags"])

    arguments = {"tags": tags, "imageTagMutability": "MUTABLE", "encryptionConfiguration": encryption}
    yield Resource(
        "aws_ecr_repository",
        arguments,
        arguments | {"imageTagMutability": "IMMUTABLE", "tags": [{"Key": "team", "Value": "b"}]},
        lambda new: ecr.create_repository(**name, **new),
        read,
        update,
        lambda: ecr.delete_repository(**name, registryId=ACCOUNT, force=False),
    )

    def put_policy(new: Arguments) -> None:
        ecr.set_repository_policy(**name, **new)

    yield Resource(
        "aws_ecr_repository_policy",
        {"policyText": policy("ecr:BatchGetImage", principal=ARNS["role"])},
        {"policyText": policy("ecr:BatchGetImage", principal=ARNS["user"])},
        put_policy,
        lambda: {"policyText": normalized(ecr.get_repository_policy(**name)["policyText"])},
        put_policy,
        lambda: ecr.delete_repository_policy(**name),
    )

    def put_lifecycle(new: Arguments) -> None:
        ecr.put_lifecycle_policy(**name, **new)

    yield Resource(
        "aws_ecr_lifecycle_policy",
        {"lifecyclePolicyText": lifecycle(5)},
        {"lifecyclePolicyText": lifecycle(6)},
        put_lifecycle,
        lambda: {
            "lifecyclePolicyText": normalized(json.loads(ecr.get_lifecycle_policy(**name)["lifecyclePolicyText"]))
        },
        put_lifecycle,
        lambda: ecr.delete_lifecycle_policy(**name),
    )


def of_registry(ecr: Any) -> Iterator[Resource]:
    def put_policy(new: Arguments) -> None:
        ecr.put_registry_policy(**new)

    where = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/*"
    yield Resource(
        "aws_ecr_registry_policy",
        {"policyText": policy("ecr:ReplicateImage", principal=ARNS["role"], resource=where)},
        {"policyText": policy("ecr:CreateRepository", principal=ARNS["role"], resource=where)},
        put_policy,
        lambda: {"policyText": normalized(ecr.get_registry_policy()["policyText"])},
        put_policy,
        ecr.delete_registry_policy,
    )

    def put_setting(new: Arguments) -> None:
        ecr.put_account_setting(name="BASIC_SCAN_TYPE_VERSION", **new)

    yield Resource(
        "aws_ecr_account_setting",
        {"value": "AWS_NATIVE"},
        {"value": "AWS_NATIVE"},
        put_setting,
        lambda: {"value": ecr.get_account_setting(name="BASIC_SCAN_TYPE_VERSION")["value"]},
        never,
        lambda: None,
    )

    def excluded() -> Arguments | None:
        listed = ecr.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"]
        return {"principalArn": ARNS["role"]} if ARNS["role"] in listed else None

    yield Resource(
        "aws_ecr_pull_time_update_exclusion",
        {"principalArn": ARNS["role"]},
        {"principalArn": ARNS["role"]},
        lambda new: ecr.register_pull_time_update_exclusion(**new),
        excluded,
        never,
        lambda: ecr.deregister_pull_time_update_exclusion(principalArn=ARNS["role"]),
    )
    yield from of_configurations(ecr)


def of_configurations(ecr: Any) -> Iterator[Resource]:
    """Without rules, a configuration of replication or scanning counts as deleted."""

    def replicate(*rules: dict[str, Any]) -> None:
        ecr.put_replication_configuration(replicationConfiguration={"rules": list(rules)})

    def replicated() -> Arguments | None:
        rules = ecr.describe_registry()["replicationConfiguration"]["rules"]
        return rules[0] if rules else None

    def to(*regions: str) -> Arguments:
        return {"destinations": [{"region": region, "registryId": ACCOUNT} for region in regions]}

    yield Resource(
        "aws_ecr_replication_configuration",
        to("eu-west-1"),
        to("us-west-2", "eu-west-1"),
        lambda new: replicate(dict(new)),
        replicated,
        lambda new: replicate(dict(new)),
        replicate,
    )

    def scan(kind: str, *rules: dict[str, Any]) -> None:
        ecr.put_registry_scanning_configuration(scanType=kind, rules=list(rules))

    def scanned() -> Arguments | None:
        rules = ecr.get_registry_scanning_configuration()["scanningConfiguration"]["rules"]
        return rules[0] if rules else None

    def on_push(name: str) -> Arguments:
        return {"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [{"filter": name, "filterType": "WILDCARD"}]}

    yield Resource(
        "aws_ecr_registry_scanning_configuration",
        on_push("stack/*"),
        on_push("*"),
        lambda new: scan("BASIC", dict(new)),
        scanned,
        lambda new: scan("BASIC", dict(new)),
        lambda: scan("BASIC"),
    )

    def sign(new: Arguments) -> None:
        ecr.put_signing_configuration(signingConfiguration={"rules": [new]})

    def signed(name: str) -> Arguments:
        filters = [{"filter": name, "filterType": "WILDCARD_MATCH"}]
        return {"signingProfileArn": ARNS["profile"], "repositoryFilters": filters}

    yield Resource(
        "aws_ecr_signing_configuration",
        signed("stack/*"),
        signed("prod/*"),
        sign,
        lambda: ecr.get_signing_configuration()["signingConfiguration"]["rules"][0],
        sign,
        ecr.delete_signing_configuration,
    )


def of_template(ecr: Any, key: str) -> Resource:
    first = {
        "appliedFor": ["PULL_THROUGH_CACHE"],
        "customRoleArn": ARNS["role"],
        "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": key},
        "imageTagMutability": "MUTABLE",
    }

    def read() -> Arguments | None:
        found = ecr.describe_repository_creation_templates(prefixes=["hub"])["repositoryCreationTemplates"]
        return {name: found[0][name] for name in first} if found else None

    return Resource(
        "aws_ecr_repository_creation_template",
        first,
        first | {"imageTagMutability": "IMMUTABLE"},
        lambda new: ecr.create_repository_creation_template(prefix="hub", **new),
        read,
        lambda new: ecr.update_repository_creation_template(prefix="hub", **new),
        lambda: ecr.delete_repository_creation_template(prefix="hub"),
    )


def of_rule(clients: Clients) -> Resource:
    ecr, prefix = clients.ecr, {"ecrRepositoryPrefix": "hub"}

    def secret() -> str:
        arn: str = clients.secrets.describe_secret(SecretId=SECRET)["ARN"]
        return arn

    def read() -> Arguments:
        (found,) = ecr.describe_pull_through_cache_rules(ecrRepositoryPrefixes=["hub"])["pullThroughCacheRules"]
        assert found["credentialArn"] == secret()
        return {"upstreamRegistryUrl": found["upstreamRegistryUrl"]}

    upstream = {"upstreamRegistryUrl": "registry-1.docker.io"}
    return Resource(
        "aws_ecr_pull_through_cache_rule",
        upstream,
        upstream,
        lambda new: ecr.create_pull_through_cache_rule(**prefix, **new, credentialArn=secret()),
        read,
        never,
        lambda: ecr.delete_pull_through_cache_rule(**prefix, registryId=ACCOUNT),
    )
