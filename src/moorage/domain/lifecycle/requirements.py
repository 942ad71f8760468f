"""The tag requirements of a rule, as a function that decides from an image's tags whether the rule sees the image.

It is called for each rule and each image of a repository, so everything independent of the tags is computed before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from moorage.domain.lifecycle.policy import Rule
from moorage.domain.names import in_order

Requirement = Callable[[tuple[str, ...]], bool]


def requirement_of(rule: Rule) -> Requirement:
    """A function that tests tags: *every* prefix and pattern of the rule must be met by one of them."""
    match rule.tag_status:
        case "any":
            return _anything
        case "untagged":
            return _nothing
        case _:
            requirements = [
                *(_with_prefix(prefix) for prefix in rule.prefixes),
                *(_like(text) for text in rule.patterns),
            ]
            return requirements[0] if len(requirements) == 1 else _every(requirements)


def _anything(_tags: tuple[str, ...]) -> bool:
    return True


def _nothing(tags: tuple[str, ...]) -> bool:
    return not tags


def _every(each: Iterable[Requirement]) -> Requirement:
    requirements = tuple(each)

    def meet(tags: tuple[str, ...]) -> bool:
        for requirement in requirements:  # noqa: SIM110 - a generator costs more than the requirements
            if not requirement(tags):
                return False
        return True

    return meet


def _with_prefix(prefix: str) -> Requirement:
    def meet(tags: tuple[str, ...]) -> bool:
        for tag in tags:  # noqa: SIM110 - as above
            if tag.startswith(prefix):
                return True
        return False

    return meet


def _like(pattern: str) -> Requirement:
    """A requirement with wildcards: `*` matches any number of characters, and the whole tag must match."""
    first, *pieces = pattern.split("*")
    if not pieces:
        return lambda tags: pattern in tags
    *middle, last = pieces
    if not last and not middle:
        return _with_prefix(first)

    def fits(tag: str) -> bool:
        end = len(tag) - len(last)
        return (
            end >= len(first)
            and tag.startswith(first)
            and tag.endswith(last)
            and in_order(middle, tag, len(first), end)
        )

    return lambda tags: any(map(fits, tags))
