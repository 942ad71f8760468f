"""Conditions of a statement: operators with their quantifiers over the values of condition keys.

IAM user guide, "IAM JSON policy elements: Condition" and "Multivalued context keys".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from moorage.domain.policies.keys import UnknownKey, values_of
from moorage.domain.policies.operators import OPERATORS, Operator
from moorage.domain.policies.patterns import Match, Template
from moorage.domain.policies.request import Request

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

    name: str
    operator: Operator | None
    quantifier: Quantifier
    if_exists: bool


def parse_operator(name: str) -> Test | None:
    """None for an operator that IAM does not have."""
    prefix, colon, base = name.rpartition(":")
    if colon and prefix not in {Quantifier.ANY.value, Quantifier.ALL.value}:
        return None
    quantifier = Quantifier(prefix)
    if base == _NULL:
        return Test(name, None, quantifier, if_exists=False)
    stem = base.removesuffix(_IF_EXISTS)
    operator = OPERATORS.get(stem)
    return None if operator is None else Test(name, operator, quantifier, if_exists=stem != base)


class Condition:
    """One operator on one key. `test` is None for an operator that is not known."""

    __slots__ = ("_fixed", "_operator", "key", "operator", "templates", "test", "values")

    def __init__(self, operator: str, key: str, values: tuple[str, ...], templates: tuple[Template, ...]) -> None:
        self.operator = operator
        self.key = key
        self.values = values
        self.templates = templates
        self.test = parse_operator(operator)
        self._operator = self.test.operator if self.test else None
        self._fixed = self._ready()

    def holds(self, request: Request) -> bool | None:
        """None when that cannot be said: the operator, the key or a variable is unknown."""
        if self.test is None:
            return None
        try:
            values = values_of(request, self.key.lower())
            if self._operator is None:
                return any((value.lower() == "true") == (not values) for value in self.values)
            if not values:
                return self._holds_of_nothing(self.test, self._operator)
            matches = self._fixed if self._fixed is not None else self._resolved(request, self._operator)
        except UnknownKey:
            return None
        return None if matches is None else self._holds_of(values, matches, self.test, self._operator)

    @staticmethod
    def _holds_of_nothing(test: Test, operator: Operator) -> bool:
        """Of a key without a value IAM says: whatever is negated or may be missing holds, and so does each of none."""
        if test.quantifier is Quantifier.ANY:
            return test.if_exists
        return operator.negated or test.if_exists or test.quantifier is Quantifier.ALL

    @staticmethod
    def _holds_of(values: tuple[str, ...], matches: tuple[Match, ...], test: Test, operator: Operator) -> bool:
        satisfied = (any(match(value) for match in matches) != operator.negated for value in values)
        # Without a quantifier, a negated operator holds when nothing matches, any other when something does.
        must_all = operator.negated if test.quantifier is Quantifier.NONE else test.quantifier is Quantifier.ALL
        return all(satisfied) if must_all else any(satisfied)

    def _ready(self) -> tuple[Match, ...] | None:
        """The matches, when no variable is in the way."""
        if self._operator is None:
            return ()
        fixed = [template.fixed for template in self.templates]
        if any(parts is None for parts in fixed):
            return None
        return tuple(self._operator.build(parts) for parts in fixed if parts is not None)

    def _resolved(self, request: Request, operator: Operator) -> tuple[Match, ...] | None:
        """The matches for this request; None when a negated operator lacks one, which must not help the caller."""
        resolved = [template.resolve(request) for template in self.templates]
        if operator.negated and None in resolved:
            return None
        return tuple(operator.build(parts) for parts in resolved if parts is not None)
