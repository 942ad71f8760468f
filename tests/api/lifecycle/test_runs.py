"""Lifecycle policy runs: what a run removes, archives and keeps, and when the next one is due."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage.core.lifecycle import orphans
from moorage.core.lifecycle import policies as lifecycle
from moorage.domain.lifecycle.policy import parse
from moorage.domain.units import DAY, SECOND
from moorage.metadata import jobs
from moorage.metadata.lifecycle import facts
from tests.api.lifecycle.world import DELAY, World
from tests.support.images import digest
from tests.unit.lifecycle.policies import policy, rule
from tests.unit.lifecycle.reference import expected
from tests.unit.lifecycle.test_selection import policies


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.database.close()


def test_a_run_removes_surplus_images_with_their_tags_and_keeps_the_rest(world: World) -> None:
    digests = [world.push(number, f"v{number}", days=10 - number) for number in range(5)]
    world.put_policy(policy(rule(1, ["v*"], 2)))

    world.run()

    assert world.there(*digests) == [False, False, False, True, True]
    tags = world.database.read_blocking(lambda tx: tx.all("SELECT name FROM tag ORDER BY name"))
    assert tags == [("v3",), ("v4",)]


def test_a_run_archives_images_and_a_later_run_removes_archived_ones(world: World) -> None:
    old, young = world.push(1, "old", days=40), world.push(2, "young", days=10)
    used = world.push(3, "used", days=40)
    world.pull(used, days=1)
    world.put_policy(policy(rule(1, "any", 30, "sinceImagePulled"), rule(2, "any", 90, "sinceImageTransitioned")))

    world.run()
    assert world.statuses() == {old: "ARCHIVED", young: "ACTIVE", used: "ACTIVE"}

    world.now += 91 * DAY
    world.pull(used)
    world.pull(young)
    world.run()
    assert world.statuses() == {young: "ACTIVE", used: "ACTIVE"}


def test_an_index_keeps_its_images_and_the_run_after_its_removal_removes_them(world: World) -> None:
    child, other = world.push(1, days=20), world.push(2, days=20)
    index = world.push(3, "multi", days=20, children=[child])
    world.put_policy(policy(rule(1, "untagged", 1, "sinceImagePushed")))

    world.run()
    assert world.there(child, other, index) == [True, False, True]

    world.put_policy(policy(rule(1, "any", 1, "sinceImagePushed")))
    world.run()
    assert world.there(child, index) == [True, False]
    assert world.due_at() == world.now

    world.run()
    assert world.there(child) == [False]


def test_referrers_are_not_selected_by_rules(world: World) -> None:
    subject = world.push(1, "v1", days=2)
    note = world.push(2, subject=subject, days=20)
    newest = world.push(3, "v2", days=1)
    world.put_policy(policy(rule(1, "any", 2)))

    world.run()

    assert world.there(subject, note, newest) == [True, True, True]


@pytest.mark.parametrize("status", ["ACTIVE", "ARCHIVED"])
def test_an_image_that_an_index_of_either_storage_class_lists_does_not_expire(world: World, status: str) -> None:
    child = world.push(1, days=20)
    index = world.push(2, "multi", days=1, children=[child])
    if status == "ARCHIVED":
        world.archive(index)
    world.put_policy(policy(rule(1, "untagged", 1, "sinceImagePushed")))

    world.run()

    assert world.there(child, index) == [True, True]


def test_changes_of_an_image_after_its_selection_are_respected(world: World) -> None:
    """An image that was tagged, listed, archived or deleted after its selection waits for the next run."""
    tagged, listed, archived, deleted, other = (world.push(number, days=20) for number in range(5))
    text = policy(rule(1, "untagged", 1, "sinceImagePushed"))
    world.put_policy(text)
    choices = world.choose(text)

    world.push(0, "v1")
    world.push(9, "multi", children=[listed])
    world.archive(archived)
    world.delete(deleted)

    assert len(choices) == 5
    assert world.act(text, choices) == 1
    assert world.there(tagged, listed, archived, deleted, other) == [True, True, True, False, False]


@pytest.mark.parametrize(("kind", "acts"), [("sinceImagePulled", 0), ("sinceImagePushed", 1)])
def test_a_pull_after_the_selection_matters_to_rules_about_pulls(world: World, kind: str, acts: int) -> None:
    one = world.push(1, days=20)
    text = policy(rule(1, "untagged", 1, kind))
    world.put_policy(text)
    choices = world.choose(text)

    world.pull(one)

    assert world.act(text, choices) == acts


def test_a_replaced_or_deleted_policy_has_no_effect(world: World) -> None:
    one = world.push(1, days=20)
    old, new = (policy(rule(1, "untagged", days, "sinceImagePushed")) for days in (1, 100))
    choices = world.choose(old)

    world.put_policy(new)
    assert world.act(old, choices) == 0

    world.write(lambda tx: lifecycle.delete(tx, world.repository))
    assert world.act(old, choices) == 0
    world.run()
    assert world.there(one) == [True]


# --- Orphans --------------------------------------------------------------------------------------------------------


def test_referrers_of_an_expired_image_are_removed_after_it(world: World) -> None:
    subject = world.push(1, days=20)
    note = world.push(2, "tagged", subject=subject, days=1)
    note_of_note = world.push(3, subject=note, days=1)
    listed = world.push(4, subject=subject, days=1)
    index = world.push(5, "multi", children=[listed])
    world.put_policy(policy(rule(1, "untagged", 7, "sinceImagePushed")))

    world.run()
    assert world.there(subject, note, note_of_note) == [False, True, True]
    assert world.due_at(orphans.JOB) == world.now + orphans.LIFE

    world.remove_orphans(subject)
    assert world.there(note, note_of_note, listed, index) == [False, True, True, True]

    world.remove_orphans(note)
    assert world.there(note_of_note, listed) == [False, True]


def test_referrers_of_an_image_that_was_pushed_again_stay(world: World) -> None:
    subject = world.push(1)
    note = world.push(2, subject=subject)

    world.delete(subject)
    assert world.push(1) == subject
    world.remove_orphans(subject)

    assert world.there(subject, note) == [True, True]


def test_an_artifact_that_is_pushed_after_the_removal_of_its_subject_stays(world: World) -> None:
    subject = world.push(1)
    note = world.push(2, subject=subject)

    world.delete(subject)
    late = world.push(3, subject=subject, days=-1)
    world.remove_orphans(subject)

    assert world.there(note, late) == [False, True]


def test_an_artifact_that_was_pushed_before_its_subject_is_not_an_orphan(world: World) -> None:
    note = world.push(2, subject=digest(b"to come"))
    other = world.push(1)

    world.delete(other)

    assert world.there(note) == [True]
    assert world.due_at(orphans.JOB) == jobs.NEVER


# --- Due times -------------------------------------------------------------------------------------------------------


def test_a_run_is_due_after_a_push_and_each_day(world: World) -> None:
    world.push(1, "v1")
    world.put_policy(policy(rule(1, "any", 5)))
    assert world.due_at() == world.now

    world.run()
    world.write(lambda tx: tx.run("DELETE FROM job"))
    world.run()
    assert world.due_at() == world.now + DAY

    world.push(2, "v2")
    assert world.due_at() == world.now + DELAY

    world.now += 10 * SECOND
    world.push(3, "v3")
    assert world.due_at() == world.now - 10 * SECOND + DELAY


def test_a_push_to_a_repository_without_a_policy_schedules_no_run(world: World) -> None:
    world.push(1, "v1")
    world.put_policy(policy(rule(1, "any", 5)))
    world.write(lambda tx: lifecycle.delete(tx, world.repository))
    world.write(lambda tx: tx.run("DELETE FROM job"))

    world.push(2, "v2")
    world.run()

    assert world.database.read_blocking(lambda tx: tx.all("SELECT * FROM job")) == []


def test_a_run_records_its_time(world: World) -> None:
    world.put_policy(policy(rule(1, "any", 5)))
    before = world.database.read_blocking(lambda tx: lifecycle.get(tx, world.repository)).evaluated_at
    world.run()

    assert before == 0
    assert world.database.read_blocking(lambda tx: lifecycle.get(tx, world.repository)).evaluated_at == world.now


# --- A preview predicts the run ---------------------------------------------------------------------------------------


def populate(world: World, data: st.DataObject) -> None:
    """Images with tags, pulls and indexes. Some are archived and some were restored."""
    digests: list[str] = []
    for number in range(data.draw(st.integers(1, 10))):
        days = data.draw(st.integers(100, 300))
        children = data.draw(st.lists(st.sampled_from(digests), max_size=2)) if digests else []
        tags = data.draw(st.lists(st.sampled_from(["a", "b", "ab", "ba"]), max_size=2, unique=True))
        one = world.push(number, *tags, days=days, children=children)
        digests.append(one)
        if data.draw(st.booleans()):
            world.pull(one, days=data.draw(st.integers(0, days)))
        if data.draw(st.booleans()):
            world.archive(one, days=data.draw(st.integers(80, 100)))
            if data.draw(st.booleans()):
                world.restore(one, days=data.draw(st.integers(0, 80)))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(policies(), st.data())
def test_a_run_does_what_its_preview_predicts_and_what_the_rules_mean(text: str, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        try:
            populate(world, data)
            found = world.database.read_blocking(lambda tx: facts.page(tx, world.repository.id, 0, 100))
            named = {
                image.digest: priority
                for image in found
                for priority in [expected(parse(text).rules, found, world.now).get(image.id)]
                if priority is not None
            }
            before = world.statuses()
            predicted = world.preview(text)
            world.put_policy(text)
            world.run()
            after = world.statuses()
        finally:
            world.database.close()

    assert {digest: priority for digest, (_, priority) in predicted.items()} == named
    done = dict.fromkeys(before.keys() - after.keys(), "expire")
    done |= {digest: "transition" for digest, status in after.items() if status != before[digest]}
    assert done == {digest: action for digest, (action, _) in predicted.items()}
