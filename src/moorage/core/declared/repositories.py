"""Apply declared repositories to a registry, with the same use cases as the operations of ECR."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from moorage.core.declared.changes import Change, Conditions, of_document, of_value, refusals_at
from moorage.core.declared.current import repository_of
from moorage.core.declared.document import DeclaredRepository, as_document, as_text
from moorage.core.lifecycle import policies as lifecycle
from moorage.core.registry import encryption, policies, repositories
from moorage.domain.errors import InvalidParameter
from moorage.domain.names import Registry, RepositoryName
from moorage.domain.registry.encryption import AES256
from moorage.metadata.database import Transaction
from moorage.metadata.registry import policies as attached
from moorage.metadata.registry import repositories as rows
from moorage.metadata.registry.repositories import Repository, RepositorySettings


def apply(
    tx: Transaction, registry: Registry, desired: Mapping[str, DeclaredRepository], conditions: Conditions
) -> Iterator[Change]:
    """Create, change and prune repositories. Raises DeclarationRefused."""
    if conditions.prune:
        yield from _prune(tx, registry, desired, conditions)
    for name, declared in desired.items():
        with refusals_at("registries", registry.region, "repositories", name):
            yield from _apply(tx, registry, name, declared, conditions)


def _prune(
    tx: Transaction, registry: Registry, desired: Mapping[str, DeclaredRepository], conditions: Conditions
) -> Iterator[Change]:
    for repository, _ in rows.all_with_policies(tx, registry):
        if repository.name in desired:
            continue
        with refusals_at("registries", registry.region, "repositories"):
            repositories.delete(tx, repository, conditions.now, force=conditions.force)
        yield Change(f"- {_title(repository)}")


def _apply(
    tx: Transaction, registry: Registry, name: str, desired: DeclaredRepository, conditions: Conditions
) -> Iterator[Change]:
    found = rows.find(tx, registry, name)
    if found is None:
        created = _create(tx, registry, name, desired, conditions)
        yield Change(f"+ {_title(created)}")
        for _ in _put_policies(tx, created, desired, DeclaredRepository(), conditions):
            pass
        return
    _require_encryption(registry, found, desired, conditions)
    existing = repository_of(tx, found, attached.find_repository_policy(tx, found.id))
    yield from _put_settings(tx, found, desired, existing)
    yield from _put_policies(tx, found, desired, existing, conditions)


def _create(
    tx: Transaction, registry: Registry, name: str, desired: DeclaredRepository, conditions: Conditions
) -> Repository:
    kind, key = _encryption(registry, desired, conditions)
    settings = RepositorySettings(
        tag_mutability=desired.tag_mutability,
        exclusion_filters=tuple(desired.tag_mutability_exclusions),
        scan_on_push=desired.scan_on_push,
        encryption_type=kind,
        kms_key=key,
    )
    new_repository = repositories.NewRepository(registry, RepositoryName.parse(name), settings, desired.tags)
    return repositories.create(tx, new_repository, conditions.limits, conditions.now)


def _encryption(registry: Registry, desired: DeclaredRepository, conditions: Conditions) -> tuple[str, str | None]:
    """The encryption type and the ARN of the key."""
    if desired.encryption is None:
        return AES256, None
    kind = desired.encryption.type
    return kind, encryption.key_of(conditions.limits.kms_keys, registry, kind, desired.encryption.kms_key)


def _require_encryption(
    registry: Registry, found: Repository, desired: DeclaredRepository, conditions: Conditions
) -> None:
    """Raises InvalidParameter if the file wants another encryption, which nothing can change."""
    if desired.encryption is None:
        return
    if _encryption(registry, desired, conditions) != (found.settings.encryption_type, found.settings.kms_key):
        reason = "The encryption of a repository cannot be changed. Delete the repository first"
        raise InvalidParameter(parameter="encryption", constraint=reason)


def _put_settings(
    tx: Transaction, repository: Repository, desired: DeclaredRepository, existing: DeclaredRepository
) -> Iterator[Change]:
    title = _title(repository)
    before = (existing.tag_mutability, existing.tag_mutability_exclusions)
    after = (desired.tag_mutability, desired.tag_mutability_exclusions)
    if before != after:
        repositories.set_tag_mutability(tx, repository, desired.tag_mutability, tuple(after[1]))
        if before[0] != after[0]:
            yield of_value(f"{title}: tag mutability", before[0], after[0])
        if before[1] != after[1]:
            yield of_value(f"{title}: tag mutability exclusions", before[1], after[1])
    if existing.scan_on_push != desired.scan_on_push:
        repositories.set_scan_on_push(tx, repository, scan_on_push=desired.scan_on_push)
        yield of_value(f"{title}: scan on push", existing.scan_on_push, desired.scan_on_push)
    if existing.tags != desired.tags:
        repositories.remove_tags(tx, repository, sorted(existing.tags.keys() - desired.tags.keys()))
        repositories.add_tags(tx, repository, desired.tags)
        yield of_document(f"{title}: tags", existing.tags or None, desired.tags or None)


def _put_policies(
    tx: Transaction,
    repository: Repository,
    desired: DeclaredRepository,
    existing: DeclaredRepository,
    conditions: Conditions,
) -> Iterator[Change]:
    title = _title(repository)
    if desired.policy is None and existing.policy is not None:
        policies.delete_repository_policy(tx, repository)
        yield of_document(f"{title}: policy", existing.policy, None)
    elif desired.policy is not None:
        text = policies.checked_repository_policy(tx, as_text(desired.policy))
        if as_document(text) != existing.policy:
            policies.set_repository_policy(tx, repository, text)
            yield of_document(f"{title}: policy", existing.policy, as_document(text))
    if desired.lifecycle_policy == existing.lifecycle_policy:
        return
    if desired.lifecycle_policy is None:
        lifecycle.delete(tx, repository)
    else:
        due_at = conditions.now + conditions.limits.lifecycle_delay
        lifecycle.put(tx, repository, as_text(desired.lifecycle_policy), due_at)
    yield of_document(f"{title}: lifecycle policy", existing.lifecycle_policy, desired.lifecycle_policy)


def _title(repository: Repository) -> str:
    return f"repository {repository.name} in {repository.registry.region}"
