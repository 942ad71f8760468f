"""Files that people write in YAML, TOML or JSON, each as strictly as `domain/strict_json.py` reads JSON.

A key that occurs twice is an error in all three. YAML's own readers keep the last one: a policy with two `Condition`
keys would lose the first, and allow more than the file says. docs/decisions/0035-strict-json.md has the reasons.
"""

from __future__ import annotations

import importlib
import importlib.util
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

from moorage.config import lines
from moorage.config.lines import Lines
from moorage.config.mistakes import place_of_mistake
from moorage.domain import strict_json
from moorage.domain.strict_json import BadJson

T = TypeVar("T")

_YAML_WIDTH: Final = 100
"""Characters of a line that `as_yaml` writes, as far as lines can be broken."""

_YAML_MERGE: Final = "tag:yaml.org,2002:merge"
"""The tag of the key `<<`. It is not a value, so it cannot be constructed."""


class BadDocument(ValueError):
    """The file cannot be read as its name says, or lacks what it needs. The text has the place if it is known."""


def read_as(kind: type[T], path: Path) -> T:
    """The content of a file as this type. The file's name decides how it is read. Raises BadDocument, OSError."""
    return read_with_lines(kind, path)[0]


def read_with_lines(kind: type[T], path: Path) -> tuple[T, Lines]:
    """`read_as`, and the lines of the values, for messages about them."""
    content = path.read_bytes()
    try:
        match path.suffix:
            case ".json":
                value = strict_json.read(content)
                found = lines.of_json(content.decode())
            case ".toml":
                value = tomllib.loads(content.decode())
                found = lines.of_toml(content.decode())
            case ".yaml" | ".yml":
                value, found = _yaml(content)
            case _:
                raise BadDocument("the file must have a name that ends in .yaml, .yml, .toml or .json.")
    except (BadJson, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadDocument(str(error)) from None
    try:
        return strict_json.converted(kind, value), found
    except BadJson as error:
        raise BadDocument(at_line(found.of(place_of_mistake(kind, value)), error)) from None


def at_line(line: int | None, reason: object) -> str:
    """A message about a value in this line."""
    return str(reason) if line is None else f"line {line}: {reason}"


def _yaml(content: bytes) -> tuple[Any, Lines]:
    """The value of a YAML document, and its lines. Raises BadDocument."""
    yaml = _pyyaml("Reading YAML needs PyYAML: install moorage[cli] in place of moorage, or write TOML or JSON.")
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(content)
        node = loader.get_single_node()
        if node is None:
            return None, Lines({})
        _reject_cycles(node)
        for mapping in _mappings(node):
            _reject_equal_keys(loader, mapping)
        return loader.construct_document(node), lines.of_yaml(node)
    except (yaml.YAMLError, RecursionError) as error:
        raise BadDocument(str(error) or "it is nested too deeply") from None


def as_yaml(value: Any) -> str:
    """The text of a YAML file with this value. Raises BadDocument."""
    yaml = _pyyaml("Writing YAML needs PyYAML: install moorage[cli] in place of moorage, or write JSON.")
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True, width=_YAML_WIDTH)
    return text


def _pyyaml(without: str) -> Any:
    if importlib.util.find_spec("yaml") is None:
        raise BadDocument(without)
    return importlib.import_module("yaml")


def _reject_cycles(root: Any) -> None:
    """Raise BadDocument if an alias stands for a value that contains it."""
    around: dict[int, Any] = {}
    done: set[int] = set()
    waiting = [(root, False)]
    while waiting:
        node, is_left = waiting.pop()
        if is_left:
            del around[id(node)]
            done.add(id(node))
        elif id(node) in around:
            raise BadDocument(f"line {node.start_mark.line + 1}: this value contains itself, by an alias")
        elif id(node) not in done and node.id != "scalar":
            around[id(node)] = node
            waiting.append((node, True))
            waiting += [(part, False) for part in _parts(node)]


def _parts(node: Any) -> list[Any]:
    return [part for pair in node.value for part in pair] if node.id == "mapping" else list(node.value)


def _mappings(root: Any) -> Iterator[Any]:
    """The mappings of a YAML document, each once: an alias is the node of its anchor."""
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen or node.id == "scalar":
            continue
        seen.add(id(node))
        if node.id == "mapping":
            yield node
        waiting += _parts(node)


def _reject_equal_keys(loader: Any, mapping: Any) -> None:
    """Raise BadDocument if a mapping has equal keys. A key may replace one that `<<` brings in: YAML is made so."""
    lines: dict[Any, int] = {}
    for key, _ in mapping.value:
        if key.id != "scalar":
            continue  # The loader rejects such a key when it constructs the mapping.
        name = key.value if key.tag == _YAML_MERGE else loader.construct_object(key)
        line = key.start_mark.line + 1
        if name in lines:
            raise BadDocument(f"line {line}: the key {key.value[:100]!r} occurs twice, first in line {lines[name]}")
        lines[name] = line
