"""Create, change and delete roles, for the commands and for IAM."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from moorage.core.identity import principals
from moorage.core.identity.accounts import require_account
from moorage.core.identity.key_ids import new_id
from moorage.core.identity.policies import check_document
from moorage.domain.identity.errors import AccountError, EntityAlreadyExists, MalformedPolicy, NoSuchEntity
from moorage.domain.identity.names import check_name, check_path, check_tags
from moorage.domain.identity.policies.document import PolicyKind, parse_policy
from moorage.metadata.database import Transaction
from moorage.metadata.identity import roles
from moorage.metadata.identity.roles import Role

SESSION_SECONDS: Final = range(3600, 43_201)
"""IAM, CreateRole: MaxSessionDuration is 1 to 12 hours."""

TRUSTING_NOBODY: Final = """{
  "Version": "2012-10-17",
  "Statement": [{"Effect": "Allow", "Principal": {"Service": "nobody"}, "Action": "sts:*"}]
}"""
"""A trust policy that allows no caller."""


def create_role(tx: Transaction, role: Role) -> Role:
    """Create a role; returns it with its new id. Raises AccountError."""
    require_account(tx, role.account)
    check_name("role", role.name)
    check_path(role.path)
    check_tags(role.tags)
    if roles.find_role(tx, role.account, role.name) is not None:
        raise EntityAlreadyExists(f"role {role.name!r} already exists", f"Role with name {role.name} already exists.")
    _check_duration(role)
    created = replace(_with_checked_trust(tx, role), id=new_id("AROA"))
    principals.created(tx, created)
    roles.insert_role(tx, created)
    return created


def get_role(tx: Transaction, account: str, name: str) -> Role:
    """Raises NoSuchEntity, and AccountError for an unknown account."""
    require_account(tx, account)
    role = roles.find_role(tx, account, name)
    if role is None:
        raise NoSuchEntity(
            f"there is no role {name[:64]!r}: see `moorage role list`", f"The role with name {name} cannot be found."
        )
    return role


def change_role(tx: Transaction, role: Role) -> None:
    """Set trust policy, maximum session duration and description to those of `role`. Raises AccountError.

    A trust policy that stays may name principals that were deleted.
    """
    _check_duration(role)
    current = roles.find_role_by_id(tx, role.id)
    if current is None or current.trust_policy != role.trust_policy:
        role = _with_checked_trust(tx, role)
    roles.update_role(tx, role)


def delete_role(tx: Transaction, account: str, name: str) -> None:
    """Delete a role; its sessions stop working at once. Raises AccountError."""
    role = get_role(tx, account, name)
    principals.deleted(tx, role)
    roles.delete_role(tx, role)


def _with_checked_trust(tx: Transaction, role: Role) -> Role:
    """The role with its trust policy as it is stored. Raises AccountError."""
    check_document(role.trust_policy, role.name, PolicyKind.TRUST)
    missing = principals.missing(tx, parse_policy(role.trust_policy, PolicyKind.TRUST, role.name))
    if missing:
        first = missing[0]
        raise MalformedPolicy(
            f"trust policy {role.name!r}: there is no principal {', '.join(missing)}",
            f'Invalid principal in policy: "AWS":"{first}"',
        )
    return replace(role, trust_policy=principals.with_arns(tx, role.trust_policy))


def _check_duration(role: Role) -> None:
    if role.max_session_seconds not in SESSION_SECONDS:
        limits = f"{SESSION_SECONDS.start} to {SESSION_SECONDS.stop - 1} seconds"
        raise AccountError(f"the maximum session duration of role {role.name!r} must be {limits}")
