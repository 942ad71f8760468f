"""Changes of a plan: one line each, and for documents the lines that differ."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from moorage.core.declared.document import DeclarationRefused
from moorage.core.limits import Limits
from moorage.core.pull_through.rules import RuleError
from moorage.domain.errors import Refusal
from moorage.domain.identity.errors import AccountError
from moorage.domain.pull_through.upstreams import AddedUpstreams
from moorage.domain.signing.errors import SigningError


@dataclass(frozen=True, slots=True)
class Change:
    """A change: `+` created, `~` changed, `-` deleted. `details` has the lines of a document that differ."""

    line: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Conditions:
    """How a declaration is applied.

    With `prune`, what it does not name is removed; a repository with images only with `force`. `added` are the upstream
    registries that the operator added.
    """

    limits: Limits
    added: AddedUpstreams
    now: int
    prune: bool = False
    force: bool = False


@contextmanager
def refusals_at(*place: str | int) -> Iterator[None]:
    """Name the place in the file when a value is refused. Raises DeclarationRefused."""
    try:
        yield
    except (AccountError, Refusal, RuleError, SigningError) as error:
        raise DeclarationRefused(place, error) from None


def of_value(title: str, before: Any, after: Any) -> Change:
    """A change of a value that fits into the line."""
    return Change(f"~ {title} {_short(before)} -> {_short(after)}")


def of_document(title: str, before: Any, after: Any) -> Change:
    """A change of a document or of a list, with the lines that differ."""
    sign = "+" if before is None else "-" if after is None else "~"
    lines = difflib.unified_diff(_lines(before), _lines(after), n=1, lineterm="")
    return Change(f"{sign} {title}", tuple(line for line in lines if not line.startswith(("---", "+++", "@@"))))


def _short(value: Any) -> str:
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _lines(value: Any) -> list[str]:
    if value is None:
        return []
    text = msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=2)
    return text.decode().splitlines()
