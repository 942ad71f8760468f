"""Patterns in policies, with wildcards (`*`, `?`) and variables (`${aws:username}`).

IAM user guide, "Policy elements: Variables and tags". A user's text never becomes a regular expression, and matching
takes linear time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from moorage.bounds import bounded_cache
from moorage.domain.identity.policies.keys import single_value
from moorage.domain.identity.policies.request import PolicyRequest
from moorage.domain.names import matches_pieces


class Wildcard(Enum):
    """RUN matches any number of characters, ONE exactly one."""

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
"""Decides whether a whole text matches a pattern."""

_LITERALS: Final = ("*", "?", "$")
"""`${*}`, `${?}` and `${$}` stand for the characters themselves."""


class BadPattern(ValueError):
    """A pattern is invalid; the text gives the reason."""


class Pattern:
    """A pattern that may have variables. Most have none and are prepared before the first request."""

    __slots__ = ("_fixed", "_parts")

    def __init__(self, parts: tuple[str | Wildcard | Variable, ...]) -> None:
        self._parts = parts
        plain = tuple(part for part in parts if not isinstance(part, Variable))
        self._fixed = plain if len(plain) == len(parts) else None

    @property
    def fixed(self) -> Parts | None:
        """The pattern if it has no variables."""
        return self._fixed

    @property
    def keys(self) -> frozenset[str]:
        """The condition keys that its variables name."""
        return frozenset(part.key for part in self._parts if isinstance(part, Variable))

    def resolve(self, request: PolicyRequest) -> Parts | None:
        """The pattern for this request; None if a variable has no value. Raises UnknownKey.

        A variable's value is literal, even if it contains wildcards.
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


def parse_pattern(text: str, *, variables: bool) -> Pattern:
    """Parse a pattern; `variables`: whether the policy's version has them. Raises BadPattern."""
    parts: list[str | Wildcard | Variable] = []
    rest = text
    while variables and "${" in rest:
        before, _, behind = rest.partition("${")
        name, closed, rest = behind.partition("}")
        if not closed:
            raise BadPattern(f"a policy variable is not closed: {text[:100]}")
        parts += _wildcards(before)
        parts.append(name if name in _LITERALS else _variable(name))
    return Pattern((*parts, *_wildcards(rest)))


def _variable(text: str) -> Variable:
    key, comma, default = text.partition(",")
    default = default.strip()
    quoted = len(default) >= 2 and default[0] == default[-1] == "'"
    if not key.strip() or (comma and not quoted):
        raise BadPattern(f"invalid policy variable: ${{{text[:100]}}}")
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


def matches_all_with(beginning: str, parts: Parts) -> bool | None:
    """Whether a pattern matches every longer text with this beginning; None if it matches only some of them.

    Only texts without a further colon count, because an ARN has none in its last part.
    """
    automaton = _Automaton(parts)
    last_colon = max(automaton.letters(":").get(":", 0).bit_length() - 1, 0)
    reached = automaton.reached(beginning) >> last_colon << last_colon
    if not automaton.runs & automaton.accepted:
        reached &= ~automaton.accepted  # Matches the beginning itself, and nothing longer.
    if reached & automaton.accepted:
        return True
    return None if reached else False


def _length(parts: Parts) -> int:
    return sum(len(part) if isinstance(part, str) else 1 for part in parts)


def literal_text(parts: Parts) -> str:
    """The pattern as a text in which wildcards are ordinary characters."""
    return "".join(part if isinstance(part, str) else part.value for part in parts)


@bounded_cache(entries=1024, size=1 << 18, weigh=_length)
def matcher(parts: Parts) -> Match:
    """A function that matches texts against the pattern; common forms get the fastest function."""
    if Wildcard.ONE in parts:
        return _with_quick_rejection(parts, _Automaton(parts).matches)
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
        return _anything if not first else _starting_with(first)
    return lambda text: matches_pieces(pieces, text)


def _anything(_text: str) -> bool:
    return True


def _starting_with(prefix: str) -> Match:
    return lambda text: text.startswith(prefix)


def _with_quick_rejection(parts: Parts, match: Match) -> Match:
    """Wrap a match: first reject texts that lack a literal of the pattern, as most do."""
    literals = [part for part in reversed(parts) if isinstance(part, str)]  # ARNs differ at their ends

    def match_after_rejection(text: str) -> bool:
        for literal in literals:
            if literal not in text:
                return False
        return match(text)

    return match_after_rejection


_KEPT_LETTERS: Final = 100
"""The number of different characters up to which a pattern keeps their positions; names and ARNs have fewer."""


def _positions(parts: Parts, wanted: set[str]) -> dict[str, int]:
    """The positions that a character leads to, for each wanted character."""
    letters: dict[str, int] = {}
    end = 0
    for part in parts:
        if part is Wildcard.ONE:
            end += 1
        elif isinstance(part, str):
            for letter in part:
                end += 1
                if letter in wanted:
                    letters[letter] = letters.get(letter, 0) | 1 << end
    return letters


class _Automaton:
    """All reachable positions in a pattern as the bits of one number (shift-and, Baeza-Yates).

    A bit of `letters` and `one` is a position that a character leads to, a bit of `runs` one that any character keeps.
    `letters` of a pattern with very many different characters are found for each text: kept, a pattern of 10,000
    characters would take 6 MB.
    """

    __slots__ = ("_letters", "_parts", "accepted", "one", "runs")

    def __init__(self, parts: Parts) -> None:
        runs = one = end = 0
        letters: set[str] = set()
        for part in parts:
            if part is Wildcard.RUN:
                runs |= 1 << end
            elif part is Wildcard.ONE:
                end += 1
                one |= 1 << end
            else:
                end += len(part)
                letters.update(part)
        self.accepted, self.one, self.runs = 1 << end, one, runs
        self._parts = parts
        self._letters = _positions(parts, letters) if len(letters) <= _KEPT_LETTERS else None

    def letters(self, text: str) -> Mapping[str, int]:
        """The positions of each character, at least of those in the text."""
        return _positions(self._parts, set(text)) if self._letters is None else self._letters

    def reached(self, text: str) -> int:
        """The positions after a text."""
        letters, one, runs = self.letters(text), self.one, self.runs
        reached = 1
        for letter in text:
            reached = (reached << 1 & (letters.get(letter, 0) | one)) | (reached & runs)
            if not reached:
                break
        return reached

    def matches(self, text: str) -> bool:
        return bool(self.reached(text) & self.accepted)
