"""Apply the declared settings of a registry, with the same use cases as the operations of ECR."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from moorage.core.declared import current, repositories
from moorage.core.declared.changes import Change, Conditions, of_document, of_value, refusals_at
from moorage.core.declared.document import (
    DeclaredRegistry,
    DeclaredReplication,
    DeclaredRule,
    DeclaredScanning,
    DeclaredTemplate,
    as_document,
    as_text,
)
from moorage.core.pull_through import rules
from moorage.core.pull_through.rules import RuleChecks
from moorage.core.registry import account_settings, policies, pulls, templates
from moorage.core.replication import configuration as replication
from moorage.core.scanning import configurations as scanning
from moorage.core.signing import on_push as signing
from moorage.domain.errors import InvalidParameter
from moorage.domain.names import Registry
from moorage.domain.pull_through.rules import Rule
from moorage.domain.pull_through.upstreams import kind_of
from moorage.domain.registry.account_settings import default_of
from moorage.domain.registry.encryption import AES256
from moorage.domain.repository_prefixes import key_of
from moorage.domain.scanning.configuration import Frequency, ScanningConfiguration, ScanningRule
from moorage.domain.signing.rules import SigningRule
from moorage.domain.units import SECOND
from moorage.metadata.database import Transaction
from moorage.metadata.pull_through import rules as rule_rows
from moorage.metadata.registry import policies as policy_rows
from moorage.metadata.registry import settings as setting_rows
from moorage.metadata.registry import templates as template_rows
from moorage.metadata.registry.templates import Template
from moorage.metadata.replication import configurations as replication_rows
from moorage.metadata.scanning import configurations as scanning_rows
from moorage.metadata.signing import configurations as signing_rows


def apply(tx: Transaction, registry: Registry, desired: DeclaredRegistry, conditions: Conditions) -> Iterator[Change]:
    """Make a registry match its declaration. Raises DeclarationRefused."""
    work = _RegistryChanges(tx, registry, desired, conditions)
    with refusals_at("registries", registry.region):
        if not conditions.limits.regions.include(registry.region):
            reason = f"The server has no registry in {registry.region}: add --extra-region {registry.region}"
            raise InvalidParameter(parameter="region", constraint=reason)
    for field, step in work.steps().items():
        with refusals_at("registries", registry.region, field):
            yield from step()
    yield from work.rules()
    yield from work.templates()
    yield from repositories.apply(tx, registry, desired.repositories, conditions)


class _RegistryChanges:
    """The changes of one registry. With `prune`, settings that the file leaves out get their defaults."""

    def __init__(self, tx: Transaction, registry: Registry, desired: DeclaredRegistry, conditions: Conditions) -> None:
        self._tx = tx
        self._registry = registry
        self._desired = desired
        self._conditions = conditions
        self._title = f"registry {registry.region}"

    def steps(self) -> dict[str, Any]:
        """The settings by their field, in the order in which they are applied."""
        return {
            "account_settings": self._account_settings,
            "scanning": self._scanning,
            "replication": self._replication,
            "signing": self._signing,
            "pull_time_exclusions": self._exclusions,
            "policy": self._policy,
        }

    def _account_settings(self) -> Iterator[Change]:
        existing = current.account_settings(self._tx, self._registry)
        desired = dict(self._desired.account_settings or {})
        if self._conditions.prune:
            desired = {name: default_of(name) for name in existing} | desired
        for name, value in desired.items():
            before = account_settings.account_setting(self._tx, self._registry, name)
            account_settings.put_account_setting(self._tx, self._registry, name, value)
            if before != value:
                yield of_value(f"{self._title}: account setting {name}", before, value)

    def _scanning(self) -> Iterator[Change]:
        desired = self._desired.scanning
        existing = scanning_rows.find(self._tx, self._registry).current
        if desired is None and not self._conditions.prune:
            return
        wanted = _configuration(desired or DeclaredScanning())
        if wanted != existing:
            scanning.put(self._tx, self._registry, wanted, self._conditions.now)
            yield self._of_setting("scanning", current.scanning_of(existing), current.scanning_of(wanted))

    def _replication(self) -> Iterator[Change]:
        desired = self._desired.replication
        existing = replication_rows.rules_of(self._tx, self._registry)
        if desired is None and not self._conditions.prune:
            return
        sent = [_as_sent(rule) for rule in desired or []]
        wanted = replication_rows.parsed(sent)
        if wanted != existing:
            replication.put(self._tx, self._registry, sent, self._conditions.now)
            yield self._of_setting(
                "replication", current.replication_of(existing) or None, current.replication_of(wanted) or None
            )

    def _signing(self) -> Iterator[Change]:
        desired = self._desired.signing
        existing = signing_rows.find(self._tx, self._registry)
        if desired is None and not self._conditions.prune:
            return
        wanted = tuple(SigningRule(rule.profile, tuple(rule.filters)) for rule in desired or [])
        if wanted == (existing or ()):
            return
        if wanted:
            signing.put(self._tx, self._registry, wanted)
        else:
            signing.delete(self._tx, self._registry)
        yield self._of_setting(
            "signing", current.signing_of(existing or ()) or None, current.signing_of(wanted) or None
        )

    def _exclusions(self) -> Iterator[Change]:
        desired = self._desired.pull_time_exclusions
        existing = setting_rows.all_pull_time_exclusions(self._tx, self._registry)
        if desired is None and not self._conditions.prune:
            return
        for principal in sorted(existing - set(desired or [])):
            pulls.include(self._tx, self._registry, principal)
            yield Change(f"- {self._title}: pull time exclusion {principal}")
        for principal in sorted(set(desired or []) - existing):
            pulls.exclude(self._tx, self._registry, principal, self._conditions.limits, self._conditions.now)
            yield Change(f"+ {self._title}: pull time exclusion {principal}")

    def _policy(self) -> Iterator[Change]:
        existing = as_document(policy_rows.find_registry_policy(self._tx, self._registry))
        if self._desired.policy is not None:
            text = policies.put_registry_policy(self._tx, self._registry, as_text(self._desired.policy))
            if as_document(text) != existing:
                yield of_document(f"{self._title}: policy", existing, as_document(text))
        elif self._conditions.prune and existing is not None:
            policies.delete_registry_policy(self._tx, self._registry)
            yield of_document(f"{self._title}: policy", existing, None)

    def _of_setting(self, name: str, before: object, after: object) -> Change:
        return of_document(f"{self._title}: {name}", before, after)

    def rules(self) -> Iterator[Change]:
        """The changes of pull-through cache rules."""
        desired, place = self._desired.pull_through_rules, ("registries", self._registry.region, "pull_through_rules")
        wanted = _by_key(desired, place)
        existing = {rule.key: rule for rule in rule_rows.list_all(self._tx, self._registry)}
        for key in sorted(existing.keys() - wanted.keys()) if self._conditions.prune else ():
            rules.delete(self._tx, self._registry, key)
            yield Change(f"- {self._rule_title(key)}")
        for prefix, declared in desired.items():
            with refusals_at(*place, prefix):
                yield from self._apply_rule(existing.get(key_of(prefix)), _rule(prefix, declared, self._conditions.now))

    def _apply_rule(self, existing: Rule | None, wanted: Rule) -> Iterator[Change]:
        title = self._rule_title(wanted.key)
        checks = RuleChecks(self._conditions.limits, self._conditions.added, self._conditions.now)
        if existing is not None and _upstream_of(existing) != _upstream_of(wanted):
            rules.delete(self._tx, self._registry, wanted.key)
            rules.create(self._tx, self._registry, wanted, checks)
            self._set_refresh(wanted)
            yield of_document(title, current.rule_of(existing), current.rule_of(wanted))
        elif existing is None:
            rules.create(self._tx, self._registry, wanted, checks)
            self._set_refresh(wanted)
            yield Change(f"+ {title}")
        else:
            fields = {"credential_arn": "credential", "role": "role"}
            values = {field: getattr(wanted, field) for field in fields}
            changed = {field: value for field, value in values.items() if value != getattr(existing, field)}
            if changed:
                rules.update(self._tx, self._registry, wanted.key, changed, checks)
            for field, value in changed.items():
                yield of_value(f"{title}: {fields[field]}", getattr(existing, field), value)
            if wanted.refresh != existing.refresh:
                self._set_refresh(wanted)
                yield of_value(f"{title}: refresh", _seconds(existing.refresh), _seconds(wanted.refresh))

    def _set_refresh(self, rule: Rule) -> None:
        rules.set_refresh(self._tx, self._registry, rule.key, rule.refresh, self._conditions.now)

    def _rule_title(self, key: str) -> str:
        return f"pull-through cache rule {key} in {self._registry.region}"

    def templates(self) -> Iterator[Change]:
        """The changes of creation templates."""
        desired, place = self._desired.templates, ("registries", self._registry.region, "templates")
        wanted = _by_key(desired, place)
        existing = {template.key: template for template in template_rows.list_all(self._tx, self._registry)}
        for key in sorted(existing.keys() - wanted.keys()) if self._conditions.prune else ():
            templates.delete(self._tx, self._registry, key)
            yield Change(f"- {self._template_title(key)}")
        for prefix, declared in desired.items():
            with refusals_at(*place, prefix):
                yield from self._apply_template(prefix, existing.get(key_of(prefix)), declared)

    def _apply_template(self, prefix: str, existing: Template | None, declared: DeclaredTemplate) -> Iterator[Change]:
        title, fields = self._template_title(key_of(prefix)), self._fields(declared)
        now, limits = self._conditions.now, self._conditions.limits
        if existing is None:
            template = Template(prefix=prefix, created_at=now, updated_at=now, **fields)
            templates.create(self._tx, self._registry, template, limits)
            yield Change(f"+ {title}")
            return
        if as_document(existing.lifecycle_policy) == declared.lifecycle_policy:
            fields["lifecycle_policy"] = existing.lifecycle_policy
        changes = {field: value for field, value in fields.items() if value != getattr(existing, field)}
        if changes:
            updated = templates.update(self._tx, self._registry, prefix, {**changes, "updated_at": now}, limits)
            yield of_document(title, current.template_of(existing), current.template_of(updated))

    def _fields(self, declared: DeclaredTemplate) -> dict[str, Any]:
        """The fields of a template, as it would store them."""
        encryption, policy, lifecycle = declared.encryption, declared.policy, declared.lifecycle_policy
        return {
            "applied_for": tuple(dict.fromkeys(declared.applied_for)),
            "description": declared.description or None,
            "tag_mutability": declared.tag_mutability,
            "exclusion_filters": tuple(declared.tag_mutability_exclusions),
            "encryption_type": encryption.type if encryption else AES256,
            "kms_key": encryption.kms_key if encryption else None,
            "resource_tags": declared.tags,
            "repository_policy": policies.checked_repository_policy(self._tx, as_text(policy)) if policy else None,
            "lifecycle_policy": as_text(lifecycle) if lifecycle else None,
            "role": declared.role or None,
        }

    def _template_title(self, key: str) -> str:
        return f"creation template {key} in {self._registry.region}"


def _by_key(desired: Mapping[str, object], place: tuple[str, ...]) -> dict[str, str]:
    """The prefixes of the file by their look-up key. Raises DeclarationRefused for a prefix that occurs twice."""
    found: dict[str, str] = {}
    for prefix in desired:
        with refusals_at(*place, prefix):
            if found.setdefault(key_of(prefix), prefix) != prefix:
                reason = f"The prefixes {found[key_of(prefix)]} and {prefix} are the same"
                raise InvalidParameter(parameter="prefix", constraint=reason)
    return found


def _configuration(declared: DeclaredScanning) -> ScanningConfiguration:
    return ScanningConfiguration(
        declared.type, tuple(ScanningRule(Frequency(rule.frequency), tuple(rule.filters)) for rule in declared.rules)
    )


def _as_sent(rule: DeclaredReplication) -> dict[str, Any]:
    """A replication rule as requests have it, and as it is stored."""
    sent: dict[str, Any] = {
        "destinations": [{"region": each.region, "registryId": each.account} for each in rule.destinations]
    }
    if rule.prefixes:
        sent["repositoryFilters"] = [{"filter": text, "filterType": "PREFIX_MATCH"} for text in rule.prefixes]
    if rule.deletions:
        sent["deleteReplication"] = {"enabled": True}
    return sent


def _rule(prefix: str, declared: DeclaredRule, now: int) -> Rule:
    return Rule(
        prefix=prefix,
        url=declared.upstream,
        kind=declared.upstream_registry,
        upstream_prefix=declared.upstream_prefix or "",
        credential_arn=declared.credential,
        role=declared.role,
        refresh=None if declared.refresh is None else declared.refresh * SECOND,
        created_at=now,
        updated_at=now,
    )


def _upstream_of(rule: Rule) -> tuple[str, str | None, str]:
    """What a rule cannot change."""
    return rule.url, kind_of(rule.url) or rule.kind, rule.upstream_key


def _seconds(refresh: int | None) -> int | None:
    return None if refresh is None else refresh // SECOND
