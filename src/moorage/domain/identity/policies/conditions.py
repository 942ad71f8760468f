"""Conditions of a statement: operators with their quantifiers, applied to the values of condition keys.

IAM user guide, "IAM JSON policy elements: Condition" and "Multivalued context keys".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from moorage.domain.identity.policies.keys import UnknownKey, values_of
from moorage.domain.identity.policies.operators import OPERATORS, Operator
from moorage.domain.identity.policies.patterns import Match, Pattern
from moorage.domain.identity.policies.request import PolicyRequest

_NULL: Final = "Null"
_IF_EXISTS: Final = "IfExists"


class Quantifier(Enum):
    """For a key with several values: whether one value must satisfy the operator, or all."""

    NONE = ""
    ANY = "ForAnyValue"
    ALL = "ForAllValues"


@dataclass(frozen=True, slots=True)
class ParsedOperator:
    """A parsed operator such as `ForAllValues:StringLikeIfExists`. `operator` is None for Null."""

    operator: Operator | None
    quantifier: Quantifier
    if_exists: bool
    negated: bool

    def holds_without_values(self) -> bool:
        """The result for a key without values: by IAM, true for negated, IfExists and ForAllValues operators."""
        if self.quantifier is Quantifier.ANY:
            return self.if_exists
        return self.negated or self.if_exists or self.quantifier is Quantifier.ALL

    def holds_for(self, values: tuple[str, ...], matches: tuple[Match, ...]) -> bool:
        """Without a quantifier: a negated operator is true when no value matches, others when one does."""
        negated = self.negated
        must_all = negated if self.quantifier is Quantifier.NONE else self.quantifier is Quantifier.ALL
        for value in values:
            if (_any(matches, value) != negated) != must_all:
                return not must_all
        return must_all


def _any(matches: tuple[Match, ...], value: str) -> bool:
    for match in matches:  # noqa: SIM110 - a generator costs as much as the matches, in every decision
        if match(value):
            return True
    return False


def parse_operator(name: str) -> ParsedOperator | None:
    """Parse an operator; None for one that IAM does not have."""
    prefix, colon, base = name.rpartition(":")
    if colon and prefix not in {Quantifier.ANY.value, Quantifier.ALL.value}:
        return None
    quantifier = Quantifier(prefix)
    if base == _NULL:
        return ParsedOperator(None, quantifier, if_exists=False, negated=False)
    stem = base.removesuffix(_IF_EXISTS)
    operator = OPERATORS.get(stem)
    return None if operator is None else ParsedOperator(operator, quantifier, stem != base, operator.negated)


class Condition:
    """One operator on one key, in lower case. `test` is None for an unknown operator."""

    __slots__ = ("_matches", "_single_match", "key", "operator", "patterns", "test", "values")

    def __init__(self, operator: str, key: str, values: tuple[str, ...], patterns: tuple[Pattern, ...]) -> None:
        self.operator = operator
        self.key = key.lower()
        self.values = values
        self.patterns = patterns
        self.test = parse_operator(operator)
        self._matches = self._prepared()
        self._single_match = self._find_single_match()

    def holds(self, request: PolicyRequest) -> bool | None:
        """Whether the condition is true; None if the operator, the key or a variable is unknown."""
        test = self.test
        if test is None:
            return None
        try:
            values = request.cached_values.get(self.key)
            if values is None:
                values = request.cached_values[self.key] = values_of(request, self.key)
            if self._single_match is not None and len(values) == 1:
                return self._single_match(values[0]) != test.negated
            if test.operator is None:
                return self._null_holds(values)
            if not values:
                return test.holds_without_values()
            matches = self._matches if self._matches is not None else self._resolved(request, test.operator)
        except UnknownKey:
            return None
        return None if matches is None else test.holds_for(values, matches)

    def _null_holds(self, values: tuple[str, ...]) -> bool:
        return any((value.lower() == "true") == (not values) for value in self.values)

    def _prepared(self) -> tuple[Match, ...] | None:
        """The matches, unless they depend on a variable."""
        if self.test is None or self.test.operator is None:
            return ()
        fixed = [pattern.fixed for pattern in self.patterns]
        if any(parts is None for parts in fixed):
            return None
        return tuple(self.test.operator.build(parts) for parts in fixed if parts is not None)

    def _find_single_match(self) -> Match | None:
        """The match of the most common condition: one value without variables."""
        matches = self._matches
        return matches[0] if matches is not None and len(matches) == 1 else None

    def _resolved(self, request: PolicyRequest, operator: Operator) -> tuple[Match, ...] | None:
        """The matches for this request; None if a negated operator lacks one, because that must not help the caller."""
        resolved = [pattern.resolve(request) for pattern in self.patterns]
        if operator.negated and None in resolved:
            return None
        return tuple(operator.build(parts) for parts in resolved if parts is not None)
