"""The current state as a declaration: what `apply` compares a file with, and what an export writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
    as_document,
)
from moorage.core.identity.accounts import require_account
from moorage.core.identity.apply import DesiredProvider, DesiredRole, DesiredUser
from moorage.core.identity.policies import Identity
from moorage.domain.identity.callers import ROOT
from moorage.domain.names import Registry
from moorage.domain.pull_through.rules import Rule
from moorage.domain.registry.account_settings import VALUES, default_of
from moorage.domain.registry.encryption import AES256
from moorage.domain.replication.rules import Rule as ReplicationRule
from moorage.domain.scanning.configuration import ScanningConfiguration
from moorage.domain.signing.rules import SigningRule
from moorage.domain.units import SECOND
from moorage.metadata.database import Transaction
from moorage.metadata.identity import accounts as users
from moorage.metadata.identity import policies as identity_policies
from moorage.metadata.identity import providers, roles
from moorage.metadata.lifecycle import policies as lifecycle_policies
from moorage.metadata.pull_through import rules
from moorage.metadata.registry import policies, regions, repositories, settings, templates
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.registry.templates import Template
from moorage.metadata.replication import configurations as replication
from moorage.metadata.scanning import configurations as scanning
from moorage.metadata.signing import configurations as signing


def declaration_of(tx: Transaction, account: str) -> Declaration:
    """All that a declaration can say about an account. Raises AccountError."""
    require_account(tx, account)
    managed = identity_policies.list_policies(tx, account)
    return Declaration(
        account=account,
        policies={_key(policy.name.path, policy.name.name): as_document(policy.document) or {} for policy in managed},
        users={user.name: _user(tx, user) for user in users.list_users(tx, account) if user.name != ROOT},
        roles={role.name: _role(tx, role) for role in roles.list_roles(tx, account)},
        oidc_providers={
            provider.issuer: DesiredProvider(
                audiences=list(provider.audiences), keys=as_document(provider.key_set) or {}
            )
            for provider in providers.list_providers(tx, account)
        },
        registries={
            region: registry_settings(tx, Registry(account, region)) for region in regions.of_account(tx, account)
        },
    )


def registry_settings(tx: Transaction, registry: Registry) -> DeclaredRegistry:
    """A registry with everything in it."""
    return DeclaredRegistry(
        account_settings=account_settings(tx, registry) or None,
        policy=as_document(policies.find_registry_policy(tx, registry)),
        scanning=scanning_of(scanning.find(tx, registry).current),
        signing=signing_of(signing.find(tx, registry) or ()) or None,
        replication=replication_of(replication.rules_of(tx, registry)) or None,
        pull_time_exclusions=sorted(settings.all_pull_time_exclusions(tx, registry)) or None,
        pull_through_rules={rule.prefix: rule_of(rule) for rule in rules.list_all(tx, registry)},
        templates={template.prefix: template_of(template) for template in templates.list_all(tx, registry)},
        repositories=_repositories(tx, registry),
    )


def account_settings(tx: Transaction, registry: Registry) -> dict[str, str]:
    """The settings that differ from their defaults."""
    values = {name: settings.account_setting(tx, registry, name) for name in VALUES}
    return {name: value for name, value in values.items() if value != default_of(name)}


def repository_of(tx: Transaction, repository: Repository, policy: str | None) -> DeclaredRepository:
    """A repository with this policy."""
    found = repository.settings
    lifecycle = lifecycle_policies.find(tx, repository.id)
    return DeclaredRepository(
        tag_mutability=found.tag_mutability,
        tag_mutability_exclusions=list(found.exclusion_filters),
        scan_on_push=found.scan_on_push,
        encryption=_encryption(found.encryption_type, found.kms_key),
        policy=as_document(policy),
        lifecycle_policy=as_document(lifecycle.text) if lifecycle else None,
        tags=repositories.resource_tags(tx, repository),
    )


def template_of(template: Template) -> DeclaredTemplate:
    return DeclaredTemplate(
        applied_for=list(template.applied_for),
        description=template.description,
        tag_mutability=template.tag_mutability,
        tag_mutability_exclusions=list(template.exclusion_filters),
        encryption=_encryption(template.encryption_type, template.kms_key),
        policy=as_document(template.repository_policy),
        lifecycle_policy=as_document(template.lifecycle_policy),
        tags=dict(template.resource_tags),
        role=template.role,
    )


def rule_of(rule: Rule) -> DeclaredRule:
    return DeclaredRule(
        upstream=rule.url,
        upstream_registry=rule.kind,
        upstream_prefix=rule.upstream_prefix or None,
        credential=rule.credential_arn,
        role=rule.role,
        refresh=None if rule.refresh is None else rule.refresh // SECOND,
    )


def scanning_of(found: ScanningConfiguration) -> DeclaredScanning | None:
    """A scanning configuration; None for the default one."""
    if found == ScanningConfiguration():
        return None
    return DeclaredScanning(
        type=found.scan_type,
        rules=[DeclaredScanRule(frequency=rule.frequency.value, filters=list(rule.filters)) for rule in found.rules],
    )


def signing_of(found: Sequence[SigningRule]) -> list[DeclaredSigning]:
    return [DeclaredSigning(profile=rule.profile, filters=list(rule.filters)) for rule in found]


def replication_of(found: Sequence[ReplicationRule]) -> list[DeclaredReplication]:
    return [
        DeclaredReplication(
            destinations=[Destination(region=each.region, account=each.account) for each in rule.destinations],
            prefixes=list(rule.prefixes),
            deletions=rule.replicates_deletions,
        )
        for rule in found
    ]


def _encryption(kind: str, key: str | None) -> Encryption | None:
    return None if kind == AES256 else Encryption(type=kind, kms_key=key)


def _repositories(tx: Transaction, registry: Registry) -> dict[str, DeclaredRepository]:
    found = repositories.all_with_policies(tx, registry)
    return {repository.name: repository_of(tx, repository, policy) for repository, policy in found}


def _user(tx: Transaction, user: users.User) -> DesiredUser:
    return DesiredUser(**_identity(tx, user), path=user.path, tags=dict(user.tags))


def _role(tx: Transaction, role: roles.Role) -> DesiredRole:
    return DesiredRole(
        **_identity(tx, role),
        path=role.path,
        tags=dict(role.tags),
        trust=as_document(role.trust_policy) or {},
        max_session=role.max_session_seconds,
        description=role.description,
    )


def _identity(tx: Transaction, identity: Identity) -> dict[str, Any]:
    """The policies of a user or role. Policies of other accounts and those of AWS have their ARN or plain name."""
    found = identity_policies.policies_of(tx, identity.id)
    return {
        "policies": sorted(policy.name for policy, _ in found.attached),
        "inline": {name: as_document(text) for name, text in found.inline},
    }


def _key(path: str, name: str) -> str:
    return name if path == "/" else f"{path}{name}"
