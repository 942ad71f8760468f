"""Faults: rules by which a lab delays, throttles, breaks or fails requests."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from fnmatch import translate
from typing import Final

import msgspec

from moorage.http.messages import Request
from moorage.lab.operations import operation_of

MOST_RULES: Final = 100
_LONGEST_DELAY: Final = 600.0
_STATUSES: Final = range(500, 600)
_ROUTE: Final = re.compile(r"[A-Z*]+ /\S*")


class BadRule(ValueError):
    """The rule has no effect, or a value that it cannot have."""


class Rule(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, rename="camel", omit_defaults=True):
    """A rule: the requests that it is for, and what happens to them.

    `operation` names an operation of ECR, for API and Docker clients alike; `route` is a method and a path, both with
    `*`, for example `GET /v2/*/blobs/*`. Without either, the rule is for all requests. It applies to a share of them
    (`probability`), and ends after `count`.
    """

    operation: str = ""
    route: str = ""
    probability: float = 1.0
    count: int | None = None
    delay: float = 0.0
    throttle: bool = False
    retry_after: int | None = None
    status: int | None = None
    cut: int | None = None
    applied: int = 0

    def check(self) -> None:
        """Raises BadRule."""
        for is_wrong, reason in (
            (self.operation and self.route, "a rule has an operation or a route, not both"),
            (self.route and not _ROUTE.fullmatch(self.route), "route must be as in GET /v2/*/blobs/*"),
            (not 0 < self.probability <= 1, "probability must be above 0 and at most 1"),
            (self.count is not None and self.count < 1, "count must be 1 or more"),
            (not 0 <= self.delay <= _LONGEST_DELAY, f"delay must be from 0 to {_LONGEST_DELAY:.0f} seconds"),
            (self.status is not None and self.status not in _STATUSES, "status must be from 500 to 599"),
            (min(self.cut or 0, self.retry_after or 0) < 0, "cut and retryAfter must be 0 or more"),
            (self.applied, "applied is counted by the server"),
            (self._effects > 1, "a rule has one of throttle, status and cut"),
            (not self._effects and not self.delay, "a rule needs an effect: delay, throttle, status or cut"),
        ):
            if is_wrong:
                raise BadRule(reason)

    @property
    def _effects(self) -> int:
        return sum((self.throttle, self.status is not None, self.cut is not None))

    def is_for(self, request: Request, operation: str) -> bool:
        if self.operation:
            return self.operation == operation
        if self.route:
            return re.fullmatch(translate(self.route), f"{request.method} {request.path}") is not None
        return True


class Faults:
    """The rules of a lab, in the order in which they were added. The first one that applies decides."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._random = random.Random()  # noqa: S311 - faults need no secret numbers

    @property
    def rules(self) -> Sequence[Rule]:
        return self._rules

    def add(self, rule: Rule) -> None:
        """Raises BadRule."""
        rule.check()
        if len(self._rules) >= MOST_RULES:
            raise BadRule(f"a lab has at most {MOST_RULES} rules")
        self._rules.append(rule)

    def clear(self) -> None:
        self._rules.clear()

    def of(self, request: Request) -> Rule | None:
        """The rule that applies to a request; counts it."""
        if not self._rules:
            return None
        operation = operation_of(request)
        for rule in self._rules:
            is_over = rule.count is not None and rule.applied >= rule.count
            if not is_over and rule.is_for(request, operation) and self._random.random() < rule.probability:
                rule.applied += 1
                return rule
        return None
