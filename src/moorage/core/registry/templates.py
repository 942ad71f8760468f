"""Repository creation templates: what a repository gets that comes to be without CreateRepository.

Of the templates for an occasion the one with the longest prefix of the name counts, and ROOT's where none fits. What is
wrong with a template is told when it is put, as far as it can be known by then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from moorage.core.limits import Limits
from moorage.core.reactions import Reactions, RepositoryCreatedFromTemplate, react
from moorage.core.registry import encryption, policies, repositories
from moorage.domain.errors import (
    InvalidTagParameter,
    Kms,
    RepositoryNotFound,
    TemplateAlreadyExists,
    TemplateNotFound,
    TooManyTags,
    Validation,
)
from moorage.domain.lifecycle import policy as lifecycle_policy
from moorage.domain.names import Registry, RepositoryName
from moorage.domain.registry.encryption import KmsKeys
from moorage.metadata.database import Transaction
from moorage.metadata.registry import policies as attached
from moorage.metadata.registry import repositories as rows
from moorage.metadata.registry import templates
from moorage.metadata.registry.repositories import Repository, RepositorySettings
from moorage.metadata.registry.templates import Template

CREATE_ON_PUSH: Final = "CREATE_ON_PUSH"
"""The occasion of a push to a repository that does not exist."""

ROOT: Final = "ROOT"
"""The prefix that stands for every name."""

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.+", re.ASCII)


def create(tx: Transaction, registry: Registry, template: Template, limits: Limits) -> Template:
    """The template as it is kept. Raises TemplateAlreadyExists, LimitExceeded, Validation, InvalidParameter."""
    _check(template, registry, limits.kms_keys)
    template = _with_policy(tx, template)
    if not templates.insert(tx, registry, template):
        raise TemplateAlreadyExists(prefix=template.prefix, registry=registry.account)
    limits.quotas.check("creation_templates", len(templates.list_all(tx, registry)))
    return template


def update(tx: Transaction, registry: Registry, prefix: str, changes: dict[str, Any], limits: Limits) -> Template:
    """Change the fields that are given, and return the template as it is then.

    A mutability without exclusions drops those that were there. Raises TemplateNotFound, Validation, InvalidParameter.
    """
    known = get(tx, registry, prefix)
    if not changes.get("tag_mutability", "_WITH_EXCLUSION").endswith("_WITH_EXCLUSION"):
        changes = {"exclusion_filters": (), **changes}
    template = replace(known, **changes)
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
    """The template that was there; repositories that it made stay as they are. Raises TemplateNotFound."""
    found = get(tx, registry, prefix)
    templates.delete(tx, registry, prefix)
    return found


def named(tx: Transaction, registry: Registry, prefixes: list[str]) -> list[Template]:
    """The templates of these prefixes; of one that has none, the templates below it.

    The example of the API reference asks for `eng` and shows `eng/test`. Terraform asks for one prefix and takes more
    than one answer for an error.
    """
    known = templates.list_all(tx, registry)
    wanted: set[str] = set()
    for prefix in map(templates.key_of, prefixes):
        keys = {template.key for template in known if f"{template.key}/".startswith(f"{prefix}/")}
        wanted |= keys & {prefix} or keys
    return [template for template in known if template.key in wanted]


def matching(tx: Transaction, registry: Registry, name: RepositoryName, occasion: str) -> Template | None:
    """The template that counts for a repository of this name on this occasion."""
    for prefix in _prefixes(name):
        template = templates.find(tx, registry, prefix)
        if template is not None and occasion in template.applied_for:
            return template
    return None


def create_on_push(
    tx: Transaction, registry: Registry, name: RepositoryName, limits: Limits, reactions: Reactions, now: int
) -> tuple[Repository, bool]:
    """The repository that a push goes to, created from its template if it does not exist, and whether it was created.

    Of two pushes at the same time the second finds what the first has made. Raises RepositoryNotFound without a
    template, LimitExceeded, and Kms for a key that the server no longer accepts.
    """
    found = rows.find(tx, registry, name)
    if found is not None:
        return found, False
    template = matching(tx, registry, name, CREATE_ON_PUSH)
    if template is None:
        raise RepositoryNotFound(repository=name, registry=registry.account)
    settings = RepositorySettings(
        tag_mutability=template.tag_mutability,
        exclusion_filters=template.exclusion_filters,
        encryption_type=template.encryption_type,
        kms_key=encryption.key_of(limits.kms_keys, registry, template.encryption_type, template.kms_key),
    )
    new_repository = repositories.NewRepository(registry, name, settings, template.resource_tags)
    repository = repositories.create(tx, new_repository, limits, now)
    if template.repository_policy is not None:
        attached.put_repository_policy(tx, repository.id, template.repository_policy)
    change = RepositoryCreatedFromTemplate(repository, template, now)
    react(tx, reactions.repository_created_from_template, change)
    return repository, True


def _prefixes(name: str) -> Iterator[str]:
    """Every prefix that ends before a slash of the name, the longest first, and then ROOT."""
    parts = name.split("/")
    for count in range(len(parts) - 1, 0, -1):
        yield "/".join(parts[:count])
    yield ROOT


def _with_policy(tx: Transaction, template: Template) -> Template:
    """The template with its repository policy as repositories keep it. Raises InvalidParameter."""
    if template.repository_policy is None:
        return template
    return replace(template, repository_policy=policies.checked_repository_policy(tx, template.repository_policy))


def _check(template: Template, registry: Registry, keys: KmsKeys) -> None:
    """What CreateRepository refuses, in the words of it and by the error that operations on templates have."""
    if not template.applied_for:
        raise Validation(reason="appliedFor must name at least one occasion")
    if template.role is not None and _ROLE.fullmatch(template.role) is None:
        raise Validation(reason=f"customRoleArn '{template.role}' is not the ARN of a role")
    repositories.check_mutability(template.tag_mutability, template.exclusion_filters)
    try:
        repositories.check_tags(template.resource_tags)
        encryption.key_of(keys, registry, template.encryption_type, template.kms_key)
    except (InvalidTagParameter, TooManyTags, Kms) as refusal:
        raise Validation(reason=str(refusal)) from None
    if template.lifecycle_policy is not None:
        lifecycle_policy.parse(template.lifecycle_policy)
