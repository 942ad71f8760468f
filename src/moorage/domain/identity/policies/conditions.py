"""Conditions of a statement: operators with their quantifiers over the values of condition keys.

IAM user guide, "IAM JSON policy elements: Condition" and "Multivalued context keys".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from moorage.domain.identity.policies.keys import UnknownKey, values_of
from moorage.domain.identity.policies.operators import OPERATORS, Operator
from moorage.domain.identity.policies.patterns import Match, Template
from moorage.domain.identity.policies.request import Request

_NULL: Final = "Null"
_IF_EXISTS: Final = "IfExists"


class Quantifier(Enum):
    """Of a key with several values: whether one that satisfies the operator is enough, or all of them must."""

    NONE = ""
    ANY = "ForAnyValue"
    ALL = "ForAllValues"


@dataclass(frozen=True, slots=True)
class Test:
    """An operator as a policy writes it: `ForAllValues:StringLikeIfExists`. `operator` is None for Null."""

    operator: Operator | None
    quantifier: Quantifier
    if_exists: bool
    negated: bool

    def holds_of_nothing(self) -> bool:
        """Of a key without a value IAM says: whatever is negated or may be missing holds, and so does each of none."""
        if self.quantifier is Quantifier.ANY:
            return self.if_exists
        return self.negated or self.if_exists or self.quantifier is Quantifier.ALL

    def holds_of(self, values: tuple[str, ...], matches: tuple[Match, ...]) -> bool:
        """Without a quantifier, a negated operator holds when nothing matches, any other when something does."""
        negated = self.negated
        must_all = negated if self.quantifier is Quantifier.NONE else self.quantifier is Quantifier.ALL
        for value in values:
            if (_any(matches, value) != negated) != must_all:
                return not must_all
        return must_all


def _any(matches: tuple[Match, ...], value: str) -> bool:
    for match in matches:  # noqa: SIM110 - a generator costs as much as the matches, and this is in every decision
        if match(value):
            return True
    return False


def parse_operator(name: str) -> Test | None:
    """None for an operator that IAM does not have."""
    prefix, colon, base = name.rpartition(":")
    if colon and prefix not in {Quantifier.ANY.value, Quantifier.ALL.value}:
        return None
    quantifier = Quantifier(prefix)
    if base == _NULL:
        return Test(None, quantifier, if_exists=False, negated=False)
    stem = base.removesuffix(_IF_EXISTS)
    operator = OPERATORS.get(stem)
    return None if operator is None else Test(operator, quantifier, stem != base, operator.negated)


class Condition:
    """One operator on one key, in lower case. `test` is None for an operator that is not known."""

    __slots__ = ("_matches", "_only", "key", "operator", "templates", "test", "values")

    def __init__(self, operator: str, key: str, values: tuple[str, ...], templates: tuple[Template, ...]) -> None:
        self.operator = operator
        self.key = key.lower()
        self.values = values
        self.templates = templates
        self.test = parse_operator(operator)
        self._matches = self._ready()
        self._only = self._the_only_match()

    def holds(self, request: Request) -> bool | None:
        """None when that cannot be said: the operator, the key or a variable is unknown."""
        test = self.test
        if test is None:
            return None
        try:
            values = request.known.get(self.key)
            if values is None:
                values = request.known[self.key] = values_of(request, self.key)
            if self._only is not None and len(values) == 1:
                return self._only(values[0]) != test.negated
            if test.operator is None:
                return self._holds_of_null(values)
            if not values:
                return test.holds_of_nothing()
            matches = self._matches if self._matches is not None else self._resolved(request, test.operator)
        except UnknownKey:
            return None
        return None if matches is None else test.holds_of(values, matches)

    def _holds_of_null(self, values: tuple[str, ...]) -> bool:
        return any((value.lower() == "true") == (not values) for value in self.values)

    def _ready(self) -> tuple[Match, ...] | None:
        """The matches, when no variable is in the way."""
        if self.test is None or self.test.operator is None:
            return ()
        fixed = [template.fixed for template in self.templates]
        if any(parts is None for parts in fixed):
            return None
        return tuple(self.test.operator.build(parts) for parts in fixed if parts is not None)

    def _the_only_match(self) -> Match | None:
        """The match of almost every condition that there is: one value, the same for every request."""
        matches = self._matches
        return matches[0] if matches is not None and len(matches) == 1 else None

    def _resolved(self, request: Request, operator: Operator) -> tuple[Match, ...] | None:
        """The matches for this request; None when a negated operator lacks one, which must not help the caller."""
        resolved = [template.resolve(request) for template in self.templates]
        if operator.negated and None in resolved:
            return None
        return tuple(operator.build(parts) for parts in resolved if parts is not None)
