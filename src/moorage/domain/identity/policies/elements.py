"""Parsing of the elements of a statement from JSON."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from moorage.domain.identity.policies.conditions import Condition, parse_operator
from moorage.domain.identity.policies.patterns import BadPattern, Pattern, parse_pattern
from moorage.domain.identity.policies.statements import (
    EVERYONE,
    MEMBERS,
    Actions,
    Effect,
    Principals,
    Resources,
    Statement,
)
from moorage.domain.names import is_account

_PRINCIPAL_ARN: Final = re.compile(
    r"arn:aws:(?:iam::\d{12}:(?:root|(?:user|role)/[\w+=,.@/-]{1,576})"
    r"|sts::\d{12}:(?:assumed-role|federated-user)/[\w+=,.@/-]{1,256})",
    re.ASCII,
)
UNIQUE_ID: Final = re.compile(
    r"(?P<id>AIDA[A-Z0-9]{12,124}|AROA[A-Z0-9]{12,124})(?::(?P<session>[\w+=,.@-]{2,64}))?", re.ASCII
)
"""The unique id of a user, a role or a role's session, by which policies name a deleted principal."""

_SERVICE: Final = re.compile(r"[a-z0-9.-]{1,128}", re.ASCII)
_FEDERATED: Final = re.compile(r"[A-Za-z0-9.:/_-]{1,512}", re.ASCII)
_ACTION: Final = re.compile(r"([a-z0-9-]{1,64}):[A-Za-z0-9*?]{1,128}", re.ASCII | re.IGNORECASE)
_IDENTITY_SID: Final = re.compile(r"[A-Za-z0-9]*", re.ASCII)


class BadPolicy(ValueError):
    """IAM would reject the policy; the text gives the reason."""


@dataclass(frozen=True, slots=True)
class StatementParser:
    """Parses the statements of one policy: whether it has variables, and which elements its kind has."""

    variables: bool
    principal: bool
    resource: bool
    services: frozenset[str]

    def statement(self, position: int, item: object) -> Statement:
        """Parse a statement. Raises BadPolicy."""
        members = _object(item, "a statement")
        for member in members:
            if member not in MEMBERS:
                raise BadPolicy(f"a statement has an unknown element: {member[:100]}")
        effect = members.get("Effect")
        if effect not in ("Allow", "Deny"):
            raise BadPolicy("Effect must be Allow or Deny")
        return Statement(
            position,
            self._sid(members.get("Sid")),
            Effect(effect),
            self._actions(members),
            self._principals(members, Effect(effect)),
            self._resources(members),
            self._conditions(members.get("Condition", {})),
        )

    def _sid(self, sid: object) -> str | None:
        if sid is None or (isinstance(sid, str) and (self.principal or _IDENTITY_SID.fullmatch(sid))):
            return sid
        raise BadPolicy("Sid may contain only letters and digits")

    def _actions(self, members: dict[str, Any]) -> Actions:
        negated, value = _either(members, "Action")
        texts = _texts(value, "Action")
        for text in texts:
            found = _ACTION.fullmatch(text)
            if text != "*" and (found is None or (self.services and found[1].lower() not in self.services)):
                raise BadPolicy(f"this policy cannot name the action {text[:100]}")
        return Actions(tuple(texts), negated=negated)

    def _principals(self, members: dict[str, Any], effect: Effect) -> Principals | None:
        if not self.principal:
            _reject_element(members, "Principal")
            return None
        negated, value = _either(members, "Principal")
        if negated and effect is Effect.ALLOW:
            raise BadPolicy("NotPrincipal can be used with Deny only")
        if value == "*":
            return Principals(frozenset({EVERYONE}), negated)
        names = [
            read(text)
            for kind, texts in _object(value, "Principal").items()
            for read in [_principal_reader(kind)]
            for text in _texts(texts, "Principal")
        ]
        if not names:
            raise BadPolicy("Principal must not be empty")
        return Principals(frozenset(names), negated)

    def _resources(self, members: dict[str, Any]) -> Resources | None:
        if not self.resource:
            _reject_element(members, "Resource")
            return None
        negated, value = _either(members, "Resource")
        texts = _texts(value, "Resource")
        for text in texts:
            if text != "*" and not text.startswith("arn:"):
                raise BadPolicy(f"Resource must be an ARN or *: {text[:100]}")
        return Resources(tuple(self._pattern(text) for text in texts), negated=negated)

    def _conditions(self, value: object) -> tuple[Condition, ...]:
        return tuple(
            self._condition(operator, key, values)
            for operator, keys in _object(value, "Condition").items()
            for key, values in _object(keys, "an operator of a Condition").items()
        )

    def _condition(self, operator: str, key: str, value: object) -> Condition:
        if parse_operator(operator) is None:
            raise BadPolicy(f"unknown condition operator: {operator[:100]}")
        values = tuple(_value(item) for item in (value if isinstance(value, list) else [value]))
        if not key or not values:
            raise BadPolicy(f"a condition has no key or no value: {operator[:100]}")
        return Condition(operator, key, values, tuple(self._pattern(text) for text in values))

    def _pattern(self, text: str) -> Pattern:
        try:
            return parse_pattern(text, variables=self.variables)
        except BadPattern as error:
            raise BadPolicy(str(error)) from None


def _either(members: dict[str, Any], element: str) -> tuple[bool, Any]:
    """Whether the negated form of the element is used, and its value. Raises BadPolicy unless one form is used."""
    negated = f"Not{element}"
    if (element in members) == (negated in members):
        raise BadPolicy(f"a statement must have either {element} or {negated}")
    return negated in members, members[negated if negated in members else element]


def _reject_element(members: dict[str, Any], element: str) -> None:
    if element in members or f"Not{element}" in members:
        raise BadPolicy(f"this kind of policy cannot have {element}")


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadPolicy(f"{what} must be a JSON object")
    return value


def _texts(value: object, element: str) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    texts = [text for text in listed if isinstance(text, str) and text]
    if not texts or len(texts) != len(listed):
        raise BadPolicy(f"{element} must be a string or a list of strings")
    return texts


def _value(value: object) -> str:
    """A condition value as a string; IAM also accepts numbers and booleans."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise BadPolicy("the values of a condition must be strings")


def _principal_reader(kind: str) -> Callable[[str], str]:
    try:
        return _PRINCIPALS[kind]
    except KeyError:
        raise BadPolicy(f"unknown principal type: {kind[:100]}") from None


def _aws(text: str) -> str:
    if text == "*":
        return EVERYONE
    arn = principal_arn(text)
    if _PRINCIPAL_ARN.fullmatch(arn) is None and UNIQUE_ID.fullmatch(text) is None:
        raise BadPolicy(f"invalid principal: {text[:100]}")
    return f"AWS:{arn}"


def principal_arn(text: str) -> str:
    """The ARN of a principal; an account id means its root user, and ECR returns it as that."""
    return f"arn:aws:iam::{text}:root" if is_account(text) else text


def _service(text: str) -> str:
    if _SERVICE.fullmatch(text) is None:
        raise BadPolicy(f"invalid service: {text[:100]}")
    return f"Service:{text}"


def _federated(text: str) -> str:
    if _FEDERATED.fullmatch(text) is None:
        raise BadPolicy(f"invalid identity provider: {text[:100]}")
    return f"Federated:{text}"


_PRINCIPALS: Final = {"AWS": _aws, "Service": _service, "Federated": _federated}
