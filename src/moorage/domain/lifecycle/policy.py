"""The grammar of lifecycle policies, and the form in which ECR returns them.

    { "rules": [ { "rulePriority": 1,                                     1 to 50 rules
                   "description": "…",                                    optional
                   "selection": { "tagStatus": "tagged",                  or untagged, any
                                  "tagPatternList": ["v*"],               or tagPrefixList; one, with tagged only
                                  "storageClass": "standard",             or archive
                                  "countType": "imageCountMoreThan",      or sinceImagePushed, …Pulled, …Transitioned
                                  "countUnit": "days",                    with since… only
                                  "countNumber": 10 },
                   "action": { "type": "expire" } } ] }                   or transition, to targetStorageClass archive

Errors within a member have the text of ECR's validator, those between members and rules ECR's own text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from moorage.domain.lifecycle import schema
from moorage.domain.lifecycle.schema import invalid

RULE_LIMIT: Final = 50
"""Maximum number of rules in a policy (ECR quotas)."""

STAR_LIMIT: Final = 4
"""Maximum number of wildcards in a tag pattern (ECR user guide, "Lifecycle policy properties")."""

_DESCRIPTION_LENGTHS: Final = range(257)
_TAG_LENGTHS: Final = range(1, 301)
"""Lengths of prefixes and patterns, those of a tag. An empty prefix would match every tag, so it is rejected."""

_RULE: Final = ("rulePriority", "description", "selection", "action")
_SELECTION: Final = (
    "tagStatus",
    "tagPatternList",
    "tagPrefixList",
    "storageClass",
    "countType",
    "countUnit",
    "countNumber",
)
_TAG_LISTS: Final = ("tagPatternList", "tagPrefixList")
_STANDARD_ONLY: Final = (
    "SINCE_IMAGE_PUSHED, SINCE_IMAGE_PULLED and IMAGE_COUNT_MORE_THAN support the STANDARD storage class only"
)
_ACTION: Final = ("type", "targetStorageClass")
"""The members, in the order in which ECR returns them."""


@dataclass(frozen=True, slots=True)
class _CountType:
    """The requirements of a countType."""

    storage_class: str
    has_unit: bool
    actions: frozenset[str]
    minimum: int = 1


_BOTH: Final = frozenset({"expire", "transition"})
_COUNTS: Final[Mapping[str, _CountType]] = {
    "imageCountMoreThan": _CountType("standard", has_unit=False, actions=_BOTH),
    "sinceImagePushed": _CountType("standard", has_unit=True, actions=_BOTH),
    "sinceImagePulled": _CountType("standard", has_unit=True, actions=frozenset({"transition"})),
    # Archived images are kept for at least 90 days (ECR user guide, "Lifecycle policy properties", countNumber).
    "sinceImageTransitioned": _CountType("archive", has_unit=True, actions=frozenset({"expire"}), minimum=90),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A checked rule. Only rules with the tag status `tagged` have prefixes or patterns."""

    priority: int
    tag_status: str
    prefixes: tuple[str, ...]
    patterns: tuple[str, ...]
    for_archived: bool
    count_type: str
    count_number: int
    action: str


@dataclass(frozen=True, slots=True)
class LifecyclePolicy:
    """A lifecycle policy. `rules` are sorted by ascending priority; `text` is what ECR returns."""

    rules: tuple[Rule, ...]
    text: str


def parse(text: str) -> LifecyclePolicy:
    """Read a policy. Raises InvalidParameter."""
    document = schema.members(schema.decoded(text), required=("rules",))
    items = schema.array(document["rules"], range(1, RULE_LIMIT + 1))
    rules = [_rule(item) for item in items]
    _check_priorities(rules)
    for archived in (False, True):
        _check_tag_requirements([rule for rule in rules if rule.for_archived == archived])
    items.sort(key=lambda item: item["rulePriority"])
    compact = msgspec.json.encode({"rules": [_ordered_rule(item) for item in items]}).decode()
    return LifecyclePolicy(tuple(sorted(rules, key=lambda rule: rule.priority)), compact)


# --- One rule ---------------------------------------------------------------------------------------------------


def _rule(item: Any) -> Rule:
    found = schema.members(item, required=("action", "rulePriority", "selection"), optional=("description",))
    priority = schema.integer(found["rulePriority"], minimum=1)
    if "description" in found:
        schema.string(found["description"], _DESCRIPTION_LENGTHS)
    selection = _selection(found["selection"])
    action = _action(found["action"])
    count = _COUNTS[selection["countType"]]
    if action not in count.actions:
        raise invalid(f"the action {action} is not allowed with the countType {selection['countType']}")
    return Rule(
        priority=priority,
        tag_status=selection["tagStatus"],
        prefixes=tuple(selection.get("tagPrefixList", ())),
        patterns=tuple(selection.get("tagPatternList", ())),
        for_archived=count.storage_class == "archive",
        count_type=selection["countType"],
        count_number=selection["countNumber"],
        action=action,
    )


