"""The grammar of lifecycle policies, with each rule broken once. ECR user guide, "Lifecycle policy properties"."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from moorage.domain.errors import InvalidParameter
from moorage.domain.lifecycle.policy import parse
from tests.unit.lifecycle.policies import ARCHIVE, EXPIRE, policy, rule

UNREADABLE = "parsing failure: Could not map policyString into LifecyclePolicy."
NULL_LIST = 'instance type (null) does not match any allowed primitive type (allowed: ["array"])'
STANDARD_ONLY = (
    "SINCE_IMAGE_PUSHED, SINCE_IMAGE_PULLED and IMAGE_COUNT_MORE_THAN support the STANDARD storage class only"
)
NO_ALTERNATIVE = "instance failed to match exactly one schema (matched 0 out of 4)"
COUNT_TYPES = ("imageCountMoreThan", "sinceImagePulled", "sinceImagePushed", "sinceImageTransitioned")


def refused(text: str) -> str:
    """The error of a policy."""
    with pytest.raises(InvalidParameter) as caught:
        parse(text)
    before, after = "'Lifecycle policy ", "'"
    message = str(caught.value).removeprefix(
        "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: "
    )
    assert message.startswith(before)
    assert message.endswith(after)
    return message.removeprefix(before).removesuffix(after).removeprefix("validation failure: ")


def changed(change: Callable[[Any], Any]) -> str:
    """A policy with one valid rule, after a change of that rule."""
    changed_rule = rule(1, ["v*"], 5)
    change(changed_rule)
    return policy(changed_rule)


def selecting(**members: Any) -> str:
    """A policy with one valid rule and other members of its selection. Members set to ... are omitted."""
    changed_rule = rule(1, ["v*"], 5)
    changed_rule["selection"] = {
        name: value for name, value in (changed_rule["selection"] | members).items() if value is not ...
    }
    return policy(changed_rule)


@pytest.mark.parametrize(
    "text", ["", "no JSON", '{"rules":[}', '{"rules":[]} x', "[" * 20_000, '{"rules":' + "9" * 6_000]
)
def test_a_text_that_is_not_json_is_not_a_policy(text: str) -> None:
    assert refused(text) == UNREADABLE


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], 'instance type (array) does not match any allowed primitive type (allowed: ["object"])'),
        (None, 'instance type (null) does not match any allowed primitive type (allowed: ["object"])'),
        ({}, 'object has missing required properties (["rules"])'),
        (
            {"rules": [], "version": 1, "a": 2},
            'object instance has properties which are not allowed by the schema: (["a","version"])',
        ),
        ({"rules": {}}, 'instance type (object) does not match any allowed primitive type (allowed: ["array"])'),
        ({"rules": []}, "array is too short: must have at least 1 elements but instance has 0 elements"),
        (
            {"rules": [rule(n, [f"v{n}"], 1) for n in range(1, 52)]},
            "array is too long: must have at most 50 elements but instance has 51 elements",
        ),
        ({"rules": ["x"]}, 'instance type (string) does not match any allowed primitive type (allowed: ["object"])'),
        (
            {"rules": [{"selection": {}}]},
            'object has missing required properties (["action","rulePriority"])',
        ),
    ],
)
def test_a_document_of_another_shape_is_refused(document: Any, reason: str) -> None:
    assert refused(json.dumps(document)) == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda one: one.update(name="x"),
            'object instance has properties which are not allowed by the schema: (["name"])',
        ),
        (
            lambda one: one.update(rulePriority=0),
            "numeric instance is lower than the required minimum (minimum: 1, found: 0)",
        ),
        (
            lambda one: one.update(rulePriority="1"),
            'instance type (string) does not match any allowed primitive type (allowed: ["integer"])',
        ),
        (
            lambda one: one.update(rulePriority=True),
            'instance type (boolean) does not match any allowed primitive type (allowed: ["integer"])',
        ),
        (
            lambda one: one.update(rulePriority=1.5),
            'instance type (number) does not match any allowed primitive type (allowed: ["integer"])',
        ),
        (
            lambda one: one.update(description="x" * 257),
            f'string "{"x" * 257}" is too long (length: 257, maximum allowed: 256)',
        ),
        (
            lambda one: one.update(description=None),
            'instance type (null) does not match any allowed primitive type (allowed: ["string"])',
        ),
        (lambda one: one.update(action={}), 'object has missing required properties (["type"])'),
        (
            lambda one: one.update(action={"type": "delete"}),
            'instance value (delete) not found in enum :(possible values: ["expire", "transition"])',
        ),
        (
            lambda one: one.update(action=EXPIRE | {"at": "once"}),
            'object instance has properties which are not allowed by the schema: (["at"])',
        ),
        (
            lambda one: one.update(action=EXPIRE | {"targetStorageClass": "archive"}),
            "instance failed to match exactly one schema (matched 0 out of 2)",
        ),
        (lambda one: one.update(action={"type": "transition"}), UNREADABLE),
        (lambda one: one.update(rulePriority=2**31), UNREADABLE),
        (lambda one: one.update(rulePriority=10**19), UNREADABLE),
        (
            lambda one: one.update(action=ARCHIVE | {"targetStorageClass": "standard"}),
            'instance value (standard) not found in enum :(possible values: ["archive"])',
        ),
    ],
)
def test_an_invalid_rule_is_refused(change: Callable[[Any], Any], reason: str) -> None:
    assert refused(changed(change)) == reason


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        (
            {"countNumber": ..., "tagStatus": ...},
            'object has missing required properties (["countNumber","tagStatus"])',
        ),
        ({"tag": "v1"}, 'object instance has properties which are not allowed by the schema: (["tag"])'),
        (
            {"tagStatus": "none"},
            'instance value (none) not found in enum :(possible values: ["any", "tagged", "untagged"])',
        ),
        (
            {"countType": "age"},
            "instance value (age) not found in enum :(possible values: ["
            + ", ".join(f'"{name}"' for name in COUNT_TYPES)
            + "])",
        ),
        (
            {"countType": "sinceImagePushed", "countUnit": "weeks"},
            'instance value (weeks) not found in enum :(possible values: ["days"])',
        ),
        (
            {"storageClass": "cold"},
            'instance value (cold) not found in enum :(possible values: ["archive", "standard"])',
        ),
        ({"countNumber": 0}, "numeric instance is lower than the required minimum (minimum: 1, found: 0)"),
        (
            {"countType": "sinceImageTransitioned", "countUnit": "days", "storageClass": "archive", "countNumber": 89},
            "numeric instance is lower than the required minimum (minimum: 90, found: 89)",
        ),
        (
            {"tagPatternList": []},
            "array is too short: must have at least 1 elements but instance has 0 elements",
        ),
        (
            {"tagPatternList": "v*"},
            'instance type (string) does not match any allowed primitive type (allowed: ["array"])',
        ),
        (
            {"tagPatternList": [1]},
            'instance type (integer) does not match any allowed primitive type (allowed: ["string"])',
        ),
        ({"tagPatternList": [""]}, 'string "" is too short (length: 0, required minimum: 1)'),
        ({"tagPatternList": ["a*b*c*d*e*"]}, "Invalid tag pattern provided. Total number of * must not exceed 4"),
        ({"tagPatternList": ..., "tagPrefixList": [""]}, 'string "" is too short (length: 0, required minimum: 1)'),
        (
            {"tagPrefixList": ["v"]},
            "If policy has a tagged rule, it must specify only one of tagPrefixList or tagPatternList",
        ),
        ({"tagPatternList": ...}, "Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED."),
        ({"tagStatus": "untagged"}, "Cannot specify tagPatternList with tagStatus untagged"),
        ({"tagStatus": "any"}, "Cannot specify tagPatternList with tagStatus any"),
        (
            {"tagStatus": "untagged", "tagPatternList": ..., "tagPrefixList": ["v"]},
            "Cannot specify tagPrefixList with tagStatus untagged",
        ),
        ({"tagPatternList": None}, NULL_LIST),
        ({"tagPatternList": None, "tagPrefixList": None}, f"{NULL_LIST}\n{NULL_LIST}"),
        ({"countNumber": 2**31}, UNREADABLE),
        ({"countNumber": None}, NO_ALTERNATIVE),
        ({"countUnit": "days"}, NO_ALTERNATIVE),
        ({"storageClass": "archive"}, STANDARD_ONLY),
        ({"countType": "sinceImagePushed"}, NO_ALTERNATIVE),
        ({"countType": "sinceImagePulled"}, NO_ALTERNATIVE),
        ({"countType": "sinceImagePushed", "countUnit": "days", "storageClass": "archive"}, STANDARD_ONLY),
        ({"countType": "sinceImageTransitioned", "countUnit": "days", "countNumber": 90}, NO_ALTERNATIVE),
        ({"countType": "sinceImageTransitioned", "storageClass": "archive", "countNumber": 90}, NO_ALTERNATIVE),
    ],
)
def test_an_invalid_selection_is_refused(members: dict[str, Any], reason: str) -> None:
    assert refused(selecting(**members)) == reason


@pytest.mark.parametrize(
    ("kind", "action", "word"),
    [("sinceImagePulled", EXPIRE, "expire"), ("sinceImageTransitioned", ARCHIVE, "transition")],
)
def test_an_action_that_does_not_match_its_count_is_refused(kind: str, action: Any, word: str) -> None:
    reason = f"the action {word} is not allowed with the countType {kind}"

    assert refused(policy(rule(1, "any", 90, kind, action=action))) == reason


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ([rule(7, ["a"], 1), rule(7, ["b"], 1)], "Duplicate priority in multiple rules"),
        (
            [rule(1, "any", 1), rule(2, ["a"], 1)],
            "Rule for tagStatus=ANY must have the lowest priority per storage class",
        ),
        (
            [rule(1, "any", 1), rule(2, "any", 2)],
            "Only one rule can specify tagStatus=ANY",
        ),
        (
            [rule(1, "untagged", 1), rule(2, "untagged", 2)],
            "Only one rule can select Untagged images per storage class.",
        ),
        (
            [rule(1, ["a", "b"], 1), rule(2, ["b", "a"], 2)],
            "tagPrefixList and tagPatternList must be unique among the rules of a storage class",
        ),
    ],
)
def test_contradicting_rules_are_refused(rules: list[Any], reason: str) -> None:
    assert refused(policy(*rules)) == reason


def test_rules_of_one_storage_class_do_not_restrict_those_of_the_other() -> None:
    active = [rule(1, ["a"], 1), rule(2, "untagged", 1), rule(3, "any", 1)]
    tag_requirements: list[str | list[str]] = [["a"], "untagged", "any"]
    archived = [rule(n, tags, 90, "sinceImageTransitioned") for n, tags in enumerate(tag_requirements, start=4)]

    assert [each.for_archived for each in parse(policy(*active, *archived)).rules] == [False] * 3 + [True] * 3


def test_the_text_is_returned_without_white_space_in_the_order_of_the_grammar() -> None:
    """The first example of PutLifecyclePolicy in ECR's API reference, with its members shuffled."""
    text = """{ "rules": [ {
        "action": { "type": "expire" },
        "selection": {
            "countUnit": "days", "countNumber": 14, "countType": "sinceImagePushed", "tagStatus": "untagged" },
        "description": "Expire images older than 14 days",
        "rulePriority": 1 } ] }"""

    assert parse(text).text == (
        '{"rules":[{"rulePriority":1,"description":"Expire images older than 14 days","selection":'
        '{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":14},'
        '"action":{"type":"expire"}}]}'
    )


def test_the_text_has_the_rules_by_priority_and_omits_omitted_members() -> None:
    """hashicorp/terraform-provider-aws#22639."""
    first, second = rule(2, ["é*"], 1, storageClass="standard"), rule(1, ["b"], 1, action=ARCHIVE)

    found = parse(policy(first, second))

    assert json.loads(found.text) == {"rules": [second, first]}
    assert "é*" in found.text
    assert parse(found.text) == found
    assert [each.priority for each in found.rules] == [1, 2]


@pytest.mark.parametrize("member", ["tagPatternList", "tagPrefixList"])
def test_patterns_and_prefixes_have_at_most_the_length_of_a_tag(member: str) -> None:
    lists: dict[str, Any] = {"tagPatternList": ..., "tagPrefixList": ...}

    parse(selecting(**lists | {member: ["a" * 300]}))
    assert "300" in refused(selecting(**lists | {member: ["a" * 301]}))
