"""The statements of a policy, and whether they apply to a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from moorage.domain.identity.policies.conditions import Condition
from moorage.domain.identity.policies.keys import UnknownKey, uses_resource_tags
from moorage.domain.identity.policies.patterns import (
    Match,
    Pattern,
    Wildcard,
    matcher,
    matches_all_with,
    parse_pattern,
)
from moorage.domain.identity.policies.request import PolicyRequest, ResourceSet

EVERYONE: Final = "*"

MEMBERS: Final = (
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
)
"""All elements of a statement, in the order in which ECR returns them."""


class Effect(Enum):
    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True, slots=True)
class Principals:
    """The Principal or NotPrincipal element: names as `KIND:NAME`, or EVERYONE."""

    names: frozenset[str]
    negated: bool = False

    def matches(self, names: frozenset[str]) -> bool:
        """Whether the element matches a principal with these names.

        NotPrincipal excludes only a principal of which it lists every name (IAM: "specify also the account").
        """
        if EVERYONE in self.names:
            return not self.negated
        if self.negated:
            return not names <= self.names
        return not names.isdisjoint(self.names)

    def lists(self, names: frozenset[str]) -> bool:
        """Whether one of these names, or everyone, is listed."""
        return EVERYONE in self.names or not names.isdisjoint(self.names)


class Actions:
    """The Action or NotAction element; case does not matter."""

    __slots__ = ("_matches", "negated", "texts")

    def __init__(self, texts: tuple[str, ...], *, negated: bool) -> None:
        self.texts = texts
        self.negated = negated
        self._matches = _prepared(tuple(parse_pattern(text.lower(), variables=False) for text in texts))

    def matches(self, action: str) -> bool:
        """Whether the element matches the action, given in lower case."""
        return any(match(action) for match in self._matches) != self.negated


class Resources:
    """The Resource or NotResource element."""

    __slots__ = ("_matches", "_with_variables", "match_all", "negated", "patterns")

    def __init__(self, patterns: tuple[Pattern, ...], *, negated: bool) -> None:
        self.patterns = patterns
        self.negated = negated
        self._matches = _prepared(patterns)
        self._with_variables = tuple(pattern for pattern in patterns if pattern.fixed is None)
        self.match_all = not negated and any(pattern.fixed == (Wildcard.RUN,) for pattern in patterns)

    def matches(self, request: PolicyRequest) -> bool | None:
        """Whether the element matches; None if a variable is unknown or leaves out an exception of NotResource."""
        resource = request.resource
        if isinstance(resource, ResourceSet):
            return self._matches_set(request, resource)
        for match in self._matches:
            if match(resource):
                return not self.negated
        return self._matches_variables(request) if self._with_variables else self.negated

    def _matches_variables(self, request: PolicyRequest) -> bool | None:
        unknown = False
        for pattern in self._with_variables:
            try:
                parts = pattern.resolve(request)
            except UnknownKey:
                unknown = True
                continue
            if parts is None:
                unknown |= self.negated
            elif matcher(parts)(request.resource):
                return not self.negated
        return None if unknown else self.negated

    def _matches_set(self, request: PolicyRequest, resources: ResourceSet) -> bool | None:
        """Whether the element matches all resources of a set; None if it matches some, or a variable is unknown."""
        results = [_matches_all(pattern, request, resources) for pattern in self.patterns]
        if True in results:
            return not self.negated
        return None if None in results else self.negated


@dataclass(frozen=True, slots=True)
class Statement:
    """`position` counts from 0. Identity policies have no principals, repository policies have no resources."""

    position: int
    sid: str | None
    effect: Effect
    actions: Actions
    principals: Principals | None = None
    resources: Resources | None = None
    conditions: tuple[Condition, ...] = field(default=())

    def applies(self, request: PolicyRequest) -> bool:
        """Whether it applies to a request with one of its actions. What is unknown counts against the caller."""
        if self.principals is not None and not self.principals.matches(request.principal.names):
            return False
        unknown = False
        if self.resources is not None and not self.resources.match_all:
            matches = self.resources.matches(request)
            if matches is False:
                return False
            unknown = matches is None
        for condition in self.conditions:
            holds = condition.holds(request)
            if holds is False:
                return False
            unknown |= holds is None
        return not unknown or self.effect is Effect.DENY

    @property
    def is_unconditional(self) -> bool:
        """Whether a statement of an identity policy always applies to every resource."""
        return self.resources is not None and self.resources.match_all and not self.conditions

    def uses_resource_tags(self) -> bool:
        keys = {condition.key for condition in self.conditions}
        patterns = [pattern for condition in self.conditions for pattern in condition.patterns]
        patterns += self.resources.patterns if self.resources is not None else ()
        keys.update(key for pattern in patterns for key in pattern.keys)
        return any(uses_resource_tags(key) for key in keys)


def _matches_all(pattern: Pattern, request: PolicyRequest, resources: ResourceSet) -> bool | None:
    try:
        parts = pattern.resolve(request)
    except UnknownKey:
        return None
    return None if parts is None else matches_all_with(resources.beginning, parts)


def _prepared(patterns: tuple[Pattern, ...]) -> tuple[Match, ...]:
    return tuple(matcher(pattern.fixed) for pattern in patterns if pattern.fixed is not None)
