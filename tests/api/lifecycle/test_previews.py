"""How long a preview may take and is shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage.core.lifecycle import previews as lifecycle_previews
from moorage.core.lifecycle.previews import PreviewPage, ResultFilter, Status
from moorage.domain.lifecycle.errors import LifecyclePolicyPreviewInProgress
from moorage.domain.units import DAY, HOUR
from tests.api.lifecycle.world import World
from tests.unit.lifecycle.policies import policy, rule

TEXT = policy(rule(1, "any", 1))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    made.push(1)
    made.push(2)
    yield made
    made.database.close()


def start(world: World) -> None:
    world.write(lambda tx: lifecycle_previews.start(tx, world.repository, TEXT, world.now))


def shown(world: World) -> PreviewPage:
    asked = ResultFilter(None, None, -1, 100)
    return world.database.read_blocking(lambda tx: lifecycle_previews.get(tx, world.repository, asked, world.now))


def test_a_preview_expires_after_a_day(world: World) -> None:
    world.preview(TEXT)
    assert (shown(world).status, len(shown(world).results)) == (Status.COMPLETE, 1)

    world.now += DAY

    assert (shown(world).status, shown(world).results) == (Status.EXPIRED, [])


def test_a_preview_fails_after_an_hour_without_progress_and_can_be_started_again(world: World) -> None:
    start(world)
    with pytest.raises(LifecyclePolicyPreviewInProgress):
        start(world)

    world.now += HOUR
    assert shown(world).status is Status.FAILED

    start(world)
    assert shown(world).status is Status.IN_PROGRESS


def test_a_preview_that_is_computed_twice_has_its_results_once(world: World) -> None:
    world.preview(TEXT)
    world.write(lambda tx: tx.run("UPDATE lifecycle_preview SET is_complete = 0"))

    world.work_out()

    assert len(shown(world).results) == 1


def test_a_preview_is_deleted_with_its_repository(world: World) -> None:
    start(world)
    world.write(lambda tx: tx.run("DELETE FROM repository"))

    world.work_out()

    assert world.results() == []
