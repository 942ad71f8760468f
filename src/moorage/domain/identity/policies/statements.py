"""A statement of a policy, ready to be asked whether it applies to a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from moorage.domain.identity.policies.conditions import Condition
from moorage.domain.identity.policies.keys import UnknownKey, speaks_of_resource_tags
from moorage.domain.identity.policies.patterns import Match, Template, Wildcard, matcher, parse_template
from moorage.domain.identity.policies.request import Request

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
"""All elements of a statement, in the order in which ECR gives them back."""


class Effect(Enum):
    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True, slots=True)
class Principals:
    """The Principal element, or NotPrincipal: names as `KIND:NAME`, or EVERYONE."""

    names: frozenset[str]
    negated: bool = False

    def cover(self, names: frozenset[str]) -> bool:
        """Whether whoever has these names is meant.

        NotPrincipal spares only whom it lists under each of their names (IAM: "specify also the account").
        """
        if EVERYONE in self.names:
            return not self.negated
        if self.negated:
            return not names <= self.names
        return not names.isdisjoint(self.names)

    def name(self, names: frozenset[str]) -> bool:
        """Whether one of these very names is listed, or everyone."""
        return EVERYONE in self.names or not names.isdisjoint(self.names)


class Actions:
    """The Action element, or NotAction; case does not matter."""

    __slots__ = ("_matches", "negated", "texts")

    def __init__(self, texts: tuple[str, ...], *, negated: bool) -> None:
        self.texts = texts
        self.negated = negated
        self._matches = _ready(tuple(parse_template(text.lower(), variables=False) for text in texts))

    def cover(self, action: str) -> bool:
        """`action` in lower case."""
        return any(match(action) for match in self._matches) != self.negated


class Resources:
    """The Resource element, or NotResource."""

    __slots__ = ("_changing", "_matches", "are_all", "negated", "templates")

    def __init__(self, templates: tuple[Template, ...], *, negated: bool) -> None:
        self.templates = templates
        self.negated = negated
        self._matches = _ready(templates)
        self._changing = tuple(template for template in templates if template.fixed is None)
        self.are_all = not negated and any(template.fixed == (Wildcard.RUN,) for template in templates)

    def cover(self, request: Request) -> bool | None:
        """None when a variable is unknown, or leaves NotResource without one of its exceptions."""
        resource = request.resource
        for match in self._matches:
            if match(resource):
                return not self.negated
        return self._cover_changing(request) if self._changing else self.negated

    def _cover_changing(self, request: Request) -> bool | None:
        unknown = False
        for template in self._changing:
            try:
                parts = template.resolve(request)
            except UnknownKey:
                unknown = True
                continue
            if parts is None:
                unknown |= self.negated
            elif matcher(parts)(request.resource):
                return not self.negated
        return None if unknown else self.negated


@dataclass(frozen=True, slots=True)
class Statement:
    """`position` counts from 0. A policy of an identity has no principals, a policy of a repository no resources."""

    position: int
    sid: str | None
    effect: Effect
    actions: Actions
    principals: Principals | None = None
    resources: Resources | None = None
    conditions: tuple[Condition, ...] = field(default=())

    def applies(self, request: Request) -> bool:
        """Of a request with one of the statement's actions. What is unknown decides against the caller."""
        if self.principals is not None and not self.principals.cover(request.principal.names):
            return False
        unknown = False
        if self.resources is not None and not self.resources.are_all:
            covers = self.resources.cover(request)
            if covers is False:
                return False
            unknown = covers is None
        for condition in self.conditions:
            holds = condition.holds(request)
            if holds is False:
                return False
            unknown |= holds is None
        return not unknown or self.effect is Effect.DENY

    @property
    def is_unconditional(self) -> bool:
        """Whether a policy's statement of an identity is about every resource, always."""
        return self.resources is not None and self.resources.are_all and not self.conditions

    def speaks_of_resource_tags(self) -> bool:
        keys = {condition.key for condition in self.conditions}
        templates = [template for condition in self.conditions for template in condition.templates]
        templates += self.resources.templates if self.resources is not None else ()
        keys.update(key for template in templates for key in template.keys)
        return any(speaks_of_resource_tags(key) for key in keys)


def _ready(templates: tuple[Template, ...]) -> tuple[Match, ...]:
    return tuple(matcher(template.fixed) for template in templates if template.fixed is not None)
