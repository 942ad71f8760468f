"""Previews of lifecycle policies: what a policy would do now, worked out beside the requests and kept for a while."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from moorage.core.lifecycle import policies as lifecycle
from moorage.core.registry.image_ids import ImageFailure, ImageId, resolve
from moorage.domain.lifecycle.errors import LifecyclePolicyPreviewInProgress, LifecyclePolicyPreviewNotFound
from moorage.domain.lifecycle.policy import parse
from moorage.domain.units import DAY, HOUR
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.lifecycle import previews as rows
from moorage.metadata.lifecycle.previews import Preview, PreviewResult
from moorage.metadata.registry.repositories import Repository

JOB: Final = "lifecycle-preview"
"""The kind of the jobs that work previews out: one for each repository, whose id is the key."""

_LIFE: Final = DAY
"""How long the results of a preview are shown; ECR has a status for older ones, but does not say how old they are."""

_PATIENCE: Final = HOUR
"""A preview that is not complete by then has failed, and another one may be started."""


class Status(StrEnum):
    """As GetLifecyclePolicyPreview tells it."""

    IN_PROGRESS = "IN_PROGRESS"
    COMPLETE = "COMPLETE"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class PreviewPage:
    """A preview as it is shown; one that is not complete has no results."""

    preview: Preview
    status: Status
    results: list[PreviewResult]


@dataclass(frozen=True, slots=True)
class ResultFilter:
    """Which results of a preview are asked for: those of some images, or a page of all; tagged, untagged or both."""

    image_ids: tuple[ImageId, ...] | None
    tagged: bool | None
    after: int
    limit: int


def start(tx: Transaction, repository: Repository, text: str | None, now: int) -> str:
    """Begin a preview of a policy, of the repository's own without `text`; returns its text.

    Raises InvalidParameter, LifecyclePolicyNotFound, LifecyclePolicyPreviewInProgress.
    """
    if text is None:
        text = lifecycle.get(tx, repository).text
    parse(text)
    known = rows.find(tx, repository.id)
    if known is not None and _status(known, now) is Status.IN_PROGRESS:
        raise LifecyclePolicyPreviewInProgress
    rows.start(tx, repository.id, text, now)
    jobs.enqueue(tx, JOB, str(repository.id), {}, now)
    return text


def get(tx: Transaction, repository: Repository, asked: ResultFilter, now: int) -> PreviewPage:
    """Raises LifecyclePolicyPreviewNotFound."""
    preview = rows.find(tx, repository.id)
    if preview is None:
        raise LifecyclePolicyPreviewNotFound(repository=repository.name, registry=repository.registry.account)
    status = _status(preview, now)
    if status is not Status.COMPLETE:
        return PreviewPage(preview, status, [])
    if asked.image_ids is None:
        found = rows.page_of_results(tx, repository.id, asked.after, asked.tagged, asked.limit)
        return PreviewPage(preview, status, found)
    named = [_named(tx, repository, image_id) for image_id in dict.fromkeys(asked.image_ids)]
    return PreviewPage(
        preview, status, [result for result in named if result and asked.tagged in {None, bool(result.tags)}]
    )


def _named(tx: Transaction, repository: Repository, wanted: ImageId) -> PreviewResult | None:
    """What would happen to an image; nothing, also if there is no such image."""
    try:
        image = resolve(tx, repository, wanted)
    except ImageFailure:
        return None
    return rows.find_result(tx, repository.id, image.digest)


def _status(preview: Preview, now: int) -> Status:
    age = now - preview.started_at
    if preview.is_complete:
        return Status.COMPLETE if age < _LIFE else Status.EXPIRED
    return Status.IN_PROGRESS if age < _PATIENCE else Status.FAILED
