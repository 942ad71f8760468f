"""The states of a preview: in progress while its job is alive, then complete or failed, and expired after a day."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage.core import jobs as operations
from moorage.core.lifecycle import previews as lifecycle_previews
from moorage.core.lifecycle.previews import PreviewPage, PreviewStatus, ResultFilter
from moorage.domain.lifecycle.errors import LifecyclePolicyPreviewInProgress
from moorage.domain.units import DAY, HOUR
from moorage.metadata import jobs
from moorage.metadata.jobs import Job
from tests.unit.lifecycle.policies import policy, rule
from tests.unit.lifecycle.registry import LifecycleRegistry

TEXT = policy(rule(1, "any", 1))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[LifecycleRegistry]:
    made = LifecycleRegistry(tmp_path)
    made.push(1)
    made.push(2)
    yield made
    made.database.close()


def start(registry: LifecycleRegistry) -> None:
    registry.write(lambda tx: lifecycle_previews.start(tx, registry.repository, TEXT, registry.now))


def shown(registry: LifecycleRegistry) -> PreviewPage:
    every_result = ResultFilter(None, None, -1, 100)
    return registry.database.read_blocking(
        lambda tx: lifecycle_previews.get(tx, registry.repository, every_result, registry.now)
    )


def test_a_preview_expires_after_a_day(registry: LifecycleRegistry) -> None:
    registry.preview(TEXT)
    assert (shown(registry).status, len(shown(registry).results)) == (PreviewStatus.COMPLETE, 1)

    registry.now += DAY

    assert (shown(registry).status, shown(registry).results) == (PreviewStatus.EXPIRED, [])


def take(registry: LifecycleRegistry) -> Job:
    (job,) = registry.write(lambda tx: jobs.claim(tx, [lifecycle_previews.JOB], registry.now, registry.now + HOUR, 1))
    return job


def test_a_preview_is_in_progress_for_as_long_as_its_job_waits_or_runs(registry: LifecycleRegistry) -> None:
    start(registry)
    registry.now += DAY
    assert shown(registry).status is PreviewStatus.IN_PROGRESS

    job = take(registry)
    assert shown(registry).status is PreviewStatus.IN_PROGRESS
    registry.write(lambda tx: jobs.retry(tx, job, "not yet", registry.now))

    assert shown(registry).status is PreviewStatus.IN_PROGRESS
    with pytest.raises(LifecyclePolicyPreviewInProgress):
        start(registry)


def test_a_preview_whose_job_died_has_failed_until_it_is_started_again(registry: LifecycleRegistry) -> None:
    start(registry)
    job = take(registry)
    registry.write(lambda tx: jobs.bury(tx, job, "a fault"))
    assert (shown(registry).status, shown(registry).results) == (PreviewStatus.FAILED, [])

    registry.preview(TEXT)

    assert (shown(registry).status, len(shown(registry).results)) == (PreviewStatus.COMPLETE, 1)


def test_a_preview_whose_job_an_operator_retries_is_in_progress_again(registry: LifecycleRegistry) -> None:
    start(registry)
    job = take(registry)
    registry.write(lambda tx: jobs.bury(tx, job, "a fault"))

    registry.write(lambda tx: operations.retry(tx, job.kind, job.key, registry.now))

    assert shown(registry).status is PreviewStatus.IN_PROGRESS


def test_a_preview_whose_job_an_operator_drops_has_failed(registry: LifecycleRegistry) -> None:
    start(registry)

    registry.write(lambda tx: operations.drop(tx, lifecycle_previews.JOB, str(registry.repository.id), registry.now))

    assert shown(registry).status is PreviewStatus.FAILED


def test_a_preview_that_is_computed_twice_has_its_results_once(registry: LifecycleRegistry) -> None:
    registry.preview(TEXT)
    registry.write(lambda tx: tx.run("UPDATE lifecycle_preview SET is_complete = 0"))

    registry.compute_preview()

    assert len(shown(registry).results) == 1


def test_a_preview_is_deleted_with_its_repository(registry: LifecycleRegistry) -> None:
    start(registry)
    registry.write(lambda tx: tx.run("DELETE FROM repository"))

    registry.compute_preview()

    assert registry.results() == []
