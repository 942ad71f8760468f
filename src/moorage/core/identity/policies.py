"""Identity policies: manage the policies of users and roles, and parse them for evaluation.

attached    a managed policy of the account or of AWS, by name; a change applies to all identities that have it
inline      part of one user or role, and deleted with it

Documents are checked when they are written.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final, Protocol

from moorage.core.identity.accounts import AccountError, require_account
from moorage.domain.identity.managed_policies import MANAGED_POLICIES
from moorage.domain.identity.policies.document import Policy, PolicyKind, accept_policy, parse_policy
from moorage.domain.identity.policies.elements import BadPolicy
from moorage.metadata.database import Transaction
from moorage.metadata.identity import policies as identity_policies
from moorage.metadata.identity.policies import AWS, PolicyName

ATTACHED_LIMIT: Final = 10
"""IAM quotas: managed policies attached to a user or a role."""

_NAME: Final = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
_ARN: Final = re.compile(r"arn:aws:iam::(aws|\d{12}):policy/(?:[\w+=,.@/-]*/)?([\w+=,.@-]{1,128})", re.ASCII)


class Identity(Protocol):
    """A user or a role."""

    @property
    def id(self) -> str: ...

    @property
    def account(self) -> str: ...

    @property
    def title(self) -> str: ...


def policy_name(account: str, text: str) -> PolicyName:
    """Resolve a policy's name or ARN for an account; AWS's names take precedence. Raises AccountError."""
    found = _ARN.fullmatch(text)
    if found is not None:
        return PolicyName(found[1], found[2])
    if text in MANAGED_POLICIES:
        return PolicyName(AWS, text)
    _check_name(text)
    return PolicyName(account, text)


def create_policy(tx: Transaction, policy: PolicyName, document: str, now: int) -> None:
    """Raises AccountError."""
    if identity_policies.find_policy(tx, policy.account, policy.name) is not None:
        raise AccountError(f"policy {policy.name!r} already exists")
    put_policy(tx, policy, document, now)


def update_policy(tx: Transaction, policy: PolicyName, document: str, now: int) -> None:
    """Raises AccountError."""
    document_of(tx, policy)
    put_policy(tx, policy, document, now)


def put_policy(tx: Transaction, policy: PolicyName, document: str, now: int) -> None:
    """Create a policy of an account, or replace its document, which applies at once. Raises AccountError."""
    require_account(tx, policy.account)
    _check_name(policy.name)
    if policy.name in MANAGED_POLICIES:
        raise AccountError(f"{policy.name!r} is the name of an AWS managed policy: choose another name")
    check_document(document, policy.name)
    identity_policies.put_policy(tx, policy, document, now)


def delete_policy(tx: Transaction, policy: PolicyName) -> None:
    """Raises AccountError if the policy is attached, does not exist, or is managed by AWS."""
    document_of(tx, policy)
    if policy.account == AWS:
        raise AccountError(f"{policy.name!r} is managed by AWS and cannot be deleted")
    attached_to = identity_policies.identities_with(tx, policy, policy.account)
    if attached_to:
        raise AccountError(f"policy {policy.name!r} is attached to {', '.join(attached_to)}: detach it first")
    identity_policies.delete_policy(tx, policy)


def document_of(tx: Transaction, policy: PolicyName) -> str:
    """The text of a policy. Raises AccountError."""
    document = _text(policy, identity_policies.find_policy(tx, policy.account, policy.name))
    if document is None:
        raise AccountError(f"there is no policy {policy.name!r}: see `moorage policy list`")
    return document


def attach(tx: Transaction, identity: Identity, policy: PolicyName) -> None:
    """Raises AccountError if the policy does not exist, belongs to another account, or exceeds the limit."""
    document_of(tx, policy)
    if policy.account not in {AWS, identity.account}:
        raise AccountError(f"{policy.arn} belongs to another account")
    identity_policies.attach(tx, identity.id, policy)
    if len(identity_policies.policies_of(tx, identity.id).attached) > ATTACHED_LIMIT:
        raise AccountError(f"{identity.title} has {ATTACHED_LIMIT} attached policies, which is the limit")


def detach(tx: Transaction, identity: Identity, policy: PolicyName) -> None:
    """Raises AccountError if the policy is not attached."""
    if not identity_policies.detach(tx, identity.id, policy):
        raise AccountError(f"policy {policy.name!r} is not attached to {identity.title}")


def put_inline(tx: Transaction, identity: Identity, name: str, document: str) -> None:
    """Raises AccountError."""
    _check_name(name)
    check_document(document, name)
    identity_policies.put_inline(tx, identity.id, name, document)


def inline_document(tx: Transaction, identity: Identity, name: str) -> str:
    """The text of an inline policy. Raises AccountError."""
    document = dict(identity_policies.policies_of(tx, identity.id).inline).get(name)
    if document is None:
        raise AccountError(f"{identity.title} has no inline policy {name!r}")
    return document


def delete_inline(tx: Transaction, identity: Identity, name: str) -> None:
    """Raises AccountError."""
    if not identity_policies.delete_inline(tx, identity.id, name):
        raise AccountError(f"{identity.title} has no inline policy {name!r}")


def check_document(document: str, name: str, kind: PolicyKind = PolicyKind.IDENTITY) -> None:
    """Raises AccountError, with the reason, if the policy is invalid."""
    try:
        accept_policy(document, kind, name)
    except BadPolicy as error:
        raise AccountError(f"{kind.value} {name!r}: {error}") from None


def policies_of(tx: Transaction, identity: str) -> tuple[Policy, ...]:
    """All policies of a user or role, parsed."""
    rows = identity_policies.policies_of(tx, identity)
    attached = [_parse(policy.name, _text(policy, document)) for policy, document in rows.attached]
    inline = [_parse(name, document) for name, document in rows.inline]
    return tuple(policy for policy in (*attached, *inline) if policy is not None)


def session_policies(tx: Transaction, account: str, document: str | None, arns: tuple[str, ...]) -> tuple[Policy, ...]:
    """The policies that restrict a session, parsed. A managed policy that was deleted meanwhile allows nothing."""
    names = [policy_name(account, arn) for arn in arns]
    managed = [
        _parse(name.name, _text(name, identity_policies.find_policy(tx, name.account, name.name))) for name in names
    ]
    inline = () if document is None else (parse_policy(document, PolicyKind.SESSION),)
    return inline + tuple(replace(policy, kind=PolicyKind.SESSION) for policy in managed if policy is not None)


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise AccountError(f"{name[:128]!r} is not a policy name: use 1 to 128 letters, digits and +=,.@_-")


def _text(policy: PolicyName, document: str | None) -> str | None:
    """The text of a policy; those of AWS managed policies are not stored."""
    return MANAGED_POLICIES.get(policy.name) if policy.account == AWS else document


def _parse(name: str, document: str | None) -> Policy | None:
    return None if document is None else parse_policy(document, PolicyKind.IDENTITY, name)
