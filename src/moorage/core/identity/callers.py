"""Callers as the database has them: users and roles with their policies as they are now, by id or by name."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from moorage.core.identity import accounts, roles
from moorage.core.identity import policies as identity_policies
from moorage.core.identity.accounts import AccountError
from moorage.domain.identity.callers import ROOT, AssumedRole, Caller
from moorage.metadata.database import Transaction
from moorage.metadata.identity.accounts import User
from moorage.metadata.identity.roles import Role

_ARN: Final = re.compile(
    r"arn:aws:(?:iam::(?P<account>\d{12}):(?:(?P<root>root)|user/(?P<user>.+)|role/(?:.+/)?(?P<role>[^/]+))"
    r"|sts::(?P<other>\d{12}):assumed-role/(?P<assumed>[^/]+)/(?P<session>[^/]+))",
    re.ASCII,
)
_SOME_SESSION: Final = "session"


def of_user(tx: Transaction, user: User, key: str = "", region: str = "") -> Caller:
    """A user who proves to be one with `key`, in a region that is known later if it is not given."""
    policies = identity_policies.policies_of(tx, user.id)
    return Caller(user.account, region, user.id, user.name, key, policies)


def of_role(tx: Transaction, role: Role, region: str = "") -> Caller:
    """Everybody in a role, without what differs between sessions."""
    policies = identity_policies.policies_of(tx, role.id)
    return Caller(role.account, region, role.id, "", "", policies, role=AssumedRole(role.name, role.path, session=""))


def in_session(caller: Caller, name: str) -> Caller:
    """Whoever assumed a role under the name of a session."""
    assert caller.role is not None  # noqa: S101 - for the type checker: `of_role` made it
    return replace(caller, user_id=f"{caller.user_id}:{name}", role=replace(caller.role, session=name))


def named(tx: Transaction, account: str, text: str, region: str) -> Caller:
    """The caller that an ARN of a user, a role or a session names, or the name of a user. Raises AccountError."""
    found = _ARN.fullmatch(text)
    if found is None:
        if text.startswith("arn:"):
            raise AccountError(f"{text[:200]!r} is no ARN of a user, a role or a session")
        return of_user(tx, accounts.get_user(tx, account, text), region=region)
    if found["role"] or found["assumed"]:
        role = roles.get_role(tx, found["account"] or found["other"], found["role"] or found["assumed"])
        return in_session(of_role(tx, role, region), found["session"] or _SOME_SESSION)
    user = accounts.get_user(tx, found["account"], ROOT if found["root"] else found["user"])
    return of_user(tx, user, region=region)
