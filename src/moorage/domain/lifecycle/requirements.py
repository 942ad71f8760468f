"""The tag requirements of a rule, as a function that says of an image's tags whether the rule sees the image.

It is asked once for each rule and each image of a repository, so whatever does not depend on the tags is done before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from moorage.domain.lifecycle.policy import Rule

Requirement = Callable[[tuple[str, ...]], bool]


def requirement_of(rule: Rule) -> Requirement:
    """Whether tags meet *every* prefix and pattern of the rule, each by one of them (not every tag must meet one)."""
    match rule.tag_status:
        case "any":
            return _anything
        case "untagged":
            return _nothing
        case _:
            wanted = [*(_with_prefix(prefix) for prefix in rule.prefixes), *(_like(text) for text in rule.patterns)]
            return wanted[0] if len(wanted) == 1 else _every(wanted)


def _anything(_tags: tuple[str, ...]) -> bool:
    return True


def _nothing(tags: tuple[str, ...]) -> bool:
    return not tags


def _every(wanted: Iterable[Requirement]) -> Requirement:
    requirements = tuple(wanted)

    def meet(tags: tuple[str, ...]) -> bool:
        for requirement in requirements:  # noqa: SIM110 - a generator costs more than what it would ask
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
    """`*` is any run of characters, also none; the pattern is met by a tag as a whole."""
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
            and _in_order(middle, tag, len(first), end)
        )

    return lambda tags: any(map(fits, tags))


def _in_order(pieces: Iterable[str], tag: str, position: int, end: int) -> bool:
    """Whether the tag has these pieces one behind the other, between two positions. Linear for each of them."""
    for piece in pieces:
        found = tag.find(piece, position, end)
        if found < 0:
            return False
        position = found + len(piece)
    return True
