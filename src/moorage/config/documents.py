"""Read files that people write in YAML, TOML or JSON, each as strictly as `domain/strict_json.py` reads JSON.

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

from moorage.domain import strict_json
from moorage.domain.strict_json import BadJson

T = TypeVar("T")

_YAML_MERGE: Final = "tag:yaml.org,2002:merge"
"""The tag of the key `<<`. It is not a value, so it cannot be constructed."""


class BadDocument(ValueError):
    """The file cannot be read as its name says, or lacks what it needs. The text has the place if it is known."""


def read_as(kind: type[T], path: Path) -> T:
    """The content of a file as this type. The file's name decides how it is read. Raises BadDocument, OSError."""
    content = path.read_bytes()
    try:
        match path.suffix:
            case ".json":
                value = strict_json.read(content)
            case ".toml":
                value = tomllib.loads(content.decode())
            case ".yaml" | ".yml":
                value = _yaml(content)
            case _:
                raise BadDocument("the file must have a name that ends in .yaml, .yml, .toml or .json.")
        return strict_json.converted(kind, value)
    except (BadJson, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadDocument(str(error)) from None


def _yaml(content: bytes) -> Any:
    """The value of a YAML document. Raises BadDocument."""
    if importlib.util.find_spec("yaml") is None:
        raise BadDocument("Reading YAML needs PyYAML: install the package pyyaml, or write the file in TOML or JSON.")
    yaml = importlib.import_module("yaml")
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(content)
        node = loader.get_single_node()
        if node is None:
            return None
        for mapping in _mappings(node):
            _reject_equal_keys(loader, mapping)
        return loader.construct_document(node)
    except (yaml.YAMLError, RecursionError) as error:
        raise BadDocument(str(error) or "it is nested too deeply") from None


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
            waiting += [part for pair in node.value for part in pair]
        else:
            waiting += node.value


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
