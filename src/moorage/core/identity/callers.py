"""Build callers from the database: users and roles with their current policies."""

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
_DEFAULT_SESSION_NAME: Final = "session"


def of_user(tx: Transaction, user: User, key: str = "", region: str = "") -> Caller:
    """A user that authenticates with `key`. If `region` is empty, it is set later."""
    policies = identity_policies.policies_of(tx, user.id)
    return Caller(user.account, region, user.id, user.name, key, policies)


def of_role(tx: Transaction, role: Role, region: str = "") -> Caller:
    """A caller in a role, without the values that differ between sessions (see `in_session`)."""
    policies = identity_policies.policies_of(tx, role.id)
    return Caller(role.account, region, role.id, "", "", policies, role=AssumedRole(role.name, role.path, session=""))


def in_session(caller: Caller, name: str) -> Caller:
    """A caller in a role (from `of_role`), in the session with this name."""
    assert caller.role is not None  # noqa: S101 - for the type checker: `of_role` made it
    return replace(caller, user_id=f"{caller.user_id}:{name}", role=replace(caller.role, session=name))


def named(tx: Transaction, account: str, text: str, region: str) -> Caller:
    """The caller with this user name, or with the ARN of a user, a role or a session. Raises AccountError."""
    found = _ARN.fullmatch(text)
    if found is None:
        if text.startswith("arn:"):
            raise AccountError(f"{text[:200]!r} is not the ARN of a user, a role or a session")
        return of_user(tx, accounts.get_user(tx, account, text), region=region)
    if found["role"] or found["assumed"]:
        role = roles.get_role(tx, found["account"] or found["other"], found["role"] or found["assumed"])
        return in_session(of_role(tx, role, region), found["session"] or _DEFAULT_SESSION_NAME)
    user = accounts.get_user(tx, found["account"], ROOT if found["root"] else found["user"])
    return of_user(tx, user, region=region)
