"""Identity policies: manage the policies of users and roles, and parse them for evaluation.

attached    a managed policy of the account or of AWS, by name; a change applies to all identities that have it
inline      part of one user or role, and deleted with it

Documents are checked when they are written.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final, Protocol

from moorage.core.identity.accounts import require_account
from moorage.core.identity.key_ids import derived_id
from moorage.domain.identity.errors import (
    AccountError,
    DeleteConflict,
    EntityAlreadyExists,
    MalformedPolicy,
    NoSuchEntity,
    QuotaReached,
)
from moorage.domain.identity.managed_policies import MANAGED_POLICIES
from moorage.domain.identity.names import check_path, check_policy_name, check_tags
from moorage.domain.identity.policies.document import Policy, PolicyKind, accept_policy, parse_policy
from moorage.domain.identity.policies.elements import BadPolicy
from moorage.domain.units import SECOND
from moorage.metadata.database import Transaction
from moorage.metadata.identity import policies as identity_policies
from moorage.metadata.identity import policy_versions
from moorage.metadata.identity.policies import AWS, ManagedPolicy, PolicyName
from moorage.metadata.identity.policy_versions import PolicyVersion

ATTACHED_LIMIT: Final = 10
"""IAM quotas: managed policies attached to a user or a role."""

_AWS_DATE: Final = 1_450_717_556 * SECOND
"""2015-12-21: when AWS published its policies for ECR. Those of other services have it here, too."""

VERSION_LIMIT: Final = 5
"""IAM quotas: versions of a managed policy."""

_ARN: Final = re.compile(r"arn:aws:iam::(aws|\d{12}):policy(/(?:[\w+=,.@/-]*/)?)([\w+=,.@-]{1,128})", re.ASCII)


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
        return PolicyName(found[1], found[3], found[2])
    if text in MANAGED_POLICIES:
        return PolicyName(AWS, text)
    check_policy_name(text)
    return PolicyName(account, text)


def create_policy(tx: Transaction, policy: ManagedPolicy) -> None:
    """Create a policy of an account with its first version. Raises AccountError."""
    name = policy.name
    _check_new(tx, name)
    check_path(name.path)
    check_tags(policy.tags)
    check_document(policy.document, name.name)
    if identity_policies.find_policy(tx, name.account, name.name) is not None:
        raise EntityAlreadyExists(
            f"policy {name.name!r} already exists",
            f"A policy called {name.name} already exists. Duplicate names are not allowed.",
        )
    identity_policies.put_policy(tx, policy)
    policy_versions.insert(tx, name, PolicyVersion(policy.version, policy.document, policy.created_at))


def update_policy(tx: Transaction, policy: PolicyName, document: str, now: int) -> None:
    """Replace a policy's document by a new default version. Raises AccountError."""
    document_of(tx, policy)
    put_policy(tx, policy, document, now)


def put_policy(tx: Transaction, policy: PolicyName, document: str, now: int) -> None:
    """Create a policy of an account, or add a version that applies at once. Raises AccountError.

    If the policy has as many versions as IAM allows, the oldest one that is not the default is deleted.
    """
    existing = identity_policies.find_managed(tx, policy)
    if existing is None:
        create_policy(tx, ManagedPolicy(name=policy, document=document, created_at=now, updated_at=now))
        return
    _check_new(tx, policy)
    check_document(document, policy.name)
    others = [each.number for each in policy_versions.of_policy(tx, policy) if each.number != existing.version]
    if len(others) >= VERSION_LIMIT - 1:
        policy_versions.delete(tx, policy, others[-1])
    add_version(tx, existing, document, now, is_default=True)


def add_version(tx: Transaction, policy: ManagedPolicy, document: str, now: int, *, is_default: bool) -> PolicyVersion:
    """Add a version to a policy. Raises AccountError if it has as many as IAM allows, or the document is invalid."""
    check_document(document, policy.name.name)
    if len(policy_versions.of_policy(tx, policy.name)) >= VERSION_LIMIT:
        raise QuotaReached(
            f"policy {policy.name.name!r} has {VERSION_LIMIT} versions, which is the limit",
            f"A managed policy can have up to {VERSION_LIMIT} versions. Before you create a new version, you must"
            " delete an existing version.",
        )
    version = PolicyVersion(policy.last_version + 1, document, now)
    policy_versions.insert(tx, policy.name, version)
    changed = replace(policy, last_version=version.number, updated_at=now)
    identity_policies.put_policy(tx, _with_default(changed, version) if is_default else changed)
    return version


