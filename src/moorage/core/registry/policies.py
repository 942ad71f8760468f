"""Policies of repositories and registries: put, read, deleted; from the next request on they decide.

Both are kept as ECR returns them, not as they were sent (`domain/identity/policies/rendering.py`).
"""

from __future__ import annotations

from typing import Final

from moorage.core.identity.authorization import V1_ACTIONS, AccessRequest, decide
from moorage.domain.errors import (
    InvalidParameter,
    RegistryPolicyNotFound,
    RepositoryPolicyNotFound,
)
from moorage.domain.identity.policies.document import Policy, PolicyKind, accept_policy
from moorage.domain.identity.policies.elements import BadPolicy
from moorage.domain.identity.policies.rendering import render
from moorage.domain.names import Registry
from moorage.metadata.database import Transaction
from moorage.metadata.identity import accounts as identities
from moorage.metadata.identity import roles
from moorage.metadata.registry import policies, settings
from moorage.metadata.registry.repositories import Repository

_SET_AGAIN: Final = "ecr:SetRepositoryPolicy"
_INVALID: Final = {
    PolicyKind.REPOSITORY: "Invalid repository policy provided",
    PolicyKind.REGISTRY: "Invalid registry policy provided",
}


def checked_repository_policy(tx: Transaction, text: str) -> str:
    """The text of a policy for repositories, as it is kept. Raises InvalidParameter."""
    _accepted(tx, text, PolicyKind.REPOSITORY)
    return render(text)


def set_repository_policy(tx: Transaction, repository: Repository, text: str) -> str:
    """Replace the policy of a repository; returns its text. Raises InvalidParameter."""
    written = checked_repository_policy(tx, text)
    policies.put_repository_policy(tx, repository.id, written)
    return written


def refuse_lock_out(tx: Transaction, access_request: AccessRequest) -> None:
    """Raise InvalidParameter when who set the policy may not set another one (SetRepositoryPolicy, `force`).

    No text was captured.
    """
    if not decide(tx, access_request._replace(action=_SET_AGAIN)).allowed:
        reason = "The policy would prevent you from setting another policy in the future, and force is not set"
        raise _invalid(reason)


def repository_policy(tx: Transaction, repository: Repository) -> str:
    """Raises RepositoryPolicyNotFound."""
    text = policies.find_repository_policy(tx, repository.id)
    if text is None:
        raise RepositoryPolicyNotFound(repository=repository.name, registry=repository.registry.account)
    return text


def delete_repository_policy(tx: Transaction, repository: Repository) -> str:
    """The text that was deleted. Raises RepositoryPolicyNotFound."""
    text = repository_policy(tx, repository)
    policies.delete_repository_policy(tx, repository.id)
    return text


def put_registry_policy(tx: Transaction, registry: Registry, text: str) -> str:
    """Replace the policy of a registry; returns its text. Raises InvalidParameter."""
    policy = _accepted(tx, text, PolicyKind.REGISTRY)
    if settings.registry_policy_scope(tx, registry) == "V1" and not policy.actions <= V1_ACTIONS:
        raise _invalid(_INVALID[PolicyKind.REGISTRY])
    written = render(text)
    policies.put_registry_policy(tx, registry, written)
    return written


def registry_policy(tx: Transaction, registry: Registry) -> str:
    """Raises RegistryPolicyNotFound."""
    text = policies.find_registry_policy(tx, registry)
    if text is None:
        raise RegistryPolicyNotFound(registry=registry.account)
    return text


def delete_registry_policy(tx: Transaction, registry: Registry) -> str:
    """The text that was deleted. Raises RegistryPolicyNotFound."""
    text = registry_policy(tx, registry)
    policies.delete_registry_policy(tx, registry)
    return text


def _accepted(tx: Transaction, text: str, kind: PolicyKind) -> Policy:
    """The policy, if it is one and its principals exist. Raises InvalidParameter."""
    try:
        policy = accept_policy(text, kind)
    except BadPolicy:
        raise _invalid(_INVALID[kind]) from None
    if not all(_exists(tx, name) for name in policy.principals):
        raise _invalid("Principal not found")
    return policy


def _invalid(constraint: str) -> InvalidParameter:
    """ECR has one text for all that is wrong with a policy."""
    return InvalidParameter(parameter="PolicyText", constraint=constraint)


def _exists(tx: Transaction, name: str) -> bool:
    """Whether a principal may be one: of accounts that are elsewhere nobody here can say."""
    kind, _, arn = name.partition(":")
    if kind != "AWS":
        return True
    account, who = arn.split(":", 5)[4:]
    if who == "root" or not identities.has_account(tx, account):
        return True
    sort, _, path = who.partition("/")
    if sort == "role":
        return roles.find_role(tx, account, path.rpartition("/")[2]) is not None
    return sort != "user" or identities.find_user(tx, account, path) is not None
