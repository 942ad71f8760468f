"""The registry of an account of AWS, read with botocore: its settings as a declaration, and its images."""

from __future__ import annotations

import asyncio
import base64
import importlib
import importlib.util
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import msgspec

from moorage.core.declared.document import (
    Declaration,
    DeclaredRegistry,
    DeclaredReplication,
    DeclaredRepository,
    DeclaredRule,
    DeclaredScanning,
    DeclaredScanRule,
    DeclaredSigning,
    DeclaredTemplate,
    Destination,
    Encryption,
)
from moorage.domain import strict_json
from moorage.domain.image_sources import RootImage
from moorage.domain.registry.account_settings import VALUES
from moorage.domain.remote_registries import RemoteAddress, UserCredentials

_MISSING: Final = "NotFoundException"


class EcrMissing(Exception):
    """botocore is not installed, or ECR refuses a request. The text says which."""


class EcrAccount:
    """The registry of the account to which the AWS credentials of the environment belong."""

    def __init__(self, region: str, endpoint: str | None) -> None:
        if importlib.util.find_spec("botocore") is None:
            raise EcrMissing("reading an account needs botocore: install moorage[cli]")
        session = importlib.import_module("botocore.session").get_session()
        self._errors = importlib.import_module("botocore.exceptions")
        self._ecr = session.create_client("ecr", region_name=region, endpoint_url=endpoint)
        self._has_endpoint = endpoint is not None
        data = self._call("get_authorization_token")["authorizationData"][0]
        user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
        self.id: str = self._call("describe_registry")["registryId"]
        self.region = region
        self._login = UserCredentials(user, password)
        self._url: str = data["proxyEndpoint"]

    @property
    def address(self) -> RemoteAddress:
        """Where the images are."""
        return RemoteAddress(self._url, self._login, private_networks=self._has_endpoint)

    def repositories(self) -> list[str]:
        """The names of all repositories."""
        return [each["repositoryName"] for each in self._pages("describe_repositories", "repositories")]

    async def images(self, repository: str) -> AsyncIterator[RootImage]:
        """All images of a repository with their tags, untagged ones too."""
        listed = await asyncio.to_thread(
            lambda: list(self._pages("list_images", "imageIds", repositoryName=repository))
        )
        tags: dict[str, list[str]] = {}
        for each in listed:
            of_digest = tags.setdefault(each["imageDigest"], [])
            if "imageTag" in each:
                of_digest.append(each["imageTag"])
        for digest, names in tags.items():
            yield RootImage(digest, tuple(names))

    def declarations(self, account: str, region: str) -> Iterator[tuple[str, Declaration]]:
        """The settings for an account and Region here, in parts with a title: each can be refused alone.

        In policies and ARNs, that account takes the place of the one of AWS.
        """
        for title, registry in self._parts():
            declared = Declaration(account=account, registries={region: registry})
            yield title, _moved(declared, self.id, account)

    def _parts(self) -> Iterator[tuple[str, DeclaredRegistry]]:
        yield "account settings", DeclaredRegistry(account_settings=self._account_settings())
        scanning = self._call("get_registry_scanning_configuration")["scanningConfiguration"]
        yield "scanning configuration", DeclaredRegistry(scanning=_scanning(scanning))
        rules = self._call("describe_registry")["replicationConfiguration"]["rules"]
        yield "replication configuration", DeclaredRegistry(replication=[_replication(rule) for rule in rules])
        signing = self._found("get_signing_configuration")
        if signing is not None:
            yield "signing configuration", DeclaredRegistry(signing=_signing(signing["signingConfiguration"]))
        policy = self._found("get_registry_policy")
        if policy is not None:
            yield "registry policy", DeclaredRegistry(policy=strict_json.read(policy["policyText"]))
        for rule in self._pages("describe_pull_through_cache_rules", "pullThroughCacheRules"):
            prefix = rule["ecrRepositoryPrefix"]
            yield f"pull-through cache rule {prefix}", DeclaredRegistry(pull_through_rules={prefix: _rule(rule)})
        for template in self._pages("describe_repository_creation_templates", "repositoryCreationTemplates"):
            prefix = template["prefix"]
            yield f"creation template {prefix}", DeclaredRegistry(templates={prefix: _template(template)})
        for repository in self._pages("describe_repositories", "repositories"):
            name = repository["repositoryName"]
            yield f"repository {name}", DeclaredRegistry(repositories={name: self._repository(repository)})

    def _account_settings(self) -> dict[str, str]:
        return {name: self._call("get_account_setting", name=name)["value"] for name in VALUES}

    def _repository(self, found: dict[str, Any]) -> DeclaredRepository:
        name = found["repositoryName"]
        policy = self._found("get_repository_policy", repositoryName=name)
        lifecycle = self._found("get_lifecycle_policy", repositoryName=name)
        tags = self._call("list_tags_for_resource", resourceArn=found["repositoryArn"])["tags"]
        return DeclaredRepository(
            **_settings(found),
            scan_on_push=found.get("imageScanningConfiguration", {}).get("scanOnPush", False),
            policy=strict_json.read(policy["policyText"]) if policy else None,
            lifecycle_policy=strict_json.read(lifecycle["lifecyclePolicyText"]) if lifecycle else None,
            tags={tag["Key"]: tag["Value"] for tag in tags if not tag["Key"].startswith("aws:")},
        )

    def _pages(self, operation: str, member: str, **request: Any) -> Iterator[dict[str, Any]]:
        token: dict[str, str] = {}
        while True:
            page = self._call(operation, **request, **token)
            yield from page[member]
            if "nextToken" not in page:
                return
            token = {"nextToken": page["nextToken"]}

    def _found(self, operation: str, **request: Any) -> dict[str, Any] | None:
        """The answer; None if ECR says that there is no such thing."""
        try:
            return self._request(operation, request)
        except self._errors.ClientError as error:
            if error.response["Error"]["Code"].endswith(_MISSING):
                return None
            raise EcrMissing(str(error)) from None

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        """Raises EcrMissing."""
        try:
            return self._request(operation, request)
        except (self._errors.ClientError, self._errors.BotoCoreError) as error:
            raise EcrMissing(str(error)) from None

    def _request(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(self._ecr, operation)(**request)
        return answer


def _moved(declared: Declaration, source: str, target: str) -> Declaration:
    """The declaration with another account in its policies and ARNs."""
    return strict_json.read_as(Declaration, msgspec.json.encode(declared).decode().replace(source, target))


def _settings(found: dict[str, Any]) -> dict[str, Any]:
    """What repositories and templates have in common."""
    encryption = found.get("encryptionConfiguration", {"encryptionType": "AES256"})
    is_plain = encryption["encryptionType"] == "AES256"
    return {
        "tag_mutability": found.get("imageTagMutability", "MUTABLE"),
        "tag_mutability_exclusions": _filters(found.get("imageTagMutabilityExclusionFilters", [])),
        "encryption": None
        if is_plain
        else Encryption(type=encryption["encryptionType"], kms_key=encryption.get("kmsKey")),
    }


def _filters(found: list[dict[str, str]]) -> list[str]:
    return [each["filter"] for each in found]


def _template(found: dict[str, Any]) -> DeclaredTemplate:
    policy, lifecycle = found.get("repositoryPolicy"), found.get("lifecyclePolicy")
    return DeclaredTemplate(
        **_settings(found),
        applied_for=found["appliedFor"],
        description=found.get("description"),
        role=found.get("customRoleArn"),
        policy=strict_json.read(policy) if policy else None,
        lifecycle_policy=strict_json.read(lifecycle) if lifecycle else None,
        tags={tag["Key"]: tag["Value"] for tag in found.get("resourceTags", [])},
    )


def _rule(found: dict[str, Any]) -> DeclaredRule:
    return DeclaredRule(
        upstream=found["upstreamRegistryUrl"],
        upstream_registry=found.get("upstreamRegistry"),
        upstream_prefix=found.get("upstreamRepositoryPrefix"),
        credential=found.get("credentialArn"),
        role=found.get("customRoleArn"),
    )


def _scanning(found: dict[str, Any]) -> DeclaredScanning:
    rules = [
        DeclaredScanRule(frequency=rule["scanFrequency"], filters=_filters(rule["repositoryFilters"]))
        for rule in found["rules"]
    ]
    return DeclaredScanning(type=found["scanType"], rules=rules)


def _replication(found: dict[str, Any]) -> DeclaredReplication:
    return DeclaredReplication(
        destinations=[Destination(region=each["region"], account=each["registryId"]) for each in found["destinations"]],
        prefixes=_filters(found.get("repositoryFilters", [])),
        deletions=found.get("deleteReplication", {}).get("enabled", False),
    )


def _signing(found: dict[str, Any]) -> list[DeclaredSigning]:
    return [
        DeclaredSigning(profile=rule["signingProfileArn"], filters=_filters(rule.get("repositoryFilters", [])))
        for rule in found["rules"]
    ]