def versions_of(tx: Transaction, policy: ManagedPolicy) -> list[PolicyVersion]:
    """All versions of a policy, the newest first. AWS managed policies have their current version only."""
    if policy.name.account == AWS:
        return [PolicyVersion(policy.version, policy.document, policy.updated_at)]
    return policy_versions.of_policy(tx, policy.name)


def get_version(tx: Transaction, policy: ManagedPolicy, version_id: str) -> PolicyVersion:
    """A version by its id, such as `v1`. Raises NoSuchEntity."""
    found = next((each for each in versions_of(tx, policy) if each.id == version_id), None)
    if found is None:
        raise NoSuchEntity(
            f"policy {policy.name.name!r} has no version {version_id[:32]}",
            f"Policy {policy.name.arn} version {version_id} does not exist or is not attachable.",
        )
    return found


def set_default_version(tx: Transaction, policy: ManagedPolicy, version_id: str) -> None:
    """Apply another version of a policy, everywhere it is attached. Raises AccountError."""
    identity_policies.put_policy(tx, _with_default(policy, get_version(tx, policy, version_id)))


def delete_version(tx: Transaction, policy: ManagedPolicy, version_id: str) -> None:
    """Delete a version that is not the default. Raises AccountError."""
    version = get_version(tx, policy, version_id)
    if version.number == policy.version:
        raise DeleteConflict(
            f"{version_id} is the default version of policy {policy.name.name!r}",
            "Cannot delete the default version of a policy.",
        )
    policy_versions.delete(tx, policy.name, version.number)


def delete_policy(tx: Transaction, policy: PolicyName) -> None:
    """Delete a policy with all its versions.

    Raises AccountError if the policy is attached, does not exist, or is managed by AWS.
    """
    document_of(tx, policy)
    if policy.account == AWS:
        raise AccountError(f"{policy.name!r} is managed by AWS and cannot be deleted")
    attached_to = sorted(each.name for each in identity_policies.attachments_of(tx, policy, policy.account))
    if attached_to:
        raise DeleteConflict(
            f"policy {policy.name!r} is attached to {', '.join(attached_to)}: detach it first",
            "Cannot delete a policy attached to entities.",
        )
    identity_policies.delete_policy(tx, policy)
    policy_versions.delete_all(tx, policy)


def require_one_version(tx: Transaction, policy: ManagedPolicy) -> None:
    """Raises DeleteConflict. IAM deletes only policies whose further versions were deleted before."""
    if len(versions_of(tx, policy)) > 1:
        raise DeleteConflict(
            f"policy {policy.name.name!r} has several versions",
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions."
            " The default version is deleted with the policy.",
        )


def get_managed(tx: Transaction, account: str, arn: str) -> ManagedPolicy:
    """The policy of an account or of AWS with this ARN.

    Raises NoSuchEntity, also for a policy of another account, and AccountError for a text that is no ARN of a policy.
    """
    parsed = _ARN.fullmatch(arn)
    if parsed is None:
        raise AccountError(f"{arn[:200]!r} is not the ARN of a policy", f"ARN {arn} is not valid.")
    name = PolicyName(parsed[1], parsed[3], parsed[2])
    found = _of_aws(name.name) if name.account == AWS else identity_policies.find_managed(tx, name)
    if name.account not in {AWS, account}:
        found = None
    if found is None or found.name.arn != arn:
        raise _no_such_policy(name)
    return _counted(tx, found, account) if name.account == AWS else found


def own(policy: ManagedPolicy) -> ManagedPolicy:
    """A policy that can be changed. Raises AccountError for one that AWS manages."""
    if policy.name.account == AWS:
        raise AccountError(f"{policy.name.name!r} is managed by AWS and cannot be changed")
    return policy


def of_aws(tx: Transaction, account: str) -> list[ManagedPolicy]:
    """The AWS managed policies, sorted by name, with their attachments in an account."""
    return [_counted(tx, policy, account) for policy in map(_of_aws, sorted(MANAGED_POLICIES)) if policy is not None]


def policy_id(policy: ManagedPolicy) -> str:
    """The unique id of a policy: another one with its name has another id."""
    return derived_id("ANPA", policy.name.account, policy.name.name, policy.created_at)


def document_of(tx: Transaction, policy: PolicyName) -> str:
    """The text of a policy. Raises NoSuchEntity."""
    document = _text(policy, identity_policies.find_policy(tx, policy.account, policy.name))
    if document is None:
        raise _no_such_policy(policy)
    return document


