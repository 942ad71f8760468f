"""Previews of lifecycle policies: which images a policy would select now, computed by a job and kept for a day."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from moorage.core.lifecycle import policies as lifecycle
from moorage.core.registry.image_ids import ImageFailure, ImageId, resolve
from moorage.domain.lifecycle.errors import LifecyclePolicyPreviewInProgress, LifecyclePolicyPreviewNotFound
from moorage.domain.lifecycle.policy import parse
from moorage.domain.units import DAY
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.lifecycle import previews as rows
from moorage.metadata.lifecycle.previews import Preview, PreviewResult
from moorage.metadata.registry.repositories import Repository

JOB: Final = "lifecycle-preview"
"""The kind of the jobs that compute previews. The key of a job is the repository's id."""

_RESULT_LIFE: Final = DAY
"""How long results are available. ECR has a status for expired previews, but does not document their age."""

ATTEMPTS: Final = 4
"""With the delays of jobs, attempts for half a minute. Clients wait 100 seconds (LifecyclePolicyPreviewComplete)."""


class PreviewStatus(StrEnum):
    """The status that GetLifecyclePolicyPreview returns."""

    IN_PROGRESS = "IN_PROGRESS"
    COMPLETE = "COMPLETE"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class PreviewPage:
    """A preview and a page of its results. There are no results unless the status is COMPLETE."""

    preview: Preview
    status: PreviewStatus
    results: list[PreviewResult]


@dataclass(frozen=True, slots=True)
class ResultFilter:
    """The requested results: those of `image_ids`, or a page of all; and only tagged or only untagged images.

    `tagged` is None for both.
    """

    image_ids: tuple[ImageId, ...] | None
    tagged: bool | None
    after: int
    limit: int


def start(tx: Transaction, repository: Repository, text: str | None, now: int) -> str:
    """Start a preview of the policy `text`, or of the repository's own policy; returns the policy's text.

    Raises InvalidParameter, LifecyclePolicyNotFound, LifecyclePolicyPreviewInProgress.
    """
    if text is None:
        text = lifecycle.get(tx, repository).text
    parse(text)
    previous = rows.find(tx, repository.id)
    if previous is not None and _status(tx, repository, previous, now) is PreviewStatus.IN_PROGRESS:
        raise LifecyclePolicyPreviewInProgress
    rows.start(tx, repository.id, text, now)
    jobs.enqueue(tx, JOB, str(repository.id), {}, now)
    return text


def get(tx: Transaction, repository: Repository, result_filter: ResultFilter, now: int) -> PreviewPage:
    """The repository's latest preview. Raises LifecyclePolicyPreviewNotFound."""
    preview = rows.find(tx, repository.id)
    if preview is None:
        raise LifecyclePolicyPreviewNotFound(repository=repository.name, registry=repository.registry.account)
    status = _status(tx, repository, preview, now)
    if status is not PreviewStatus.COMPLETE:
        return PreviewPage(preview, status, [])
    tagged = result_filter.tagged
    if result_filter.image_ids is None:
        found = rows.page_of_results(tx, repository.id, result_filter.after, tagged, result_filter.limit)
        return PreviewPage(preview, status, found)
    results = [_find_result(tx, repository, image_id) for image_id in dict.fromkeys(result_filter.image_ids)]
    return PreviewPage(preview, status, [found for found in results if found and tagged in {None, bool(found.tags)}])


def _find_result(tx: Transaction, repository: Repository, image_id: ImageId) -> PreviewResult | None:
    """The result for an image; None if the policy does not select it or it does not exist."""
    try:
        image = resolve(tx, repository, image_id)
    except ImageFailure:
        return None
    return rows.find_result(tx, repository.id, image.id, image.digest)


def _status(tx: Transaction, repository: Repository, preview: Preview, now: int) -> PreviewStatus:
    """The status. A preview that is not complete is as alive as its job: a dead or dropped one will not complete it."""
    if preview.is_complete:
        return PreviewStatus.COMPLETE if now - preview.started_at < _RESULT_LIFE else PreviewStatus.EXPIRED
    is_computed = jobs.is_waiting(tx, JOB, str(repository.id))
    return PreviewStatus.IN_PROGRESS if is_computed else PreviewStatus.FAILED
