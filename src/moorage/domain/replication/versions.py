"""Ranges of versions (semver.org): `>=1.2 <2`, `^1.2`, `~1.2.3`. Tags are compared as versions, with or without v."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_NUMBER: Final = r"(0|[1-9]\d{0,8})"
_VERSION: Final = re.compile(
    rf"v?{_NUMBER}(?:\.{_NUMBER})?(?:\.{_NUMBER})?(?:-([0-9A-Za-z.-]{{1,64}}))?(?:\+[0-9A-Za-z.-]{{1,64}})?", re.ASCII
)
_COMPARATOR: Final = re.compile(r"(>=|<=|>|<|=|\^|~)?([v0-9].*)", re.ASCII)
_LENGTH: Final = 200

Key = tuple[int, int, int, tuple[tuple[int, int, str], ...]]
_RELEASE: Final = ((2, 0, ""),)
"""In place of the identifiers of a prerelease: a release comes after all of its prereleases."""


@dataclass(frozen=True, slots=True)
class _Bound:
    """One comparison with a version."""

    operator: str
    key: Key

    def holds(self, key: Key) -> bool:
        match self.operator:
            case ">=":
                return key >= self.key
            case ">":
                return key > self.key
            case "<=":
                return key <= self.key
            case "<":
                return key < self.key
            case _:
                return key == self.key


@dataclass(frozen=True, slots=True)
class VersionRange:
    """Versions for which all bounds hold. Prereleases belong to it only if a bound of it is one."""

    bounds: tuple[_Bound, ...]
    prereleases: bool

    @classmethod
    def parse(cls, text: str) -> VersionRange:
        """Read comparators that are separated by spaces. Raises ValueError."""
        bounds: list[_Bound] = []
        for word in text.split():
            found = _COMPARATOR.fullmatch(word)
            version = _VERSION.fullmatch(found[2]) if found else None
            if found is None or version is None or len(text) > _LENGTH:
                raise ValueError(f"{text!r} is not a range of versions such as '>=1.2 <2' or '^1.2'")
            bounds += _bounds(found[1] or "=", version)
        if not bounds:
            raise ValueError("a range of versions must not be empty")
        return cls(tuple(bounds), any(bound.key[3] != _RELEASE and bound.key[3] for bound in bounds))

    def includes(self, tag: str) -> bool:
        """Whether a tag is a version in this range."""
        found = _VERSION.fullmatch(tag)
        if found is None or (found[4] is not None and not self.prereleases):
            return False
        key = _key(found)
        return all(bound.holds(key) for bound in self.bounds)


def _bounds(operator: str, version: re.Match[str]) -> list[_Bound]:
    key = _key(version)
    major, minor, patch, _ = key
    if operator == "^":
        above = (major + 1, 0, 0) if major else (0, minor + 1, 0) if minor or version[3] is None else (0, 0, patch + 1)
    elif operator == "~" or (operator == "=" and version[3] is None):
        above = (major + 1, 0, 0) if version[2] is None else (major, minor + 1, 0)
    else:
        return [_Bound(operator, key)]
    return [_Bound(">=", key), _Bound("<", (*above, ()))]


def _key(version: re.Match[str]) -> Key:
    """The order of versions (semver.org, section 11)."""
    prerelease = _RELEASE if version[4] is None else tuple(map(_identifier, version[4].split(".")))
    return int(version[1]), int(version[2] or 0), int(version[3] or 0), prerelease


def _identifier(text: str) -> tuple[int, int, str]:
    return (0, int(text), "") if text.isdecimal() else (1, 0, text)
