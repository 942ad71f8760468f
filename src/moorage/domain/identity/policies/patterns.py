"""Texts of policies with wildcards (`*`, `?`) and variables (`${aws:username}`).

IAM user guide, "Policy elements: Variables and tags". No regular expression is ever made from a user's text, and
matching takes linear time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from moorage.domain.identity.policies.keys import single_value
from moorage.domain.identity.policies.request import Request
from moorage.domain.names import matches_pieces


class Wildcard(Enum):
    """RUN stands for any characters, also none; ONE for exactly one."""

    RUN = "*"
    ONE = "?"


@dataclass(frozen=True, slots=True)
class Variable:
    """`${key}`, or `${key, 'default'}`."""

    key: str
    default: str | None


Parts = tuple[str | Wildcard, ...]
"""A pattern without variables: literal texts and wildcards, in order."""

Match = Callable[[str], bool]
"""Says whether a text as a whole is what a pattern means."""

_LITERALS: Final = ("*", "?", "$")
"""`${*}`, `${?}` and `${$}` stand for the characters themselves."""


class BadPattern(ValueError):
    """A pattern that cannot be read; the text says why."""


class Template:
    """A pattern that may have variables; most have none and are ready before the first request."""

    __slots__ = ("_fixed", "_parts")

    def __init__(self, parts: tuple[str | Wildcard | Variable, ...]) -> None:
        self._parts = parts
        plain = tuple(part for part in parts if not isinstance(part, Variable))
        self._fixed = plain if len(plain) == len(parts) else None

    @property
    def fixed(self) -> Parts | None:
        """The pattern, when no request changes it."""
        return self._fixed

    @property
    def keys(self) -> frozenset[str]:
        """The condition keys that its variables name."""
        return frozenset(part.key for part in self._parts if isinstance(part, Variable))

    def resolve(self, request: Request) -> Parts | None:
        """The pattern for this request; None when it has no value for a variable. Raises UnknownKey.

        A value is literal, whatever characters it has.
        """
        if self._fixed is not None:
            return self._fixed
        resolved: list[str | Wildcard] = []
        for part in self._parts:
            if isinstance(part, Variable):
                value = single_value(request, part.key)
                if value is None and part.default is None:
                    return None
                resolved.append(part.default or "" if value is None else value)
            else:
                resolved.append(part)
        return tuple(resolved)


def parse_template(text: str, *, variables: bool) -> Template:
    """Read a pattern; `variables` says whether the policy's version has them. Raises BadPattern."""
    parts: list[str | Wildcard | Variable] = []
    rest = text
    while variables and "${" in rest:
        before, _, behind = rest.partition("${")
        name, closed, rest = behind.partition("}")
        if not closed:
            raise BadPattern(f"a policy variable is not closed: {text[:100]}")
        parts += _wildcards(before)
        parts.append(name if name in _LITERALS else _variable(name))
    return Template((*parts, *_wildcards(rest)))


def _variable(text: str) -> Variable:
    key, comma, default = text.partition(",")
    default = default.strip()
    quoted = len(default) >= 2 and default[0] == default[-1] == "'"
    if not key.strip() or (comma and not quoted):
        raise BadPattern(f"no policy variable: ${{{text[:100]}}}")
    return Variable(key.strip().lower(), default[1:-1] if comma else None)


def _wildcards(text: str) -> list[str | Wildcard]:
    parts: list[str | Wildcard] = []
    literal = ""
    for character in text:
        if character in "*?":
            parts += [literal, Wildcard(character)] if literal else [Wildcard(character)]
            literal = ""
        else:
            literal += character
    return [*parts, literal] if literal else parts


def spell(parts: Parts) -> str:
    """The pattern as a text, in which wildcards are characters like all others."""
    return "".join(part if isinstance(part, str) else part.value for part in parts)


@lru_cache(maxsize=1024)
def matcher(parts: Parts) -> Match:
    """What decides whether a text matches; the common forms get the quickest way there is."""
    if Wildcard.ONE in parts:
        return _after_a_glance(parts, _automaton(parts))
    pieces = [""]
    for part in parts:
        if isinstance(part, Wildcard):
            pieces.append("")
        else:
            pieces[-1] += part
    first, *middle, last = pieces if len(pieces) > 1 else (pieces[0], None)
    if last is None:
        return first.__eq__
    if not any(middle) and not last:
        return _anything if not first else _beginning_with(first)
    return lambda text: matches_pieces(pieces, text)


def _anything(_text: str) -> bool:
    return True


def _beginning_with(prefix: str) -> Match:
    return lambda text: text.startswith(prefix)


def _after_a_glance(parts: Parts, match: Match) -> Match:
    """The same, but for texts that lack a piece of the pattern, which most do."""
    pieces = [part for part in reversed(parts) if isinstance(part, str)]  # ARNs differ at their ends.

    def at_a_glance(text: str) -> bool:
        for piece in pieces:
            if piece not in text:
                return False
        return match(text)

    return at_a_glance


def _automaton(parts: Parts) -> Match:
    """All positions of the pattern that a text may have reached, as the bits of one number (shift-and, Baeza-Yates)."""
    runs = one = end = 0
    letters: dict[str, int] = {}
    for part in parts:
        if part is Wildcard.RUN:
            runs |= 1 << end
        elif part is Wildcard.ONE:
            end += 1
            one |= 1 << end
        else:
            for letter in part:
                end += 1
                letters[letter] = letters.get(letter, 0) | 1 << end
    accepted = 1 << end

    def match(text: str) -> bool:
        reached = 1
        for letter in text:
            reached = (reached << 1 & (letters.get(letter, 0) | one)) | (reached & runs)
            if not reached:
                return False
        return bool(reached & accepted)

    return match