def _selection(value: Any) -> Mapping[str, Any]:
    found = schema.members(
        value,
        required=("countNumber", "countType", "tagStatus"),
        optional=("countUnit", "storageClass", "tagPatternList", "tagPrefixList"),
    )
    lists = [name for name in _TAG_LISTS if name in found]
    if any(found[name] is None for name in lists):
        raise invalid("\n".join(schema.wrong_type(None, list) for name in lists if found[name] is None))
    if None in found.values():
        raise schema.no_alternative(len(_COUNTS))
    schema.one_of(found["tagStatus"], ("any", "tagged", "untagged"))
    count = _COUNTS[schema.one_of(found["countType"], _COUNTS)]
    schema.integer(found["countNumber"], minimum=count.minimum)
    if "countUnit" in found:
        schema.one_of(found["countUnit"], ("days",))
    storage_class = schema.one_of(found.get("storageClass", "standard"), ("archive", "standard"))
    for name in lists:
        _check_tags(found[name])
    _check_lists(found["tagStatus"], lists)
    if storage_class == "archive" and count.storage_class == "standard":
        raise invalid(_STANDARD_ONLY)
    if ("countUnit" in found) != count.has_unit or storage_class != count.storage_class:
        raise schema.no_alternative(len(_COUNTS))
    return found


def _check_tags(value: Any) -> None:
    for item in schema.array(value, range(1, 1 << 20)):
        text = schema.string(item, _TAG_LENGTHS)
        if text.count("*") > STAR_LIMIT:
            raise invalid(f"Invalid tag pattern provided. Total number of * must not exceed {STAR_LIMIT}")


def _check_lists(tag_status: str, lists: list[str]) -> None:
    """`tagged` comes with exactly one list of tags, and other statuses with none."""
    if tag_status != "tagged" and lists:
        raise invalid(f"Cannot specify {lists[0]} with tagStatus {tag_status}")
    if tag_status == "tagged" and not lists:
        raise invalid("Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.")
    if len(lists) > 1:
        raise invalid("If policy has a tagged rule, it must specify only one of tagPrefixList or tagPatternList")


def _action(value: Any) -> str:
    found = schema.members(value, required=("type",), optional=("targetStorageClass",))
    kind = schema.one_of(found["type"], ("expire", "transition"))
    if kind == "transition" and "targetStorageClass" not in found:
        raise schema.unreadable()
    if kind == "expire" and "targetStorageClass" in found:
        raise schema.no_alternative(2)
    schema.one_of(found.get("targetStorageClass", "archive"), ("archive",))
    return kind


# --- Between rules ----------------------------------------------------------------------------------------------


def _check_priorities(rules: list[Rule]) -> None:
    if len({rule.priority for rule in rules}) < len(rules):
        raise invalid("Duplicate priority in multiple rules")


def _check_tag_requirements(rules: list[Rule]) -> None:
    """Check the tag requirements of the rules of one storage class against each other."""
    if sum(rule.tag_status == "any" for rule in rules) > 1:
        raise invalid("Only one rule can specify tagStatus=ANY")
    last = max((rule.priority for rule in rules), default=0)
    if any(rule.tag_status == "any" and rule.priority < last for rule in rules):
        raise invalid("Rule for tagStatus=ANY must have the lowest priority per storage class")
    if sum(rule.tag_status == "untagged" for rule in rules) > 1:
        raise invalid("Only one rule can select Untagged images per storage class.")
    lists = Counter((frozenset(rule.prefixes), frozenset(rule.patterns)) for rule in rules if _has_list(rule))
    if any(number > 1 for number in lists.values()):
        raise invalid("tagPrefixList and tagPatternList must be unique among the rules of a storage class")


def _has_list(rule: Rule) -> bool:
    return rule.tag_status == "tagged"


# --- The form that is returned ----------------------------------------------------------------------------------


def _ordered_rule(item: Any) -> dict[str, Any]:
    ordered = _ordered(item, _RULE)
    ordered["selection"] = _ordered(item["selection"], _SELECTION)
    ordered["action"] = _ordered(item["action"], _ACTION)
    return ordered


def _ordered(found: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: found[name] for name in names if name in found}
