"""The constraints of ECR's service model on the values of a declaration, and the JSON schema that states them."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from moorage.aws.constraints import rule_of
from moorage.aws.service_model import SHAPES
from moorage.core.declared.document import SHAPE, Declaration, as_text

Place = tuple[str | int, ...]

def violations(kind: Any, value: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """The places of values that break a constraint, each with the reason. `value` has this type."""
    if value is None:
        return
    kind, shape_name = _unwrapped(kind)
    if shape_name is not None and value not in ([], {}):
        broken = _broken(shape_name, value)
        if broken is not None:
            yield place, broken
    yield from _violations_within(kind, value, place)


def _violations_within(kind: Any, value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, msgspec.Struct):
        for name, member in get_type_hints(type(value), include_extras=True).items():
            yield from violations(member, getattr(value, name), (*place, name))
    elif get_origin(kind) is list:
        for number, item in enumerate(value):
            yield from violations(get_args(kind)[0], item, (*place, number))
    elif get_origin(kind) is dict:
        of_key, of_value = get_args(kind)
        for key, item in value.items():
            yield from violations(of_key, key, (*place, key))
            yield from violations(of_value, item, (*place, key))


def _unwrapped(kind: Any) -> tuple[Any, str | None]:
    """A type without its annotation and without None, and the name of its shape."""
    if get_origin(kind) in (Union, UnionType):
        kind = next(part for part in get_args(kind) if part is not type(None))
    if get_origin(kind) is not Annotated:
        return kind, None
    inner, *annotations = get_args(kind)
    for annotation in annotations:
        if isinstance(annotation, msgspec.Meta) and SHAPE in (annotation.extra_json_schema or {}):
            return inner, (annotation.extra_json_schema or {})[SHAPE]
    return inner, None


def _broken(shape_name: str, value: Any) -> str | None:
    """The constraint that a value breaks. A document is checked as the text that requests have."""
    is_text = SHAPES[shape_name].type == "string"
    return rule_of(shape_name)(as_text(value) if is_text and isinstance(value, dict) else value)


def schema() -> dict[str, Any]:
    """The JSON schema of a declaration."""
    described: dict[str, Any] = msgspec.json.schema(Declaration)
    _with_constraints(described)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Moorage declaration", **described}


def schema_text() -> str:
    """The JSON schema as the text of a file."""
    return msgspec.json.format(msgspec.json.encode(schema()), indent=2).decode()


def _with_constraints(node: Any) -> None:
    """Replace the names of shapes by their constraints, in all parts of a schema."""
    if isinstance(node, list):
        for item in node:
            _with_constraints(item)
    elif isinstance(node, dict):
        name = node.pop(SHAPE, None)
        for item in node.values():
            _with_constraints(item)
        if name is not None:
            node.update(_constraints(name, node.get("type", "string")))


def _constraints(shape_name: str, kind: str) -> dict[str, Any]:
    """The constraints of a shape, for values that a file has in its place: a document has no length there."""
    shape = SHAPES[shape_name]
    if kind == "array":
        return {"maxItems": shape.max} if shape.max is not None else {}
    if kind != "string":
        return {}
    found: dict[str, Any] = {"minLength": shape.min, "maxLength": shape.max, "enum": list(shape.enum) or None}
    if shape.pattern is not None:
        found["pattern"] = f"^(?:{shape.pattern})$"
    return {key: value for key, value in found.items() if value is not None}
