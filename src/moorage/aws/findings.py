"""The broken constraints of one request, and the refusal that reports them in the form of its service."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from moorage.aws.service_model import ECR_API, Shape
from moorage.bounds import shortened
from moorage.domain.errors import InvalidParameter, Refusal, Validation

_LISTED: Final = 5
"""Broken constraints of one request that are reported."""


class Finding(NamedTuple):
    """A broken constraint. `value` is the member's, as AWS prints it: empty if it is secret or long."""

    path: str
    constraint: str
    value: str


class Findings:
    """The first broken constraints of a request, if any.

    ECR reports one. The text for all other services is the one that AWS's frameworks generate ("1 validation error
    detected: Value 'x' at 'name' failed to satisfy constraint: …"). A value that is secret is never in it.
    """

    __slots__ = ("listed",)

    def __init__(self) -> None:
        self.listed: list[Finding] = []

    def add(self, path: str, constraint: str, shape: Shape | None = None, value: Any = None) -> None:
        if len(self.listed) < _LISTED:
            self.listed.append(Finding(path, constraint, _printed(shape, value)))

    def refusal(self, service: str) -> Refusal:
        """The refusal in the form of the service. Only ECR has one of its own."""
        if service == ECR_API:
            path, constraint, _ = self.listed[0]
            return InvalidParameter(parameter=path, constraint=constraint)
        texts = [f"Value{value} at '{path}' failed to satisfy constraint: {text}" for path, text, value in self.listed]
        plural = "s" if len(texts) > 1 else ""
        return Validation(reason=f"{len(texts)} validation error{plural} detected: {'; '.join(texts)}")


def _printed(shape: Shape | None, value: Any) -> str:
    if value is None:
        return " null"
    if shape is None or shape.sensitive or shape.type in ("blob", "map"):
        return ""
    text = f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)
    return f" '{shortened(text)}'"
