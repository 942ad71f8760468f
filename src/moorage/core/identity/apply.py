"""Apply declared identities to an account: change what differs, and report each change in one line.

Afterwards each identity in the file has exactly the policies that the file gives it. Identities that the file does
not name stay, unless `prune` is set. Access keys are never in the file, because they are secrets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from moorage.core.identity import accounts, roles
from moorage.core.identity import policies as identity_policies
from moorage.core.identity.entities import providers, tags
from moorage.core.identity.entities.tags import Tagged
from moorage.core.identity.policies import Identity, policy_name
from moorage.domain.identity.callers import ROOT
from moorage.domain.identity.errors import AccountError
from moorage.metadata.database import Transaction
from moorage.metadata.identity import accounts as identities
from moorage.metadata.identity import policies as policy_rows
from moorage.metadata.identity import providers as identity_providers
from moorage.metadata.identity import roles as role_rows
from moorage.metadata.identity.policies import PolicyName
from moorage.metadata.identity.providers import IdentityProvider
from moorage.metadata.identity.roles import Role

Document = dict[str, Any]
"""A policy document, as parsed from the file."""


class DesiredUser(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A user: the names or ARNs of its managed policies, its inline policies, its path and tags."""

    policies: list[str] = []
    inline: dict[str, Document] = {}
    path: str = "/"
    tags: dict[str, str] = {}


