"""Where the statements of a policy are in its text."""

from __future__ import annotations

import json  # noqa: TID251 - msgspec does not say where a value ends
from collections.abc import Iterator
from typing import Final, NamedTuple

_SPACE: Final = " \t\n\r"
_DECODER: Final = json.JSONDecoder()


class Place(NamedTuple):
    """A line and a column of a text, both counted from 1."""

    line: int
    column: int


def statement_places(text: str, position: int) -> tuple[Place, Place]:
    """The first character of a statement and the one after its last. `position` counts from 0; `text` is a policy."""
    start, end = list(_statements(text))[position]
    return _place(text, start), _place(text, end)


def _statements(text: str) -> Iterator[tuple[int, int]]:
    """Where each statement begins and ends."""
    for name, start, end in _members(text):
        if name != "Statement":
            continue
        if text[start] == "{":
            yield start, end
        else:
            yield from _elements(text, start)


def _members(text: str) -> Iterator[tuple[str, int, int]]:
    """The members of an object: the name, and where the value begins and ends."""
    at = _after_space(text, _after_space(text, 0) + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        start = _after_space(text, _after_space(text, at) + 1)
        _, end = _DECODER.raw_decode(text, start)
        yield name, start, end
        at = _after_comma(text, end)


def _elements(text: str, array: int) -> Iterator[tuple[int, int]]:
    """Where each element of an array begins and ends."""
    at = _after_space(text, array + 1)
    while text[at] != "]":
        _, end = _DECODER.raw_decode(text, at)
        yield at, end
        at = _after_comma(text, end)


def _after_comma(text: str, at: int) -> int:
    at = _after_space(text, at)
    return _after_space(text, at + 1) if text[at] == "," else at


def _after_space(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at


def _place(text: str, at: int) -> Place:
    before = text[:at]
    return Place(before.count("\n") + 1, at - before.rfind("\n"))
