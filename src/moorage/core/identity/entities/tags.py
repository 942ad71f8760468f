"""Tags of users, roles, policies and identity providers. Those of users and roles are `aws:PrincipalTag`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from moorage.domain.identity.names import check_tags
from moorage.metadata.database import Transaction
from moorage.metadata.identity import accounts, policies, providers, roles
from moorage.metadata.identity.accounts import User
from moorage.metadata.identity.policies import ManagedPolicy
from moorage.metadata.identity.providers import IdentityProvider
from moorage.metadata.identity.roles import Role

Tagged = User | Role | ManagedPolicy | IdentityProvider
"""What can have tags."""


def add(tx: Transaction, entity: Tagged, tags: Mapping[str, str]) -> None:
    """Add tags, and replace those with the same keys. Keys are compared without case. Raises AccountError."""
    check_tags(tags)
    kept = _without(entity.tags, tags)
    merged = {**kept, **tags}
    check_tags(merged)
    _store(tx, entity, merged)


def replace_all(tx: Transaction, entity: Tagged, tags: Mapping[str, str]) -> None:
    """Set all tags. Raises AccountError."""
    check_tags(tags)
    _store(tx, entity, tags)


def remove(tx: Transaction, entity: Tagged, keys: Iterable[str]) -> None:
    """Remove the tags with these keys, as far as they exist."""
    _store(tx, entity, _without(entity.tags, keys))


def _without(tags: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    removed = {key.lower() for key in keys}
    return {key: value for key, value in tags.items() if key.lower() not in removed}


def _store(tx: Transaction, entity: Tagged, tags: Mapping[str, str]) -> None:
    match entity:
        case User():
            accounts.update_user(tx, replace(entity, tags=tags))
        case Role():
            roles.update_role(tx, replace(entity, tags=tags))
        case ManagedPolicy():
            policies.put_policy(tx, replace(entity, tags=tags))
        case IdentityProvider():
            providers.put_provider(tx, replace(entity, tags=tags))
