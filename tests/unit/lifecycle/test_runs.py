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
from tests.support.images import digest
from tests.unit.lifecycle.policies import policy, rule
from tests.unit.lifecycle.reference import expected
from tests.unit.lifecycle.registry import DELAY, LifecycleRegistry
from tests.unit.lifecycle.test_selection import policies


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[LifecycleRegistry]:
    made = LifecycleRegistry(tmp_path)
    yield made
    made.database.close()


def test_a_run_removes_surplus_images_with_their_tags_and_keeps_the_rest(registry: LifecycleRegistry) -> None:
    digests = [registry.push(number, f"v{number}", days=10 - number) for number in range(5)]
    registry.put_policy(policy(rule(1, ["v*"], 2)))

    registry.run()

    assert registry.exist(*digests) == [False, False, False, True, True]
    tags = registry.database.read_blocking(lambda tx: tx.all("SELECT name FROM tag ORDER BY name"))
    assert tags == [("v3",), ("v4",)]


def test_a_run_archives_images_and_a_later_run_removes_archived_ones(registry: LifecycleRegistry) -> None:
    old, young = registry.push(1, "old", days=40), registry.push(2, "young", days=10)
    used = registry.push(3, "used", days=40)
    registry.pull(used, days=1)
    registry.put_policy(policy(rule(1, "any", 30, "sinceImagePulled"), rule(2, "any", 90, "sinceImageTransitioned")))

    registry.run()
    assert registry.statuses() == {old: "ARCHIVED", young: "ACTIVE", used: "ACTIVE"}

    registry.now += 91 * DAY
    registry.pull(used)
    registry.pull(young)
    registry.run()
    assert registry.statuses() == {young: "ACTIVE", used: "ACTIVE"}


def test_an_index_keeps_its_images_and_the_run_after_its_removal_removes_them(registry: LifecycleRegistry) -> None:
    child, other = registry.push(1, days=20), registry.push(2, days=20)
    index = registry.push(3, "multi", days=20, children=[child])
    registry.put_policy(policy(rule(1, "untagged", 1, "sinceImagePushed")))

    registry.run()
    assert registry.exist(child, other, index) == [True, False, True]

    registry.put_policy(policy(rule(1, "any", 1, "sinceImagePushed")))
    registry.run()
    assert registry.exist(child, index) == [True, False]
    assert registry.due_at() == registry.now

    registry.run()
    assert registry.exist(child) == [False]


def test_referrers_are_not_selected_by_rules(registry: LifecycleRegistry) -> None:
    subject = registry.push(1, "v1", days=2)
    note = registry.push(2, subject=subject, days=20)
    newest = registry.push(3, "v2", days=1)
    registry.put_policy(policy(rule(1, "any", 2)))

    registry.run()

    assert registry.exist(subject, note, newest) == [True, True, True]


@pytest.mark.parametrize("status", ["ACTIVE", "ARCHIVED"])
def test_an_image_that_an_index_of_either_storage_class_lists_does_not_expire(
    registry: LifecycleRegistry, status: str
) -> None:
    child = registry.push(1, days=20)
    index = registry.push(2, "multi", days=1, children=[child])
    if status == "ARCHIVED":
        registry.archive(index)
    registry.put_policy(policy(rule(1, "untagged", 1, "sinceImagePushed")))

    registry.run()

    assert registry.exist(child, index) == [True, True]


def test_changes_of_an_image_after_its_selection_are_respected(registry: LifecycleRegistry) -> None:
    """An image that was tagged, listed, archived or deleted after its selection waits for the next run."""
    tagged, listed, archived, deleted, other = (registry.push(number, days=20) for number in range(5))
    text = policy(rule(1, "untagged", 1, "sinceImagePushed"))
    registry.put_policy(text)
    choices = registry.choose(text)

    registry.push(0, "v1")
    registry.push(9, "multi", children=[listed])
    registry.archive(archived)
    registry.delete(deleted)

    assert len(choices) == 5
    assert registry.act(text, choices) == 1
    assert registry.exist(tagged, listed, archived, deleted, other) == [True, True, True, False, False]


@pytest.mark.parametrize(("kind", "acts"), [("sinceImagePulled", 0), ("sinceImagePushed", 1)])
def test_a_pull_after_the_selection_matters_to_rules_about_pulls(
    registry: LifecycleRegistry, kind: str, acts: int
) -> None:
    pushed = registry.push(1, days=20)
    text = policy(rule(1, "untagged", 1, kind))
    registry.put_policy(text)
    choices = registry.choose(text)

    registry.pull(pushed)

    assert registry.act(text, choices) == acts


def test_a_replaced_or_deleted_policy_has_no_effect(registry: LifecycleRegistry) -> None:
    pushed = registry.push(1, days=20)
    old, new = (policy(rule(1, "untagged", days, "sinceImagePushed")) for days in (1, 100))
    choices = registry.choose(old)

    registry.put_policy(new)
    assert registry.act(old, choices) == 0

    registry.write(lambda tx: lifecycle.delete(tx, registry.repository))
    assert registry.act(old, choices) == 0
    registry.run()
    assert registry.exist(pushed) == [True]


# --- Orphans --------------------------------------------------------------------------------------------------------


