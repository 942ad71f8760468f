"""Creation templates: the settings of repositories that are created by a push instead of CreateRepository.

Of the templates for an occasion, the one with the longest matching prefix applies, and otherwise ROOT's. A template is
checked when it is created or updated, as far as possible.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from moorage.core.limits import Limits
from moorage.core.reactions import Reactions, RepositoryCreatedFromTemplate, react
from moorage.core.registry import encryption, policies, repositories
from moorage.domain.errors import Validation
from moorage.domain.lifecycle import policy as lifecycle_policy
from moorage.domain.names import Registry, RepositoryName
from moorage.domain.registry import resource_tags
from moorage.domain.registry.encryption import KmsKeys
from moorage.domain.registry.errors import (
    InvalidTagParameter,
    Kms,
    RepositoryNotFound,
    TemplateAlreadyExists,
    TemplateNotFound,
    TooManyTags,
)
from moorage.domain.repository_prefixes import ROOT, key_of, prefixes_of
from moorage.metadata.database import Transaction
from moorage.metadata.registry import policies as attached
from moorage.metadata.registry import repositories as rows
from moorage.metadata.registry import templates
from moorage.metadata.registry.repositories import Repository, RepositorySettings
from moorage.metadata.registry.templates import Template

CREATE_ON_PUSH: Final = "CREATE_ON_PUSH"
PULL_THROUGH_CACHE: Final = "PULL_THROUGH_CACHE"
REPLICATION: Final = "REPLICATION"
"""The occasions: a push to a repository that does not exist, a first pull from an upstream registry, a replication."""

_ROLE = re.compile(r"arn:aws:iam::\d{12}:role/.+", re.ASCII)


def create(tx: Transaction, registry: Registry, template: Template, limits: Limits) -> Template:
    """Create a template; returns it as stored.

    Raises TemplateAlreadyExists, LimitExceeded, Validation, InvalidParameter.
    """
    _check(template, registry, limits.kms_keys)
    template = _with_policy(tx, template)
    if not templates.insert(tx, registry, template):
        raise TemplateAlreadyExists(prefix=template.prefix, registry=registry.account)
    limits.quotas.check("creation_templates", len(templates.list_all(tx, registry)))
    return template


def update(tx: Transaction, registry: Registry, prefix: str, changes: dict[str, Any], limits: Limits) -> Template:
    """Change the given fields; returns the updated template.

    A mutability without exclusions deletes the exclusion filters. Raises TemplateNotFound, Validation,
    InvalidParameter.
    """
    existing = get(tx, registry, prefix)
    if not changes.get("tag_mutability", "_WITH_EXCLUSION").endswith("_WITH_EXCLUSION"):
        changes = {"exclusion_filters": (), **changes}
    template = replace(existing, **changes)
    _check(template, registry, limits.kms_keys)
    if "repository_policy" in changes:
        template = _with_policy(tx, template)
    templates.update(tx, registry, template)
    return template


def get(tx: Transaction, registry: Registry, prefix: str) -> Template:
    """Raises TemplateNotFound."""
    found = templates.find(tx, registry, prefix)
    if found is None:
        raise TemplateNotFound(prefix=prefix, registry=registry.account)
    return found


def delete(tx: Transaction, registry: Registry, prefix: str) -> Template:
    """Delete a template; returns it. Repositories created from it do not change. Raises TemplateNotFound."""
    found = get(tx, registry, prefix)
    templates.delete(tx, registry, prefix)
    return found


def find_by_prefixes(tx: Transaction, registry: Registry, prefixes: list[str]) -> list[Template]:
    """The templates with these prefixes; for a prefix without a template, the templates below it.

    The example of the API reference requests `eng` and returns `eng/test`. Terraform requests one prefix, and treats
    more than one result as an error.
    """
    existing = templates.list_all(tx, registry)
    selected: set[str] = set()
    for prefix in map(key_of, prefixes):
        keys = {template.key for template in existing if f"{template.key}/".startswith(f"{prefix}/")}
        selected |= keys & {prefix} or keys
    return [template for template in existing if template.key in selected]


def matching(tx: Transaction, registry: Registry, name: RepositoryName, occasion: str) -> Template | None:
    """The template that applies to a repository with this name on this occasion."""
    for prefix in prefixes_of(name):
        template = templates.find(tx, registry, prefix)
        if template is not None and occasion in template.applied_for:
            return template
    return None


def create_on_push(
    tx: Transaction, registry: Registry, name: RepositoryName, limits: Limits, reactions: Reactions, now: int
) -> tuple[Repository, bool]:
    """The repository of a push, and whether it was created: from its template, if it did not exist.

    If two pushes race, the second finds the repository of the first. Raises RepositoryNotFound without a template,
    LimitExceeded, and Kms for a key that the server no longer accepts.
    """
    found = rows.find(tx, registry, name)
    if found is not None:
        return found, False
    template = matching(tx, registry, name, CREATE_ON_PUSH)
    if template is None:
        raise RepositoryNotFound(repository=name, registry=registry.account)
    return _create_from(tx, registry, name, template, Creation(limits, reactions, now)), True


@dataclass(frozen=True, slots=True)
class Creation:
    """The limits of a new repository, the reactions to it, and its time."""

    limits: Limits
    reactions: Reactions
    now: int


def create_without_push(
    tx: Transaction, registry: Registry, name: RepositoryName, occasion: str, creation: Creation
) -> Repository:
    """Create a repository for replication or a pull-through cache: from its template, or with the defaults of ECR.

    Raises RepositoryAlreadyExists, LimitExceeded, and Kms for a key that the server no longer accepts.
    """
    template = matching(tx, registry, name, occasion)
    if template is None:
        return repositories.create_checked(
            tx, repositories.NewRepository(registry, name), creation.limits, creation.now
        )
    return _create_from(tx, registry, name, template, creation)


def _create_from(
    tx: Transaction, registry: Registry, name: RepositoryName, template: Template, creation: Creation
) -> Repository:
    keys = creation.limits.kms_keys
    settings = RepositorySettings(
        tag_mutability=template.tag_mutability,
        exclusion_filters=template.exclusion_filters,
        encryption_type=template.encryption_type,
        kms_key=encryption.key_of(keys, registry, template.encryption_type, template.kms_key),
    )
    new_repository = repositories.NewRepository(registry, name, settings, template.resource_tags)
    repository = repositories.create_checked(tx, new_repository, creation.limits, creation.now)
    if template.repository_policy is not None:
        attached.put_repository_policy(tx, repository.id, template.repository_policy)
    change = RepositoryCreatedFromTemplate(repository, template, creation.now)
    react(tx, creation.reactions.repository_created_from_template, change)
    return repository


def names_below(prefix: str) -> str:
    """The names that a template with this prefix can apply to, as a pattern."""
    key = key_of(prefix)
    return "*" if key == ROOT else f"{key}/*"


def _with_policy(tx: Transaction, template: Template) -> Template:
    """The template with its repository policy in the stored form. Raises InvalidParameter."""
    if template.repository_policy is None:
        return template
    return replace(template, repository_policy=policies.checked_repository_policy(tx, template.repository_policy))


def _check(template: Template, registry: Registry, keys: KmsKeys) -> None:
    """Check what CreateRepository checks, with the same texts, but with the errors of operations on templates."""
    if not template.applied_for:
        raise Validation(reason="appliedFor must name at least one occasion")
    if template.role is not None and _ROLE.fullmatch(template.role) is None:
        raise Validation(reason=f"customRoleArn '{template.role}' is not the ARN of a role")
    repositories.check_mutability(template.tag_mutability, template.exclusion_filters)
    try:
        resource_tags.check(template.resource_tags)
        encryption.key_of(keys, registry, template.encryption_type, template.kms_key)
    except (InvalidTagParameter, TooManyTags, Kms) as refusal:
        raise Validation(reason=str(refusal)) from None
    if template.lifecycle_policy is not None:
        lifecycle_policy.parse(template.lifecycle_policy)
