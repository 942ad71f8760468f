"""The shapes of a model in AWS's query protocol: parameters become checked dictionaries; responses become XML or JSON.

    UserName=ann&Tags.member.1.Key=team&Tags.member.1.Value=a       {"UserName": "ann", "Tags": [{"Key": "team", …}]}

Members are those of the service model, timestamps are numbers of seconds since 1970 (UTC), as in `codec`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from moorage.aws.constraints import checked, path_name
from moorage.aws.query import QueryRequest, element
from moorage.aws.rest_json import boolean, integer
from moorage.aws.service_model import SHAPES, Operation
from moorage.bounds import shortened
from moorage.domain.errors import Validation
from moorage.domain.units import SECOND, iso_time

_LONGEST_NAME: Final = 200
"""Characters of a parameter's name. The longest of IAM is `ContextEntries.member.N.ContextKeyValues.member.N`."""

_NUMBER: Final = re.compile(r"[1-9]\d{0,4}", re.ASCII)

Node = str | dict[str, Any]
"""A parameter's value, or the parameters whose names go on, by the next part of their names."""


def decode(operation: Operation, request: QueryRequest) -> dict[str, Any]:
    """Return the members of a request. Elements of lists are numbered from 1, without gaps.

    Unknown parameters are refused, not dropped: one that is misspelled may restrict what the request does. Raises
    Validation.
    """
    members = _typed(operation.input_shape, _tree(request.parameters), "")
    return checked(operation.input_shape, members, operation.service)


def result_xml(operation: Operation, response: Mapping[str, Any]) -> str | None:
    """The XML of a response's members; None for an operation whose responses have none."""
    return "".join(_xml_of_members(operation.output_shape, response)) if operation.output_shape else None


def response_json(operation: Operation, response: Mapping[str, Any], request_id: str) -> dict[str, Any]:
    """A response as IAM returns it to clients that accept JSON."""
    name = operation.name
    wrapped = {f"{name}Result": response} if operation.output_shape else {}
    return {f"{name}Response": {**wrapped, "ResponseMetadata": {"RequestId": request_id}}}


def _tree(parameters: Mapping[str, str]) -> Node:
    root: dict[str, Any] = {}
    for name, value in parameters.items():
        if len(name) > _LONGEST_NAME:
            raise _broken(name, "There is no such parameter")
        *beginning, last = name.split(".")
        node = root
        for part in beginning:
            node = node.setdefault(part, {})
            if type(node) is not dict:
                raise _broken(name, "A parameter cannot have both a value and elements")
        if last in node:
            raise _broken(name, "A parameter cannot have both a value and elements")
        node[last] = value
    return root


def _typed(shape_name: str, node: Node, path: str) -> Any:
    shape = SHAPES[shape_name]
    if shape.type == "structure":
        return {
            name: _typed(_member(shape.members, name, path), value, _joined(path, path_name(name)))
            for name, value in _parts(node, path).items()
        }
    if shape.type == "list":
        if node == "":  # This is how clients send an empty list.
            return []
        return [_typed(shape.member, item, f"{path}.{number}.member") for number, item in _items(node, path)]
    if type(node) is not str:
        raise _broken(path, "The parameter has no elements")
    try:
        return _READERS[shape.type](node)
    except (KeyError, ValueError):
        raise _broken(path, f"Member must be of type {shape.type}", node) from None


def _member(members: Mapping[str, str], name: str, path: str) -> str:
    if name not in members:
        raise _broken(_joined(path, name), "There is no such parameter")
    return members[name]


def _parts(node: Node, path: str) -> dict[str, Any]:
    if type(node) is not dict:
        raise _broken(path, "The parameter has no value, but elements")
    return node


def _items(node: Node, path: str) -> Iterator[tuple[int, Any]]:
    parts = _parts(node, path)
    items = parts.get("member")
    if len(parts) != 1 or type(items) is not dict or not all(map(_NUMBER.fullmatch, items)):
        raise _broken(path, "Elements of a list are named member.1, member.2 and so on")
    for number in range(1, len(items) + 1):
        if str(number) not in items:
            raise _broken(path, "Members must be numbered from 1, without gaps")
        yield number, items[str(number)]


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "string": str,
    "boolean": boolean,
    "integer": integer,
}


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _broken(path: str, constraint: str, value: str | None = None) -> Validation:
    printed = "" if value is None else f" '{shortened(value)}'"
    text = f"Value{printed} at '{shortened(path)}' failed to satisfy constraint: {constraint}"
    return Validation(reason=f"1 validation error detected: {text}")


def _xml_of_members(shape_name: str, members: Mapping[str, Any]) -> Iterator[str]:
    """The members in the order of the model."""
    for name, member in SHAPES[shape_name].members.items():
        value = members.get(name)
        if value is not None:
            yield _xml(name, member, value)


def _xml(name: str, shape_name: str, value: Any) -> str:
    shape = SHAPES[shape_name]
    match shape.type:
        case "structure":
            return f"<{name}>{''.join(_xml_of_members(shape_name, value))}</{name}>"
        case "list":
            return f"<{name}>{''.join(_xml('member', shape.member, item) for item in value)}</{name}>"
        case "map":
            entries = (_xml("key", shape.key, key) + _xml("value", shape.value, item) for key, item in value.items())
            return f"<{name}>{''.join(f'<entry>{entry}</entry>' for entry in entries)}</{name}>"
        case "timestamp":
            return element(name, iso_time(round(value * SECOND)))
        case "boolean":
            return element(name, "true" if value else "false")
        case _:
            return element(name, str(value))
