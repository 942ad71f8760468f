"""Build callers from the database: users and roles with their current policies."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

import msgspec

from moorage.core.identity import accounts, roles
from moorage.core.identity import policies as identity_policies
from moorage.domain.identity.callers import ROOT, AssumedRole, Caller
from moorage.domain.identity.errors import AccountError
from moorage.domain.identity.policies.document import CURRENT_VERSION, PolicyKind, parse_policy
from moorage.domain.names import Registry
from moorage.metadata.database import Transaction
from moorage.metadata.identity import accounts as accounts_rows
from moorage.metadata.identity import roles as role_rows
from moorage.metadata.identity.accounts import User
from moorage.metadata.identity.roles import Role

_ARN: Final = re.compile(
    r"arn:aws:(?:iam::(?P<account>\d{12}):(?:(?P<root>root)|user/(?:.+/)?(?P<user>[^/]+)|role/(?:.+/)?(?P<role>[^/]+))"
    r"|sts::(?P<other>\d{12}):assumed-role/(?P<assumed>[^/]+)/(?P<session>[^/]+))",
    re.ASCII,
)
_DEFAULT_SESSION_NAME: Final = "session"


READER: Final = "moorage-scanner"
READER_ID: Final = f"{READER}:scan"
"""The name of the role in which the registry itself lets a scanner pull, and its id, which no stored role has."""

_READING: Final = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


def reader(registry: Registry, repository: str) -> Caller:
    """The caller that can only pull from one repository. A policy of the repository can deny it, but not allow more."""
    statement = {"Effect": "Allow", "Action": _READING, "Resource": registry.repository_arn(repository)}
    text = msgspec.json.encode({"Version": CURRENT_VERSION, "Statement": [statement]}).decode()
    policy = parse_policy(text, PolicyKind.SESSION, READER)
    role = AssumedRole(READER, "/", "scan")
    return Caller(registry.account, registry.region, READER_ID, "", "", (policy,), (policy,), role=role)


def of_user(tx: Transaction, user: User, key: str = "", region: str = "") -> Caller:
    """A user that authenticates with `key`. If `region` is empty, it is set later."""
    policies = identity_policies.policies_of(tx, user.id)
    return Caller(user.account, region, user.id, user.name, key, policies, tags=user.tags, path=user.path)


def of_role(tx: Transaction, role: Role, region: str = "") -> Caller:
    """A caller in a role, without the values that differ between sessions (see `in_session`)."""
    policies = identity_policies.policies_of(tx, role.id)
    assumed = AssumedRole(role.name, role.path, session="")
    return Caller(role.account, region, role.id, "", "", policies, tags=role.tags, role=assumed)


def in_session(caller: Caller, name: str) -> Caller:
    """A caller in a role (from `of_role`), in the session with this name."""
    assert caller.role is not None  # noqa: S101 - for the type checker: `of_role` made it
    return replace(caller, user_id=f"{caller.user_id}:{name}", role=replace(caller.role, session=name))


class RememberedCaller(msgspec.Struct, frozen=True, kw_only=True):
    """A caller as a job keeps it: who it is, by ids that are never given again, and what restricts its session."""

    identity: str
    region: str
    key: str = ""
    session: str | None = None
    session_policies: tuple[str, ...] | None = None
    issued_at: int | None = None


def remember(caller: Caller) -> RememberedCaller:
    """What `recall` needs to build the caller again."""
    restricting = caller.session_policies
    return RememberedCaller(
        identity=caller.user_id.partition(":")[0],
        region=caller.region,
        key=caller.key,
        session=None if caller.role is None else caller.role.session,
        session_policies=None if restricting is None else tuple(policy.text for policy in restricting),
        issued_at=caller.issued_at,
    )


def recall(tx: Transaction, remembered: RememberedCaller) -> Caller | None:
    """The caller with its current policies; None if its user, role or key is no longer there."""
    key = accounts_rows.find_key(tx, remembered.key) if remembered.key else None
    if remembered.key and (key is None or not key.active):
        return None
    if remembered.session is None:
        user = accounts_rows.find_user_by_id(tx, remembered.identity)
        caller = None if user is None else of_user(tx, user, remembered.key, remembered.region)
    else:
        role = role_rows.find_role_by_id(tx, remembered.identity)
        caller = None if role is None else in_session(of_role(tx, role, remembered.region), remembered.session)
    if caller is None:
        return None
    texts = remembered.session_policies
    restricting = None if texts is None else tuple(parse_policy(text, PolicyKind.SESSION) for text in texts)
    return replace(caller, key=remembered.key, session_policies=restricting, issued_at=remembered.issued_at)


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
