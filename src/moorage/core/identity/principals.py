"""Principals of stored policies: policies mean users and roles themselves, not their names.

A policy names a user or a role by its ARN as long as it exists. When it is deleted, its unique id replaces the ARN in
every stored policy, and a new user or role with that ARN is another principal (IAM user guide, "AWS JSON policy
elements: Principal").
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Final, Protocol

from moorage.core.identity.key_ids import new_id
from moorage.domain.identity.policies.document import Policy
from moorage.domain.identity.policies.elements import UNIQUE_ID, BadPolicy, principal_arn
from moorage.domain.identity.policies.rendering import rename_principals
from moorage.metadata.database import Transaction
from moorage.metadata.identity import accounts as identities
from moorage.metadata.identity import principals, roles

_SESSION: Final = re.compile(r"arn:aws:sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/(?P<name>.+)", re.ASCII)


class Identity(Protocol):
    """A user or a role."""

    @property
    def id(self) -> str: ...

    @property
    def account(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def arn(self) -> str: ...


def find_arn(tx: Transaction, name: str) -> str | None:
    """The ARN of a principal that a policy names by its ARN, its unique id or its account id; None if there is none.

    Principals of accounts that this server does not have count as existing, and so do everyone and whole accounts.
    """
    if name == "*":
        return name
    found = UNIQUE_ID.fullmatch(name)
    if found is not None:
        return _arn_of_id(tx, found["id"], found["session"])
    arn = principal_arn(name)
    account, resource = arn.split(":", 5)[4:]
    if resource == "root" or not identities.has_account(tx, account):
        return arn
    kind, _, rest = resource.partition("/")
    match kind:
        case "user":
            identity: Identity | None = identities.find_user(tx, account, rest.rpartition("/")[2])
        case "role":
            identity = roles.find_role(tx, account, rest.rpartition("/")[2])
        case "assumed-role":
            return arn if roles.find_role(tx, account, rest.partition("/")[0]) else None
        case _:  # Federated users do not exist here.
            return arn
    return arn if identity is not None and identity.arn == arn else None


def _arn_of_id(tx: Transaction, unique_id: str, session: str | None) -> str | None:
    identity = identities.find_user_by_id(tx, unique_id) or roles.find_role_by_id(tx, unique_id)
    if identity is None or session is None:
        return None if identity is None else identity.arn
    return f"arn:aws:sts::{identity.account}:assumed-role/{identity.name}/{session}"


def missing(tx: Transaction, policy: Policy) -> list[str]:
    """The principals of a policy that do not exist, as ARNs or unique ids."""
    named = sorted(name.partition(":")[2] for name in policy.principals if name.startswith("AWS:"))
    return [name for name in named if find_arn(tx, name) is None]


def with_arns(tx: Transaction, text: str) -> str:
    """A policy whose principals exist, with ARNs instead of unique ids."""

    def arn(name: str) -> str:
        return (find_arn(tx, name) or name) if UNIQUE_ID.fullmatch(name) else name

    return rename_principals(text, arn) or text


def created(tx: Transaction, identity: Identity) -> None:
    """Replace the ARN of a new user or role in all policies that name it already, by an id that nobody has.

    They mean a predecessor with that name, or are older than the account.
    """
    _replace(tx, identity, new_id(identity.id[:4]))


def deleted(tx: Transaction, identity: Identity) -> None:
    """Replace the ARN of a user or a role that is deleted, and those of a role's sessions, by the unique id."""
    _replace(tx, identity, identity.id)


def renamed(tx: Transaction, user: Identity, arn: str) -> None:
    """Replace the ARN of a user in all policies by the one that the user has from now on."""
    _replace(tx, user, arn)


def _replace(tx: Transaction, identity: Identity, name_in_policies: str) -> None:
    def replaced(name: str) -> str:
        if name == identity.arn:
            return name_in_policies
        session = _SESSION.fullmatch(name)
        if session is None or (session["account"], session["role"]) != (identity.account, identity.name):
            return name
        return f"{name_in_policies}:{session['name']}" if name_in_policies.startswith("AROA") else name

    for policy in principals.policies_naming(tx, identity.arn, f":assumed-role/{identity.name}/"):
        text = None
        with suppress(BadPolicy):  # The text of an older version can be invalid now; it allows nothing.
            text = rename_principals(policy.text, replaced)
        if text is not None:
            principals.replace_text(tx, policy, text)
