"""Reactions of replication: a change of an image writes an entry for each destination of its repository.

They run in the transaction of the change, and cost one read at most in a registry without rules. A change by
replication writes no entry, so an image goes one hop, and two registries that replicate to each other make no loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from moorage.core.reactions import ImageDeleted, ImagePushed, StorageClassChanged, TagDeleted
from moorage.domain.replication.rules import Rule, targets_of
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.registry import images
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.replication import configurations, copies, entries
from moorage.metadata.replication.entries import Action, Stream

JOB: Final = "replication"
"""The kind of the jobs that replicate. The key of a job is that of its stream."""

UNTAGGED: Final = ("",)


def image_pushed(tx: Transaction, change: ImagePushed) -> None:
    """Write an entry for each new tag, or one without a tag. A replica that is pushed becomes an ordinary image."""
    if change.origin is not None:
        return
    repository = change.repository
    if change.settings.is_replica:
        copies.unmark(tx, repository.id, change.digest)
    streams = _streams(change.settings.replication, repository)
    _enter(tx, streams, "COPY", change.digest, change.tags, change.at)


def image_pushed_again(tx: Transaction, repository: Repository, digest: str, now: int) -> None:
    """A client pushed a tag that was there already. A replica is no longer one, and is replicated with its tags."""
    rules, is_replica = configurations.rules_for_image(tx, repository.registry, repository.id, digest)
    if is_replica:
        copies.unmark(tx, repository.id, digest)
        _enter(tx, _streams(rules, repository), "COPY", digest, _tags_of(tx, repository, digest), now)


def storage_class_changed(tx: Transaction, change: StorageClassChanged) -> None:
    """A restored image is replicated like a pushed one; an archival only where deletions are."""
    if change.origin is not None:
        return
    repository = change.repository
    rules, is_replica = configurations.rules_for_image(tx, repository.registry, repository.id, change.digest)
    if is_replica or not rules:
        return
    if change.target == "ARCHIVE":
        _enter(tx, _streams(rules, repository, deleting=True), "ARCHIVE", change.digest, (), change.at)
        return
    tags = _tags_of(tx, repository, change.digest)
    _enter(tx, _streams(rules, repository), "COPY", change.digest, tags, change.at)


def image_deleted(tx: Transaction, change: ImageDeleted) -> None:
    repository = change.repository
    copies.forget(tx, repository.id, change.digest)
    was_replica = copies.unmark(tx, repository.id, change.digest)
    if change.origin is None and not was_replica:
        rules = configurations.rules_of(tx, repository.registry)
        _enter(tx, _streams(rules, repository, deleting=True), "DELETE", change.digest, (), change.at)


def tag_deleted(tx: Transaction, change: TagDeleted) -> None:
    if change.origin is not None:
        return
    repository = change.repository
    rules, is_replica = configurations.rules_for_image(tx, repository.registry, repository.id, change.digest)
    if not is_replica:
        streams = _streams(rules, repository, deleting=True)
        _enter(tx, streams, "DELETE", change.digest, (change.tag,), change.at)


def _tags_of(tx: Transaction, repository: Repository, digest: str) -> Sequence[str]:
    image = images.find(tx, repository.id, digest)
    return images.tags_of(tx, image.id) if image is not None else ()


def _streams(rules: Sequence[Rule], repository: Repository, *, deleting: bool = False) -> list[Stream]:
    """The streams of a repository: all, or those that deletions take, too."""
    return [
        Stream(repository.registry, repository.name, target.registry)
        for target in targets_of(rules, repository.name)
        if target.replicates_deletions or not deleting
    ]


def _enter(
    tx: Transaction, streams: Sequence[Stream], action: Action, digest: str, tags: Sequence[str], now: int
) -> None:
    if not streams:
        return
    entries.add(tx, streams, action, digest, tags or UNTAGGED, now)
    for stream in streams:
        jobs.enqueue(tx, JOB, stream.key, {}, now)
