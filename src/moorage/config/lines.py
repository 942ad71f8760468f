"""Lines of values in files that people write: where a value is that is wrong."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any, Final

Place = tuple[str | int, ...]

_JSON_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_TOML_HEADER: Final = re.compile(r"\s*(\[.*\])\s*(#.*)?$")
_TOML_KEY: Final = re.compile(r"""\s*((?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_.\-\s])+?)\s*=""")


class Lines:
    """The lines of the values of a file, by their place: the keys and numbers from the outermost."""

    def __init__(self, lines: dict[Place, int]) -> None:
        self._lines = lines

    def of(self, place: Place) -> int | None:
        """The line of a value, or of the innermost value around it whose line is known."""
        for length in range(len(place), 0, -1):
            line = self._lines.get(place[:length])
            if line is not None:
                return line
        return None


def of_json(text: str) -> Lines:
    """The lines of a JSON text that was read without an error."""
    return Lines(dict(_json_lines(text)))


def _json_lines(text: str) -> Iterator[tuple[Place, int]]:
    place: list[str | int] = []
    expects_key: list[bool] = []
    line, position = 1, 0
    for token in _JSON_TOKEN.finditer(text):
        line += text.count("\n", position, token.start())
        position = token.start()
        word = token[0]
        if word in "{[":
            if place and isinstance(place[-1], int):
                yield tuple(place), line
            place.append("" if word == "{" else 0)
            expects_key.append(word == "{")
        elif word in "}]":
            place.pop()
            expects_key.pop()
        elif word == ",":
            if isinstance(place[-1], int):
                place[-1] += 1
            else:
                expects_key[-1] = True
        elif place and isinstance(place[-1], str) and expects_key[-1]:
            place[-1] = _text_of(word)
            expects_key[-1] = False
            yield tuple(place), line
        elif place and isinstance(place[-1], int):
            yield tuple(place), line


def _text_of(word: str) -> str:
    """The text of a JSON string: TOML's basic strings have the same escapes but one."""
    value: str = tomllib.loads(f"text = {word}".replace("\\/", "/"))["text"]
    return value


def of_toml(text: str) -> Lines:
    """The lines of a TOML text that was read without an error. A value within a line has the line of its key."""
    lines: dict[Place, int] = {}
    table: Place = ()
    numbers: dict[Place, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        header = _TOML_HEADER.match(line)
        found = _toml_place(header[1]) if header else None
        if header and found:
            table = found
            if header[1].startswith("[["):
                numbers[found] = numbers.get(found, -1) + 1
                table = (*found, numbers[found])
            lines.setdefault(table, number)
            continue
        key = _TOML_KEY.match(line)
        inner = _toml_place(f"{key[1]} = 0") if key else None
        if inner:
            lines.setdefault(table + inner, number)
    return Lines(lines)


def _toml_place(text: str) -> Place | None:
    """The keys that a header or a key names; None for a line that only looks like one."""
    try:
        value: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
    place: list[str | int] = []
    while isinstance(value, (dict, list)) and value:
        if isinstance(value, list):
            value = value[0]
            continue
        key, value = next(iter(value.items()))
        place.append(key)
    return tuple(place)


def of_yaml(root: Any) -> Lines:
    """The lines of the nodes of a YAML document. Of a value that is used twice, each place has the same line."""
    lines: dict[Place, int] = {}
    waiting: list[tuple[Place, Any]] = [((), root)]
    while waiting and len(lines) < _MOST_LINES:
        place, node = waiting.pop()
        if node.id == "mapping":
            for key, value in node.value:
                inner = (*place, str(key.value))
                lines[inner] = int(key.start_mark.line) + 1
                waiting.append((inner, value))
        elif node.id == "sequence":
            for number, value in enumerate(node.value):
                lines[*place, number] = int(value.start_mark.line) + 1
                waiting.append(((*place, number), value))
    return Lines(lines)


_MOST_LINES: Final = 1_000_000
"""Places of one file: aliases of YAML can repeat values without end."""
