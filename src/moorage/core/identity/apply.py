"""Identities as a file describes them, brought about: what differs is changed, each change told in a line.

What the file names is afterwards as it says, with these policies and no others; what it does not name stays, or goes
with `prune`. Keys are in no file: they are secrets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from moorage.core.identity import accounts, roles
from moorage.core.identity import policies as identity_policies
from moorage.core.identity.policies import Identity, policy_name
from moorage.domain.identity.callers import ROOT
from moorage.metadata.database import Transaction
from moorage.metadata.identity import accounts as identities
from moorage.metadata.identity import policies as policy_rows
from moorage.metadata.identity import providers as identity_providers
from moorage.metadata.identity import roles as role_rows
from moorage.metadata.identity.policies import PolicyName
from moorage.metadata.identity.providers import IdentityProvider
from moorage.metadata.identity.roles import Role

Document = dict[str, Any]
"""A policy as a structure of the file."""


class DesiredUser(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A user: names or ARNs of its policies, and those written into it."""

    policies: list[str] = []
    inline: dict[str, Document] = {}


class DesiredRole(DesiredUser, forbid_unknown_fields=True, kw_only=True):
    """`max_session` in seconds."""

    trust: Document
    path: str = "/"
    max_session: int = 3600


class Provider(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`keys` is a JWK set; `keys_file` the file that it is in, beside this one."""

    audiences: list[str]
    keys: Document | None = None
    keys_file: str | None = None


class DesiredState(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What an identities file says of one account."""

    account: str | None = None
    policies: dict[str, Document] = {}
    users: dict[str, DesiredUser] = {}
    roles: dict[str, DesiredRole] = {}
    oidc_providers: dict[str, Provider] = {}


def apply_state(tx: Transaction, account: str, wanted: DesiredState, now: int, *, prune: bool) -> list[str]:
    """Do what the account lacks, and tell it: `+` new, `~` changed, `-` gone. Raises AccountError.

    In one transaction all of it happens, or nothing.
    """
    accounts.require_account(tx, account)
    return [
        *_policies(tx, account, wanted.policies, now),
        *_providers(tx, account, wanted.oidc_providers, now),
        *_users(tx, account, wanted.users, now),
        *_roles(tx, account, wanted.roles, now),
        *(_pruned(tx, account, wanted) if prune else ()),
    ]


def _policies(tx: Transaction, account: str, wanted: Mapping[str, Document], now: int) -> Iterator[str]:
    present = dict(policy_rows.list_policies(tx, account))
    for name, document in wanted.items():
        if _is_same(present.get(name), document):
            continue
        identity_policies.put_policy(tx, PolicyName(account, name), _text(document), now)
        yield f"~ policy {name}" if name in present else f"+ policy {name}"


def _providers(tx: Transaction, account: str, wanted: Mapping[str, Provider], now: int) -> Iterator[str]:
    for issuer, provider in wanted.items():
        present = identity_providers.find_provider(tx, account, issuer)
        keys = provider.keys or {}
        audiences = tuple(provider.audiences)
        if present is not None and present.audiences == audiences and _is_same(present.key_set, keys):
            continue
        roles.put_provider(tx, IdentityProvider(account, issuer, audiences, _text(keys), now))
        yield f"+ oidc provider {issuer}" if present is None else f"~ oidc provider {issuer}"


def _users(tx: Transaction, account: str, wanted: Mapping[str, DesiredUser], now: int) -> Iterator[str]:
    for name, holder in wanted.items():
        user = identities.find_user(tx, account, name)
        if user is None:
            user = accounts.create_user(tx, account, name, now)
            yield f"+ user {name}"
        yield from _held(tx, user, holder, f"user {name}")


def _roles(tx: Transaction, account: str, wanted: Mapping[str, DesiredRole], now: int) -> Iterator[str]:
    for name, holder in wanted.items():
        role = role_rows.find_role(tx, account, name)
        if role is None:
            asked = Role("", account, name, holder.path, _text(holder.trust), holder.max_session, now)
            role = roles.create_role(tx, asked)
            yield f"+ role {name}"
        else:
            yield from _changed(tx, role, holder)
        yield from _held(tx, role, holder, f"role {name}")


def _changed(tx: Transaction, role: Role, wanted: DesiredRole) -> Iterator[str]:
    if role.path != wanted.path:
        raise accounts.AccountError(f"the path of a role cannot be changed: delete role {role.name!r} first")
    if not _is_same(role.trust_policy, wanted.trust):
        role = replace(role, trust_policy=_text(wanted.trust))
        roles.change_role(tx, role)
        yield f"~ role {role.name}: trust policy"
    if role.max_session_seconds != wanted.max_session:
        roles.change_role(tx, replace(role, max_session_seconds=wanted.max_session))
        yield f"~ role {role.name}: longest session {wanted.max_session} s"


def _held(tx: Transaction, identity: Identity, wanted: DesiredUser, title: str) -> Iterator[str]:
    """First what is too much, so that a full set can change one for another."""
    held = policy_rows.policies_of(tx, identity.id)
    attached, inline = {policy for policy, _ in held.attached}, dict(held.inline)
    names = {policy_name(identity.account, text) for text in wanted.policies}
    for policy in sorted(attached - names):
        identity_policies.detach(tx, identity, policy)
        yield f"- {title}: policy {policy.name}"
    for name in sorted(inline.keys() - wanted.inline.keys()):
        identity_policies.delete_inline(tx, identity, name)
        yield f"- {title}: inline policy {name}"
    for policy in sorted(names - attached):
        identity_policies.attach(tx, identity, policy)
        yield f"+ {title}: policy {policy.name}"
    for name, document in wanted.inline.items():
        if not _is_same(inline.get(name), document):
            identity_policies.put_inline(tx, identity, name, _text(document))
            yield f"{'~' if name in inline else '+'} {title}: inline policy {name}"


def _pruned(tx: Transaction, account: str, wanted: DesiredState) -> Iterator[str]:
    """Remove what the file does not name; the root user stays. Policies go last, when nobody has them any more."""
    for user in identities.list_users(tx, account):
        if user.name not in wanted.users and user.name != ROOT:
            keys = len(identities.keys_of(tx, user))
            accounts.delete_user(tx, account, user.name)
            yield f"- user {user.name}" + (f" with {keys} access keys" if keys else "")
    for role in role_rows.list_roles(tx, account):
        if role.name not in wanted.roles:
            roles.delete_role(tx, account, role.name)
            yield f"- role {role.name}"
    for provider in identity_providers.list_providers(tx, account):
        if provider.issuer not in wanted.oidc_providers:
            roles.delete_provider(tx, account, provider.issuer)
            yield f"- oidc provider {provider.issuer}"
    for name, _ in policy_rows.list_policies(tx, account):
        if name not in wanted.policies:
            identity_policies.delete_policy(tx, PolicyName(account, name))
            yield f"- policy {name}"


def _is_same(text: str | None, document: Document) -> bool:
    """Whether a stored text says what the file does, however it is laid out."""
    return text is not None and msgspec.json.decode(text) == msgspec.json.decode(_text(document))


def _text(document: Document) -> str:
    return msgspec.json.encode(document).decode()
