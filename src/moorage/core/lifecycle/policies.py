"""Lifecycle policies of repositories: put, get and delete them, and schedule when they are applied."""

from __future__ import annotations

from typing import Final

from moorage.core.reactions import ImagePushed, RepositoryCreatedFromTemplate
from moorage.domain.lifecycle.errors import LifecyclePolicyNotFound
from moorage.domain.lifecycle.policy import parse
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.lifecycle import policies as rows
from moorage.metadata.lifecycle.policies import StoredPolicy
from moorage.metadata.registry.repositories import Repository

JOB: Final = "lifecycle"
"""The kind of the jobs that apply policies. The key of a job is the repository's id."""


def put(tx: Transaction, repository: Repository, text: str, due_at: int) -> str:
    """Set the policy of a repository and apply it at `due_at`; returns its text. Raises InvalidParameter."""
    policy = parse(text)
    rows.put(tx, repository.id, policy.text)
    apply_at(tx, repository.id, due_at)
    return policy.text


def get(tx: Transaction, repository: Repository) -> StoredPolicy:
    """Raises LifecyclePolicyNotFound."""
    found = rows.find(tx, repository.id)
    if found is None:
        raise LifecyclePolicyNotFound(repository=repository.name, registry=repository.registry.account)
    return found


def delete(tx: Transaction, repository: Repository) -> StoredPolicy:
    """Delete the policy of a repository; returns it. Raises LifecyclePolicyNotFound."""
    found = get(tx, repository)
    rows.delete(tx, repository.id)
    return found


def apply_at(tx: Transaction, repository_id: int, due_at: int) -> None:
    """Schedule the repository's policy, if it has one, for that time, unless it is already scheduled earlier."""
    if rows.exists(tx, repository_id):
        _schedule(tx, repository_id, due_at)


def _schedule(tx: Transaction, repository_id: int, due_at: int) -> None:
    jobs.enqueue(tx, JOB, str(repository_id), {}, due_at)


def image_pushed(tx: Transaction, change: ImagePushed, *, delay: int) -> None:
    """Schedule the repository's policy `delay` microseconds after a push."""
    if change.settings.has_lifecycle_policy:
        _schedule(tx, change.repository.id, change.at + delay)


def repository_created_from_template(tx: Transaction, change: RepositoryCreatedFromTemplate, *, delay: int) -> None:
    """Give a new repository the lifecycle policy of its creation template. Raises InvalidParameter."""
    if change.template.lifecycle_policy is not None:
        put(tx, change.repository, change.template.lifecycle_policy, change.at + delay)