def test_referrers_of_an_expired_image_are_removed_after_it(registry: LifecycleRegistry) -> None:
    subject = registry.push(1, days=20)
    note = registry.push(2, "tagged", subject=subject, days=1)
    note_of_note = registry.push(3, subject=note, days=1)
    listed = registry.push(4, subject=subject, days=1)
    index = registry.push(5, "multi", children=[listed])
    registry.put_policy(policy(rule(1, "untagged", 7, "sinceImagePushed")))

    registry.run()
    assert registry.exist(subject, note, note_of_note) == [False, True, True]
    assert registry.due_at(orphans.JOB) == registry.now + orphans.ORPHAN_LIFE

    registry.remove_orphans(subject)
    assert registry.exist(note, note_of_note, listed, index) == [False, True, True, True]

    registry.remove_orphans(note)
    assert registry.exist(note_of_note, listed) == [False, True]


def test_referrers_of_an_image_that_was_pushed_again_stay(registry: LifecycleRegistry) -> None:
    subject = registry.push(1)
    note = registry.push(2, subject=subject)

    registry.delete(subject)
    assert registry.push(1) == subject
    registry.remove_orphans(subject)

    assert registry.exist(subject, note) == [True, True]


def test_an_artifact_that_is_pushed_after_the_removal_of_its_subject_stays(registry: LifecycleRegistry) -> None:
    subject = registry.push(1)
    note = registry.push(2, subject=subject)

    registry.delete(subject)
    late = registry.push(3, subject=subject, days=-1)
    registry.remove_orphans(subject)

    assert registry.exist(note, late) == [False, True]


def test_an_artifact_that_was_pushed_before_its_subject_is_not_an_orphan(registry: LifecycleRegistry) -> None:
    note = registry.push(2, subject=digest(b"to come"))
    other = registry.push(1)

    registry.delete(other)

    assert registry.exist(note) == [True]
    assert registry.due_at(orphans.JOB) == jobs.NEVER


# --- Due times -------------------------------------------------------------------------------------------------------


def test_a_run_is_due_after_a_push_and_each_day(registry: LifecycleRegistry) -> None:
    registry.push(1, "v1")
    registry.put_policy(policy(rule(1, "any", 5)))
    assert registry.due_at() == registry.now

    registry.run()
    registry.write(lambda tx: tx.run("DELETE FROM job"))
    registry.run()
    assert registry.due_at() == registry.now + DAY

    registry.push(2, "v2")
    assert registry.due_at() == registry.now + DELAY

    registry.now += 10 * SECOND
    registry.push(3, "v3")
    assert registry.due_at() == registry.now - 10 * SECOND + DELAY


def test_a_push_to_a_repository_without_a_policy_schedules_no_run(registry: LifecycleRegistry) -> None:
    registry.push(1, "v1")
    registry.put_policy(policy(rule(1, "any", 5)))
    registry.write(lambda tx: lifecycle.delete(tx, registry.repository))
    registry.write(lambda tx: tx.run("DELETE FROM job"))

    registry.push(2, "v2")
    registry.run()

    assert registry.database.read_blocking(lambda tx: tx.all("SELECT * FROM job")) == []


def test_a_run_records_its_time(registry: LifecycleRegistry) -> None:
    registry.put_policy(policy(rule(1, "any", 5)))
    before = registry.database.read_blocking(lambda tx: lifecycle.get(tx, registry.repository)).evaluated_at
    registry.run()

    assert before == 0
    assert (
        registry.database.read_blocking(lambda tx: lifecycle.get(tx, registry.repository)).evaluated_at == registry.now
    )


# --- A preview predicts the run ---------------------------------------------------------------------------------------


def populate(registry: LifecycleRegistry, data: st.DataObject) -> None:
    """Images with tags, pulls and indexes. Some are archived and some were restored."""
    digests: list[str] = []
    for number in range(data.draw(st.integers(1, 10))):
        days = data.draw(st.integers(100, 300))
        children = data.draw(st.lists(st.sampled_from(digests), max_size=2)) if digests else []
        tags = data.draw(st.lists(st.sampled_from(["a", "b", "ab", "ba"]), max_size=2, unique=True))
        pushed = registry.push(number, *tags, days=days, children=children)
        digests.append(pushed)
        if data.draw(st.booleans()):
            registry.pull(pushed, days=data.draw(st.integers(0, days)))
        if data.draw(st.booleans()):
            registry.archive(pushed, days=data.draw(st.integers(80, 100)))
            if data.draw(st.booleans()):
                registry.restore(pushed, days=data.draw(st.integers(0, 80)))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(policies(), st.data())
def test_a_run_does_what_its_preview_predicts_and_what_the_rules_mean(text: str, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        registry = LifecycleRegistry(Path(folder))
        try:
            populate(registry, data)
            found = registry.database.read_blocking(lambda tx: facts.page(tx, registry.repository.id, 0, 100))
            named = {
                image.digest: priority
                for image in found
                for priority in [expected(parse(text).rules, found, registry.now).get(image.id)]
                if priority is not None
            }
            before = registry.statuses()
            predicted = registry.preview(text)
            registry.put_policy(text)
            registry.run()
            after = registry.statuses()
        finally:
            registry.database.close()

    assert {digest: priority for digest, (_, priority) in predicted.items()} == named
    done = dict.fromkeys(before.keys() - after.keys(), "expire")
    done |= {digest: "transition" for digest, status in after.items() if status != before[digest]}
    assert done == {digest: action for digest, (action, _) in predicted.items()}
