"""The images that rules select: ECR's examples, each rule, and random policies against a naive evaluator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage.domain.lifecycle.policy import Rule, parse
from moorage.domain.lifecycle.selection import Choice, LifecycleFacts, Selection
from moorage.domain.units import DAY
from tests.unit.lifecycle.policies import ARCHIVE, policy, rule
from tests.unit.lifecycle.reference import expected

NOW = 1_000 * DAY


def facts(number: int, tags: str, days: float, **more: Any) -> LifecycleFacts:
    """An image that was pushed so many days ago."""
    at = {name: NOW - round(ago * DAY) for name, ago in more.items() if name.endswith("_at")}
    flags = {name: value for name, value in more.items() if name.startswith("is_")}
    given_facts = {
        "activated_at": None,
        "pulled_at": None,
        "archived_at": None,
        "is_archived": False,
        "is_listed": False,
        "is_listed_actively": False,
        **at,
        **flags,
    }
    pushed_at = NOW - round(days * DAY)
    return LifecycleFacts(
        id=number, digest=f"sha256:{number}", pushed_at=pushed_at, tags=tuple(tags.split()), **given_facts
    )


def images(*described: tuple[str, float]) -> list[LifecycleFacts]:
    """Images A, B, C … with their tags and their ages in days."""
    return [facts(number, tags, days) for number, (tags, days) in enumerate(described)]


def select(rules: Sequence[Rule], found: list[LifecycleFacts]) -> list[Choice]:
    selection = Selection(rules, NOW)
    for each in found:
        selection.add(each)
    return selection.selected()


def chosen(text: str, found: list[LifecycleFacts]) -> dict[str, int]:
    """The priority of the rule that acts on an image, by the image's letter."""
    choices = select(parse(text).rules, found)
    assert len({choice.image_id for choice in choices}) == len(choices)
    return {chr(ord("A") + choice.image_id): choice.rule.priority for choice in choices}


# --- The examples of ECR's user guide ("Examples of lifecycle policies") --------------------------------------------


def test_an_image_that_a_rule_of_higher_priority_keeps_does_not_expire() -> None:
    found = images(("beta-1 prod-1", 10), ("beta-2 prod-2", 9), ("beta-3", 8))

    assert chosen(policy(rule(1, ["prod*"], 1), rule(2, ["beta*"], 1)), found) == {"A": 1}


def test_the_other_rule_decides_when_the_priorities_are_swapped() -> None:
    found = images(("beta-1 prod-1", 10), ("beta-2 prod-2", 9), ("beta-3", 8))

    assert chosen(policy(rule(1, ["beta*"], 1), rule(2, ["prod*"], 1)), found) == {"A": 1, "B": 1}


def test_every_pattern_of_a_list_must_match() -> None:
    found = images(
        ("alpha-1", 12), ("beta-1", 11), ("alpha-2 beta-2", 10), ("alpha-3", 4), ("beta-3", 3), ("alpha-4 beta-4", 2)
    )

    assert chosen(policy(rule(1, ["alpha*", "beta*"], 5, "sinceImagePushed")), found) == {"C": 1}


def test_a_rule_for_any_image_ignores_images_that_another_rule_sees() -> None:
    found = images(("alpha-1 beta-1", 4), ("", 3), ("alpha-2", 2), ("git-hash", 1.5), ("", 1))

    rules = [rule(1, ["alpha*"], 1), rule(2, "untagged", 1, "sinceImagePushed"), rule(3, "any", 1)]

    assert chosen(policy(*rules), found) == {"A": 1, "B": 2, "D": 3}


def test_a_rule_for_any_image_keeps_the_youngest() -> None:
    found = images(("a", 4), ("", 3), ("b", 2), ("", 1))

    assert chosen(policy(rule(1, "any", 1)), found) == {"A": 1, "B": 1, "C": 1}


# --- Counting and ages ----------------------------------------------------------------------------------------------


def test_images_that_one_rule_expires_count_for_the_next() -> None:
    """B is the third of three tagged `b…`. A counts although another rule acts on it."""
    found = images(("b-3", 3), ("b-2", 2), ("a b-1", 1))

    assert chosen(policy(rule(1, ["a"], 1, "sinceImagePushed"), rule(2, ["b*"], 2)), found) == {"A": 2}


@pytest.mark.parametrize(("days", "is_chosen"), [(6.9, False), (7, False), (7.1, True)])
def test_older_than_so_many_days_excludes_the_last_day(days: float, is_chosen: bool) -> None:
    found = images(("", days))

    assert chosen(policy(rule(1, "untagged", 7, "sinceImagePushed")), found) == ({"A": 1} if is_chosen else {})


@pytest.mark.parametrize(
    ("times", "is_chosen"),
    [
        ({}, True),
        ({"pulled_at": 5}, False),
        ({"pulled_at": 50}, True),
        ({"activated_at": 5}, False),
        ({"activated_at": 5, "pulled_at": 50}, False),
        ({"activated_at": 50}, True),
        ({"activated_at": 50, "pulled_at": 40}, True),
    ],
)
def test_unused_time_counts_from_the_last_pull_or_restore(times: dict[str, float], is_chosen: bool) -> None:
    found = [facts(0, "a", 100, **times)]

    assert chosen(policy(rule(1, "any", 30, "sinceImagePulled")), found) == ({"A": 1} if is_chosen else {})


def test_the_age_of_a_restored_image_counts_from_its_restore() -> None:
    found = [facts(0, "", 100, activated_at=1), facts(1, "", 50)]

    assert chosen(policy(rule(1, "any", 1)), found) == {"B": 1}
    assert chosen(policy(rule(1, "any", 10, "sinceImagePushed")), found) == {"B": 1}