class DesiredRole(DesiredUser, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A role; `max_session` in seconds."""

    trust: Document
    max_session: int = 3600
    description: str = ""


class DesiredProvider(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """An identity provider. `keys` is its JWK set; `keys_file` is a file with it, relative to the declaration."""

    audiences: list[str]
    keys: Document | None = None
    keys_file: str | None = None


class DesiredState(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """The identities of one account. The key of a policy is its name, after its path if it has one: `/ci/push`."""

    account: str | None = None
    policies: dict[str, Document] = {}
    users: dict[str, DesiredUser] = {}
    roles: dict[str, DesiredRole] = {}
    oidc_providers: dict[str, DesiredProvider] = {}


def apply_state(tx: Transaction, account: str, desired: DesiredState, now: int, *, prune: bool) -> list[str]:
    """Make the account match the file, all in one transaction. Raises AccountError.

    Returns a line for each change: `+` created, `~` changed, `-` deleted.
    """
    accounts.require_account(tx, account)
    return [
        *_apply_policies(tx, account, desired.policies, now),
        *_apply_providers(tx, account, desired.oidc_providers, now),
        *_apply_users(tx, account, desired.users, now),
        *_apply_roles(tx, account, desired.roles, now),
        *(_prune(tx, account, desired) if prune else ()),
    ]


def _apply_policies(tx: Transaction, account: str, desired: Mapping[str, Document], now: int) -> Iterator[str]:
    existing = {policy.name.name: policy.document for policy in policy_rows.list_policies(tx, account)}
    for key, document in desired.items():
        policy = policy_of_key(account, key)
        if _is_same(existing.get(policy.name), document):
            continue
        identity_policies.put_policy(tx, policy, _text(document), now)
        yield f"~ policy {policy.name}" if policy.name in existing else f"+ policy {policy.name}"


def policy_of_key(account: str, key: str) -> PolicyName:
    """The policy that a key of `DesiredState.policies` names."""
    path, _, name = key.rpartition("/")
    return PolicyName(account, name, f"{path}/") if path else PolicyName(account, key)


def _apply_providers(tx: Transaction, account: str, desired: Mapping[str, DesiredProvider], now: int) -> Iterator[str]:
    for issuer, provider in desired.items():
        existing = identity_providers.find_provider(tx, account, issuer)
        keys = provider.keys or {}
        audiences = tuple(provider.audiences)
        if existing is not None and existing.audiences == audiences and _is_same(existing.key_set, keys):
            continue
        providers.put_provider(tx, IdentityProvider(account, issuer, audiences, _text(keys), now))
        yield f"+ oidc provider {issuer}" if existing is None else f"~ oidc provider {issuer}"


def _apply_users(tx: Transaction, account: str, desired: Mapping[str, DesiredUser], now: int) -> Iterator[str]:
    for name, desired_user in desired.items():
        user = identities.find_user(tx, account, name)
        if user is None:
            user = accounts.create_user(tx, account, name, now, desired_user.path, desired_user.tags)
            yield f"+ user {name}"
        elif user.path != desired_user.path:
            user = accounts.rename_user(tx, user, name, desired_user.path)
            yield f"~ user {name}: path {user.path}"
        yield from _apply_tags(tx, user, desired_user.tags, f"user {name}")
        yield from _apply_identity(tx, user, desired_user, f"user {name}")


def _apply_roles(tx: Transaction, account: str, desired: Mapping[str, DesiredRole], now: int) -> Iterator[str]:
    """Create missing roles before setting any trust policy, because a trust policy can name roles of the file."""
    missing = [name for name in desired if role_rows.find_role(tx, account, name) is None]
    for name in missing:
        roles.create_role(tx, _new_role(account, name, desired[name], now))
        yield f"+ role {name}"
    for name, desired_role in desired.items():
        role = roles.get_role(tx, account, name)
        if name in missing:
            roles.change_role(tx, replace(role, trust_policy=_text(desired_role.trust)))
        else:
            yield from _change_role(tx, role, desired_role)
            yield from _apply_tags(tx, roles.get_role(tx, account, name), desired_role.tags, f"role {name}")
        yield from _apply_identity(tx, role, desired_role, f"role {name}")


def _new_role(account: str, name: str, desired: DesiredRole, now: int) -> Role:
    return Role(
        id="",
        account=account,
        name=name,
        path=desired.path,
        trust_policy=roles.TRUSTING_NOBODY,
        max_session_seconds=desired.max_session,
        created_at=now,
        description=desired.description,
        tags=desired.tags,
    )


def _change_role(tx: Transaction, role: Role, desired: DesiredRole) -> Iterator[str]:
    if role.path != desired.path:
        raise AccountError(f"the path of a role cannot be changed: delete role {role.name!r} first")
    if not _is_same(role.trust_policy, desired.trust):
        role = replace(role, trust_policy=_text(desired.trust))
        roles.change_role(tx, role)
        yield f"~ role {role.name}: trust policy"
    if role.max_session_seconds != desired.max_session:
        role = replace(role, max_session_seconds=desired.max_session)
        roles.change_role(tx, role)
        yield f"~ role {role.name}: maximum session duration {desired.max_session} s"
    if role.description != desired.description:
        roles.change_role(tx, replace(role, description=desired.description))
        yield f"~ role {role.name}: description"


def _apply_tags(tx: Transaction, entity: Tagged, desired: Mapping[str, str], title: str) -> Iterator[str]:
    if dict(entity.tags) != dict(desired):
        tags.replace_all(tx, entity, desired)
        yield f"~ {title}: tags"


def _apply_identity(tx: Transaction, identity: Identity, desired: DesiredUser, title: str) -> Iterator[str]:
    """Remove surplus policies before adding missing ones, so that the limit allows replacing one by another."""
    existing = policy_rows.policies_of(tx, identity.id)
    attached, inline = {policy for policy, _ in existing.attached}, dict(existing.inline)
    names = {policy_name(identity.account, text) for text in desired.policies}
    for policy in sorted(attached - names):
        identity_policies.detach(tx, identity, policy)
        yield f"- {title}: policy {policy.name}"
    for name in sorted(inline.keys() - desired.inline.keys()):
        identity_policies.delete_inline(tx, identity, name)
        yield f"- {title}: inline policy {name}"
    for policy in sorted(names - attached):
        identity_policies.attach(tx, identity, policy)
        yield f"+ {title}: policy {policy.name}"
    for name, document in desired.inline.items():
        if not _is_same(inline.get(name), document):
            identity_policies.put_inline(tx, identity, name, _text(document))
            yield f"{'~' if name in inline else '+'} {title}: inline policy {name}"


def _prune(tx: Transaction, account: str, desired: DesiredState) -> Iterator[str]:
    """Delete what the file does not name, except the root user. Policies go last, when they are no longer attached."""
    for user in identities.list_users(tx, account):
        if user.name not in desired.users and user.name != ROOT:
            keys = len(identities.keys_of(tx, user))
            accounts.delete_user(tx, account, user.name)
            yield f"- user {user.name}" + (f" with {keys} access keys" if keys else "")
    for role in role_rows.list_roles(tx, account):
        if role.name not in desired.roles:
            roles.delete_role(tx, account, role.name)
            yield f"- role {role.name}"
    for provider in identity_providers.list_providers(tx, account):
        if provider.issuer not in desired.oidc_providers:
            providers.delete_provider(tx, account, provider.issuer)
            yield f"- oidc provider {provider.issuer}"
    named = {policy_of_key(account, key).name for key in desired.policies}
    for policy in policy_rows.list_policies(tx, account):
        if policy.name.name not in named:
            identity_policies.delete_policy(tx, policy.name)
            yield f"- policy {policy.name.name}"


def _is_same(text: str | None, document: Document) -> bool:
    """Whether a stored text and a document of the file are the same JSON value."""
    return text is not None and msgspec.json.decode(text) == msgspec.json.decode(_text(document))


def _text(document: Document) -> str:
    return msgspec.json.encode(document).decode()
