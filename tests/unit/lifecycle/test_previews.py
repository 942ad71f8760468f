"""The time that a preview may take, and the time for which it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage.core.lifecycle import previews as lifecycle_previews
from moorage.core.lifecycle.previews import PreviewPage, PreviewStatus, ResultFilter
from moorage.domain.lifecycle.errors import LifecyclePolicyPreviewInProgress
from moorage.domain.units import DAY, HOUR
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


def test_a_preview_fails_after_an_hour_without_progress_and_can_be_started_again(registry: LifecycleRegistry) -> None:
    start(registry)
    with pytest.raises(LifecyclePolicyPreviewInProgress):
        start(registry)

    registry.now += HOUR
    assert shown(registry).status is PreviewStatus.FAILED

    start(registry)
    assert shown(registry).status is PreviewStatus.IN_PROGRESS


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
