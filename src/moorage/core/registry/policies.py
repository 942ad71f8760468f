"""Policies of repositories and registries: put, get and delete them. They apply from the next request on.

Policies are stored in the form in which ECR returns them (`domain/identity/policies/rendering.py`).
"""

from __future__ import annotations

from typing import Final

from moorage.core.identity import principals
from moorage.core.identity.authorization import AccessRequest, decide
from moorage.domain.errors import InvalidParameter
from moorage.domain.identity.actions import may_be_in_registry_policy, may_be_in_repository_policy
from moorage.domain.identity.policies.document import Policy, PolicyKind, accept_policy
from moorage.domain.identity.policies.elements import BadPolicy
from moorage.domain.identity.policies.rendering import render
from moorage.domain.names import Registry
from moorage.domain.registry.errors import RegistryPolicyNotFound, RepositoryPolicyNotFound
from moorage.metadata.database import Transaction
from moorage.metadata.registry import policies, settings
from moorage.metadata.registry.repositories import Repository

_SET_AGAIN: Final = "ecr:SetRepositoryPolicy"
_INVALID: Final = {
    PolicyKind.REPOSITORY: "Invalid repository policy provided",
    PolicyKind.REGISTRY: "Invalid registry policy provided",
}


def checked_repository_policy(tx: Transaction, text: str) -> str:
    """Check a repository policy; returns its text as stored. Raises InvalidParameter."""
    policy = _accept(tx, text, PolicyKind.REPOSITORY)
    if not all(map(may_be_in_repository_policy, policy.actions)):
        raise _invalid(_INVALID[PolicyKind.REPOSITORY])
    return _rendered(tx, text)


def set_repository_policy(tx: Transaction, repository: Repository, text: str) -> str:
    """Replace the policy of a repository; returns its text. Raises InvalidParameter."""
    rendered = checked_repository_policy(tx, text)
    policies.put_repository_policy(tx, repository.id, rendered)
    return rendered


def refuse_lock_out(tx: Transaction, access_request: AccessRequest) -> None:
    """Raise InvalidParameter if the caller could not set another policy now (SetRepositoryPolicy, `force`).

    ECR's text was not captured.
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
    """Delete the policy of a repository; returns its text. Raises RepositoryPolicyNotFound."""
    text = repository_policy(tx, repository)
    policies.delete_repository_policy(tx, repository.id)
    return text


def put_registry_policy(tx: Transaction, registry: Registry, text: str) -> str:
    """Replace the policy of a registry; returns its text. Raises InvalidParameter."""
    policy = _accept(tx, text, PolicyKind.REGISTRY)
    v1_scope = settings.registry_policy_scope(tx, registry) == "V1"
    if not all(may_be_in_registry_policy(action, v1_scope=v1_scope) for action in policy.actions):
        raise _invalid(_INVALID[PolicyKind.REGISTRY])
    rendered = _rendered(tx, text)
    policies.put_registry_policy(tx, registry, rendered)
    return rendered


def registry_policy(tx: Transaction, registry: Registry) -> str:
    """Raises RegistryPolicyNotFound."""
    text = policies.find_registry_policy(tx, registry)
    if text is None:
        raise RegistryPolicyNotFound(registry=registry.account)
    return text


def delete_registry_policy(tx: Transaction, registry: Registry) -> str:
    """Delete the policy of a registry; returns its text. Raises RegistryPolicyNotFound."""
    text = registry_policy(tx, registry)
    policies.delete_registry_policy(tx, registry)
    return text


def _accept(tx: Transaction, text: str, kind: PolicyKind) -> Policy:
    """Parse a policy, and check that its principals exist. Raises InvalidParameter."""
    try:
        policy = accept_policy(text, kind)
    except BadPolicy:
        raise _invalid(_INVALID[kind]) from None
    if principals.missing(tx, policy):
        raise _invalid("Principal not found")
    return policy


def _rendered(tx: Transaction, text: str) -> str:
    return render(text, lambda name: principals.find_arn(tx, name) or name)


def _invalid(constraint: str) -> InvalidParameter:
    """The error for an invalid policy."""
    return InvalidParameter(parameter="PolicyText", constraint=constraint)