def test_rules_of_one_storage_class_do_not_see_images_of_the_other() -> None:
    archived = facts(0, "a", 500, archived_at=100, is_archived=True)
    rules = [rule(1, "any", 1), rule(2, "any", 90, "sinceImageTransitioned")]

    assert chosen(policy(*rules), [archived, facts(1, "b", 400), facts(2, "c", 300)]) == {"A": 2, "B": 1}


def test_an_archived_image_expires_by_the_time_of_its_archival() -> None:
    text = policy(rule(1, "any", 90, "sinceImageTransitioned"))
    found = [facts(n, "", 500, archived_at=days, is_archived=True) for n, days in enumerate((89, 91))]

    assert chosen(text, found) == {"B": 1}


@pytest.mark.parametrize(
    ("flags", "expires", "is_archived"),
    [
        ({"is_listed": False, "is_listed_actively": False}, True, True),
        ({"is_listed": True, "is_listed_actively": False}, False, True),
        ({"is_listed": True, "is_listed_actively": True}, False, False),
    ],
)
def test_an_image_that_an_index_lists_is_not_selected(flags: dict[str, bool], expires: bool, is_archived: bool) -> None:
    """It counts but is not acted on. An image of an archived index may be archived."""
    found = [facts(0, "", 20, **flags), facts(1, "", 10)]

    assert chosen(policy(rule(1, "any", 1)), found) == ({"A": 1} if expires else {})
    assert chosen(policy(rule(1, "any", 1, action=ARCHIVE)), found) == ({"A": 1} if is_archived else {})


@pytest.mark.parametrize(
    ("pattern", "tag", "is_met"),
    [
        ("v1", "v1", True),
        ("v1", "v12", False),
        ("*", "anything", True),
        ("v*", "v", True),
        ("*-dev", "v1-dev", True),
        ("*-dev", "v1-dev2", False),
        ("a*b*c", "abc", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "ac", False),
        ("ab*ba", "aba", False),
        ("*a*a*", "a", False),
        ("a.c", "abc", False),
    ],
)
def test_a_pattern_matches_a_whole_tag(pattern: str, tag: str, is_met: bool) -> None:
    found = images((f"other {tag}", 9))

    assert chosen(policy(rule(1, [pattern], 1, "sinceImagePushed")), found) == ({"A": 1} if is_met else {})


def test_a_prefix_matches_the_beginning_of_a_tag() -> None:
    text = policy(rule(1, "tagged", 1, "sinceImagePushed", tagPrefixList=["v", "x*"]))

    assert chosen(text, images(("v1 x*2", 9), ("v1 x2", 9), ("a-v x*", 9))) == {"A": 1}


def test_selected_images_are_in_the_order_of_their_pushes() -> None:
    found = [facts(2, "", 4), facts(0, "", 10, activated_at=1.5), facts(1, "a", 3)]
    rules = [rule(1, ["a"], 1, "sinceImagePushed"), rule(2, "any", 1, "sinceImagePushed")]

    assert list(chosen(policy(*rules), found)) == ["A", "B", "C"]


# --- Comparison with a naive evaluator ------------------------------------------------------------------------------

_WORDS = ("a", "b", "ab", "a-b", "ba")
_PATTERNS = ("a", "b", "a*", "*b", "*", "a*b", "*a*b*", "b*a")


@st.composite
def repositories(draw: st.DrawFn) -> list[LifecycleFacts]:
    """Images of all kinds, in any order."""
    found = []
    for number in range(draw(st.integers(0, 12))):
        days = draw(st.integers(0, 300))
        since_then = st.none() | st.integers(0, days)
        times = {name: draw(since_then) for name in ("activated_at", "pulled_at", "archived_at")}
        is_listed = draw(st.booleans())
        flags = {
            "is_archived": times["archived_at"] is not None and draw(st.booleans()),
            "is_listed": is_listed,
            "is_listed_actively": is_listed and draw(st.booleans()),
        }
        tags = " ".join(sorted(draw(st.sets(st.sampled_from(_WORDS), max_size=3))))
        known = {name: ago for name, ago in times.items() if ago is not None}
        found.append(facts(number, tags, days, **known, **flags))
    return draw(st.permutations(found))


@st.composite
def policies(draw: st.DrawFn) -> str:
    """A policy of up to five rules that the grammar allows."""
    kinds = ["imageCountMoreThan", "sinceImagePushed", "sinceImagePulled", "sinceImageTransitioned"]
    statuses = [*draw(st.lists(st.sampled_from(["tagged", "tagged", "untagged"]), max_size=4)), "any"]
    rules, taken = [], set()
    for priority, status in enumerate(statuses, start=1):
        kind = draw(st.sampled_from(kinds))
        patterns = draw(st.lists(st.sampled_from(_PATTERNS), min_size=1, max_size=2))
        tags = patterns if status == "tagged" else status
        identity = (kind == "sinceImageTransitioned", frozenset(tags))
        if identity in taken:
            continue
        taken.add(identity)
        counts = {"imageCountMoreThan": st.integers(1, 4), "sinceImageTransitioned": st.integers(90, 250)}
        more = {"action": ARCHIVE} if kind in kinds[:2] and draw(st.booleans()) else {}
        rules.append(rule(priority, tags, draw(counts.get(kind, st.integers(1, 250))), kind, **more))
    return policy(*draw(st.permutations(rules)))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(policies(), repositories())
def test_the_selected_images_are_those_of_the_naive_evaluator(text: str, found: list[LifecycleFacts]) -> None:
    rules = parse(text).rules
    choices = select(rules, found)

    assert {choice.image_id: choice.rule.priority for choice in choices} == expected(rules, found, NOW)