def attach(tx: Transaction, identity: Identity, policy: PolicyName) -> None:
    """Raises AccountError if the policy does not exist, belongs to another account, or exceeds the limit."""
    document_of(tx, policy)
    if policy.account not in {AWS, identity.account}:
        raise AccountError(f"{policy.arn} belongs to another account")
    identity_policies.attach(tx, identity.id, policy)
    if len(identity_policies.policies_of(tx, identity.id).attached) > ATTACHED_LIMIT:
        quota = f"PoliciesPer{identity.title.partition(' ')[0].capitalize()}"
        raise QuotaReached(
            f"{identity.title} has {ATTACHED_LIMIT} attached policies, which is the limit",
            f"Cannot exceed quota for {quota}: {ATTACHED_LIMIT}",
        )


def detach(tx: Transaction, identity: Identity, policy: PolicyName) -> None:
    """Raises AccountError if the policy is not attached."""
    if not identity_policies.detach(tx, identity.id, policy):
        raise NoSuchEntity(
            f"policy {policy.name!r} is not attached to {identity.title}", f"Policy {policy.arn} was not found."
        )


def put_inline(tx: Transaction, identity: Identity, name: str, document: str) -> None:
    """Raises AccountError."""
    check_policy_name(name)
    check_document(document, name)
    identity_policies.put_inline(tx, identity.id, name, document)


def inline_document(tx: Transaction, identity: Identity, name: str) -> str:
    """The text of an inline policy. Raises AccountError."""
    document = dict(identity_policies.policies_of(tx, identity.id).inline).get(name)
    if document is None:
        raise _no_such_inline(identity, name)
    return document


def delete_inline(tx: Transaction, identity: Identity, name: str) -> None:
    """Raises AccountError."""
    if not identity_policies.delete_inline(tx, identity.id, name):
        raise _no_such_inline(identity, name)


def check_document(document: str, name: str, kind: PolicyKind = PolicyKind.IDENTITY) -> None:
    """Raises AccountError, with the reason, if the policy is invalid."""
    try:
        accept_policy(document, kind, name)
    except BadPolicy as error:
        raise MalformedPolicy(f"{kind.value} {name!r}: {error}", f"Syntax errors in policy: {error}") from None


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


def require_none(tx: Transaction, identity: Identity) -> None:
    """Raises DeleteConflict. IAM deletes only users and roles without policies."""
    held = identity_policies.policies_of(tx, identity.id)
    if held.attached:
        raise DeleteConflict(
            f"{identity.title} has attached policies", "Cannot delete entity, must detach all policies first."
        )
    if held.inline:
        raise DeleteConflict(
            f"{identity.title} has inline policies", "Cannot delete entity, must delete policies first."
        )


def _check_new(tx: Transaction, policy: PolicyName) -> None:
    require_account(tx, policy.account)
    check_policy_name(policy.name)
    if policy.name in MANAGED_POLICIES:
        raise AccountError(f"{policy.name!r} is the name of an AWS managed policy: choose another name")


def _with_default(policy: ManagedPolicy, version: PolicyVersion) -> ManagedPolicy:
    return replace(policy, version=version.number, document=version.document)


def _of_aws(name: str) -> ManagedPolicy | None:
    document = MANAGED_POLICIES.get(name)
    if document is None:
        return None
    return ManagedPolicy(name=PolicyName(AWS, name), document=document, created_at=_AWS_DATE, updated_at=_AWS_DATE)


def _counted(tx: Transaction, policy: ManagedPolicy, account: str) -> ManagedPolicy:
    return replace(policy, attachments=identity_policies.count_of_attachments(tx, policy.name, account))


def _no_such_policy(policy: PolicyName) -> NoSuchEntity:
    return NoSuchEntity(
        f"there is no policy {policy.name!r}: see `moorage policy list`", f"Policy {policy.arn} was not found."
    )


def _no_such_inline(identity: Identity, name: str) -> NoSuchEntity:
    kind = identity.title.partition(" ")[0]
    return NoSuchEntity(
        f"{identity.title} has no inline policy {name!r}", f"The {kind} policy with name {name} cannot be found."
    )


def _text(policy: PolicyName, document: str | None) -> str | None:
    """The text of a policy; those of AWS managed policies are not stored."""
    return MANAGED_POLICIES.get(policy.name) if policy.account == AWS else document


def _parse(name: str, document: str | None) -> Policy | None:
    return None if document is None else parse_policy(document, PolicyKind.IDENTITY, name)
