"""Wildcards: what they match, and that no pattern and no text makes matching slow."""

from __future__ import annotations

import itertools
import re
import time
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage.domain.identity.policies.document import PolicyKind, accept_policy
from moorage.domain.identity.policies.patterns import matcher, matches_all_with, parse_pattern
from moorage.http.request_context import MAX_USER_AGENT_LENGTH
from tests.support.policies import policy
from tests.unit.policies.requests import allow, decided, identity, request

SMALL = st.text("ab*?", max_size=8)


def matches(pattern: str, text: str) -> bool:
    parts = parse_pattern(pattern, variables=False).fixed
    assert parts is not None
    return matcher(parts)(text)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(SMALL, st.text("ab", max_size=8))
def test_wildcards_match_like_a_regular_expression(pattern: str, text: str) -> None:
    expression = pattern.replace("*", ".*").replace("?", ".")

    assert matches(pattern, text) == (re.fullmatch(expression, text) is not None)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(SMALL, st.text("ab", max_size=4))
def test_a_pattern_matches_all_some_or_none_of_the_texts_with_a_beginning(pattern: str, beginning: str) -> None:
    """Compared with all texts that are up to four characters longer. One of these characters is in no pattern.

    A pattern with a `?` counts as matching only some of them: that errs against the caller.
    """
    parts = parse_pattern(pattern, variables=False).fixed
    assert parts is not None
    longer = [beginning + "".join(more) for size in range(1, 5) for more in itertools.product("abc", repeat=size)]
    matching = [text for text in longer if matches(pattern, text)]

    found = matches_all_with(beginning, parts)

    assert found is True or "?" in pattern or len(matching) < len(longer)
    assert found is not True or len(matching) == len(longer)
    assert found is not False or not matching


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("*a" * 5_000, "a" * 4_999 + "b"),
        ("*a?" * 3_000 + "b", "b" + "a" * 60_000),
        ("*" * 10_000 + "?", "a" * 60_000),
        ("?" * 10_000, "a" * 60_000),
        ("*ab?" * 2_500, "ab" * 30_000 + "bb"),
    ],
    ids=["stars", "stars and marks", "only stars", "only marks", "nearly"],
)
def test_the_worst_patterns_on_the_longest_texts_are_fast(pattern: str, text: str) -> None:
    """A policy has up to 10,240 characters, and a header of a request up to 64 KiB."""
    matches(pattern, "b")
    parts = parse_pattern(pattern, variables=False).fixed or ()
    started = time.process_time()

    matches(pattern, text)
    matches_all_with(text[:1000], parts)

    assert time.process_time() - started < 0.5


def test_the_value_of_a_variable_has_no_wildcards() -> None:
    """Otherwise a user called "*" would match every user."""
    granted = identity(allow("ecr:*", Resource="arn:aws:ecr:eu-west-1:111111111111:repository/${aws:UserAgent}/app"))
    resource = "arn:aws:ecr:eu-west-1:111111111111:repository/team/app"

    assert decided(request(resource=resource, user_agent="team"), identity=granted).allowed
    assert not decided(request(resource=resource, user_agent="*"), identity=granted).allowed
    assert not decided(request(resource=resource, user_agent="te?m"), identity=granted).allowed


def test_a_policy_full_of_patterns_is_fast() -> None:
    """As many patterns as possible, none of which matches the longest value of a header."""
    patterns = [f"*a?{number:08b}" for number in range(256)] * 2
    longest = "a" + "".join(Random(1).choices("01", k=MAX_USER_AGENT_LENGTH - 2)) + "z"
    statement = {"Effect": "Allow", "Principal": "*", "Action": "ecr:*"}
    text = policy(statement | {"Condition": {"StringLike": {"aws:UserAgent": patterns}}})
    policies = (accept_policy(text, PolicyKind.REPOSITORY),)
    started = time.process_time()

    decision = decided(request(user_agent=longest), resource=policies)

    assert not decision.allowed
    assert time.process_time() - started < 1
