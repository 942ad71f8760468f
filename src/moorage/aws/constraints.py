"""The constraints of the service models, for requests and responses, with the same rules for both.

A request is checked in the order of the model. A wrong JSON type ends the check, because AWS deserializes before it
validates. ECR returns the first broken constraint, other services list several. The texts are AWS's. Those of length,
value, enumeration, pattern, and of scalars in lists were captured from ECR (github.com/aws-actions/amazon-ecr-login,
README: "Invalid parameter at 'registryIds' … 'Member must satisfy constraint: [Member must …]'").
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from typing import Any, Final

import msgspec
import pybase64

from moorage.aws.findings import Findings
from moorage.aws.service_model import ECR_API, SHAPES, Shape
from moorage.domain import strict_json
from moorage.domain.errors import Serialization

Rule = Callable[[Any], str | None]
Check = Callable[[Any, str, Findings], Any]

NOT_NULL = "Member must not be null"
NOT_BASE64 = "Member must be valid base64"
_INTEGER_BOUNDS = {"integer": 2**31, "long": 2**63}


def checked(shape_name: str, value: dict[str, Any], service: str = ECR_API) -> dict[str, Any]:
    """Return the shape's members of `value`: without nulls and unknown members, blobs as bytes.

    Raises Serialization for a wrong JSON type; InvalidParameter, or Validation for services other than ECR, for broken
    constraints.
    """
    findings = Findings()
    result: dict[str, Any] = _check_of(shape_name)(value, "", findings)
    if findings.listed:
        raise findings.refusal(service)
    return result


# --- Requests: one check per shape, built on first use ---------------------------------------------------------------


@cache
def _check_of(shape_name: str) -> Check:
    return _CHECKS[SHAPES[shape_name].type](shape_name)


def _structure_check(shape_name: str) -> Check:
    shape = SHAPES[shape_name]
    members = [(name, path_name(name), _check_of(member)) for name, member in shape.members.items()]
    required = [(name, path_name(name)) for name in shape.required]
    known = strict_json.names_by_fold(tuple(shape.members))

    def check(value: Any, path: str, findings: Findings) -> dict[str, Any]:
        if type(value) is not dict:
            raise _wrong_type(value, "structure")
        prefix = path + "." if path else ""
        for name, label in required:
            if value.get(name) is None:
                findings.add(prefix + label, NOT_NULL)
        result = {}
        for name, label, check_member in members:
            item = value.get(name)
            if item is not None:
                result[name] = check_member(item, prefix + label, findings)
        if len(result) != len(value):
            strict_json.reject_variants(value, known)
        return result

    return check


def _list_check(shape_name: str) -> Check:
    size_rule = rule_of(shape_name)
    shape = SHAPES[shape_name]
    member_name = shape.member
    member = SHAPES[member_name]
    check_item = _check_of(member_name)
    if member.type == "structure":
        check_items = partial(_check_structures, check_item)
    else:
        check_items = partial(_check_scalars, check_item, shape, _nested(constraint_texts(member)))

    def check(value: Any, path: str, findings: Findings) -> list[Any]:
        if type(value) is not list:
            raise _wrong_type(value, "list")
        broken = size_rule(value)
        if broken is not None:
            findings.add(path, broken, shape, value)
        return check_items(value, path, findings)

    return check


def _check_structures(check_item: Check, items: list[Any], path: str, findings: Findings) -> list[Any]:
    result = []
    for number, item in enumerate(items, start=1):
        item_path = f"{path}.{number}.member"
        if item is None:
            findings.add(item_path, NOT_NULL)
        else:
            result.append(check_item(item, item_path, findings))
    return result


def _check_scalars(
    check_item: Check, shape: Shape, texts: str, items: list[Any], path: str, findings: Findings
) -> list[Any]:
    """AWS reports a bad scalar at its list, with all constraints of the list's members."""
    broken = Findings()
    for item in items:
        if item is None:
            findings.add(path, _nested([NOT_NULL]), shape, items)
        else:
            check_item(item, path, broken)
    if broken.listed:
        findings.add(path, texts, shape, items)
    return items


def _map_check(shape_name: str) -> Check:
    """AWS reports a bad key or value at its map, with all constraints of its keys or values."""
    shape = SHAPES[shape_name]
    size_rule, check_key, check_value = rule_of(shape_name), _check_of(shape.key), _check_of(shape.value)
    key_texts = f"Map keys must satisfy constraint: [{', '.join(constraint_texts(SHAPES[shape.key]))}]"
    value_texts = f"Map value must satisfy constraint: [{', '.join(constraint_texts(SHAPES[shape.value]))}]"

    def check(value: Any, path: str, findings: Findings) -> dict[str, Any]:
        if type(value) is not dict:
            raise _wrong_type(value, "map")
        broken = size_rule(value)
        if broken is not None:
            findings.add(path, broken, shape, value)
        keys, values = Findings(), Findings()
        for key, item in value.items():
            check_key(key, path, keys)
            if item is None:
                findings.add(path, f"Map value must satisfy constraint: [{NOT_NULL}]", shape, value)
            else:
                check_value(item, path, values)
        for found, texts in ((keys, key_texts), (values, value_texts)):
            if found.listed:
                findings.add(path, texts, shape, value)
        return value

    return check


def _scalar_check(accepts: Callable[[Any], bool], expected: str, shape_name: str) -> Check:
    rule = rule_of(shape_name)
    shape = SHAPES[shape_name]

    def check(value: Any, path: str, findings: Findings) -> Any:
        if not accepts(value):
            raise _wrong_type(value, expected)
        broken = rule(value)
        if broken is not None:
            findings.add(path, broken, shape, value)
        return value

    return check


def _blob_check(shape_name: str) -> Check:
    size_rule = rule_of(shape_name)
    shape = SHAPES[shape_name]

    def check(value: Any, path: str, findings: Findings) -> bytes:
        content = decoded_blob(value)
        broken = NOT_BASE64 if content is None else size_rule(content)
        if broken is not None:
            findings.add(path, broken, shape, value)
        return content or b""

    return check


def decoded_blob(value: Any) -> bytes | None:
    """Return the bytes of a base64 string (or of its raw JSON text); None if it is not base64.

    Raises Serialization for any other JSON type.
    """
    if isinstance(value, msgspec.Raw):
        text = memoryview(value)
        if text[0] == ord('"') and (content := _from_base64(text[1:-1])) is not None:
            return content
        # The text may have JSON escapes: some encoders write "/" as "\/" and "=" as "\u003d".
        value = strict_json.read(bytes(value))
    if type(value) is not str:
        raise _wrong_type(value, "Blob")
    return _from_base64(value)


def _from_base64(text: str | memoryview) -> bytes | None:
    try:
        return pybase64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # ValueError: characters outside ASCII
        return None


def _is_integer(limit: int, value: Any) -> bool:
    return type(value) is int and -limit <= value < limit


def _is_time(value: Any) -> bool:
    """Whether a number of seconds since 1970 is a time between the years 1 and 9999."""
    return type(value) in (int, float) and _EARLIEST <= value < _LATEST


_EARLIEST: Final = -62_135_596_800
_LATEST: Final = 253_402_300_800

_CHECKS: dict[str, Callable[[str], Check]] = {
    "structure": _structure_check,
    "list": _list_check,
    "map": _map_check,
    "blob": _blob_check,
    "string": partial(_scalar_check, lambda value: type(value) is str, "String"),
    "boolean": partial(_scalar_check, lambda value: type(value) is bool, "Boolean"),
    "integer": partial(_scalar_check, partial(_is_integer, _INTEGER_BOUNDS["integer"]), "Integer"),
    "long": partial(_scalar_check, partial(_is_integer, _INTEGER_BOUNDS["long"]), "Long"),
    "timestamp": partial(_scalar_check, _is_time, "Timestamp"),
}


def _wrong_type(value: Any, expected: str) -> Serialization:
    """The error for a wrong type. AWS's texts name the token that the parser found."""
    if type(value) is list:
        return Serialization(reason="Start of list found where not expected")
    if type(value) is dict:
        return Serialization(reason="Start of structure or map found where not expected.")
    if expected in ("structure", "list", "map"):
        return Serialization(reason="Unexpected field type")
    token = {str: "STRING", bool: "TRUE" if value is True else "FALSE"}.get(type(value), "NUMBER")
    return Serialization(reason=f"{token}_VALUE cannot be converted to {expected}")


def path_name(member: str) -> str:
    """AWS prints members as Java fields: `Key` of a tag is `tags.1.member.key`."""
    return member[:1].lower() + member[1:]


# --- Rules: constraints for values of the right type -----------------------------------------------------------------


@cache
def rule_of(shape_name: str) -> Rule:
    """Return a function for the first broken constraint of a value with the right type: length before pattern."""
    rules = tuple(_rules(SHAPES[shape_name]))
    if not rules:
        return _nothing_broken
    if len(rules) == 1:
        return rules[0]

    def rule(value: Any) -> str | None:
        for part in rules:
            broken = part(value)
            if broken is not None:
                return broken
        return None

    return rule


def _nothing_broken(_: Any) -> None:
    return None


def _rules(shape: Shape) -> Iterator[Rule]:
    if shape.min is not None or shape.max is not None:
        yield partial(_range_broken, shape, len if _has_length(shape) else _identity)
    if shape.pattern is not None:
        # The models are written for Java: \w means ASCII, and a pattern must match the whole text.
        yield partial(_pattern_broken, re.compile(shape.pattern, re.ASCII), _pattern_text(shape))
    if shape.enum:
        yield partial(_enum_broken, frozenset(shape.enum), _enum_text(shape))


def _range_broken(shape: Shape, measure: Callable[[Any], int], value: Any) -> str | None:
    measured = measure(value)
    if shape.min is not None and measured < shape.min:
        return _min_text(shape)
    if shape.max is not None and measured > shape.max:
        return _max_text(shape)
    return None


def _identity(value: int) -> int:
    return value


def _pattern_broken(pattern: re.Pattern[str], text: str, value: str) -> str | None:
    return None if pattern.fullmatch(value) else text


def _enum_broken(values: frozenset[str], text: str, value: str) -> str | None:
    return None if value in values else text


def _has_length(shape: Shape) -> bool:
    return shape.type in ("string", "list", "blob", "map")


def _min_text(shape: Shape) -> str:
    measured = "length" if _has_length(shape) else "value"
    return f"Member must have {measured} greater than or equal to {shape.min}"


def _max_text(shape: Shape) -> str:
    measured = "length" if _has_length(shape) else "value"
    return f"Member must have {measured} less than or equal to {shape.max}"


def _pattern_text(shape: Shape) -> str:
    return shape.pattern_message or f"Member must satisfy regular expression pattern: {shape.pattern}"


def _enum_text(shape: Shape) -> str:
    return f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"


def _nested(texts: Iterable[str]) -> str:
    return f"Member must satisfy constraint: [{', '.join(texts)}]"


def constraint_texts(shape: Shape) -> Iterator[str]:
    """Yield the texts of all constraints of a shape, in AWS's order (largest length first)."""
    if shape.max is not None:
        yield _max_text(shape)
    if shape.min is not None:
        yield _min_text(shape)
    if shape.pattern is not None:
        yield _pattern_text(shape)
    if shape.enum:
        yield _enum_text(shape)


# --- Responses ------------------------------------------------------------------------------------------------------

_OUTPUT_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "timestamp": (int, float),
    "blob": (bytes,),
}


def violations(shape_name: str, value: Any, path: str = "") -> Iterator[str]:
    """Yield the errors in a value that we send: unknown, mistyped or missing members, broken constraints."""
    shape = SHAPES[shape_name]
    if type(value) not in _OUTPUT_TYPES[shape.type]:
        yield f"{path or shape_name}: a {shape.type} cannot be {value!r}"
        return
    broken = rule_of(shape_name)(value)
    if broken is not None:
        yield f"{path}: {broken}"
    if shape.type == "structure":
        yield from _member_violations(shape, value, path)
    elif shape.type == "list":
        for number, item in enumerate(value, start=1):
            yield from violations(shape.member, item, f"{path}.{number}.member")
    elif shape.type == "map":
        for key, item in value.items():
            yield from violations(shape.key, key, f"{path}.{key}.key")
            yield from violations(shape.value, item, f"{path}.{key}.value")


def _member_violations(shape: Shape, value: dict[str, Any], path: str) -> Iterator[str]:
    prefix = path + "." if path else ""
    for name in shape.required:
        if value.get(name) is None:
            yield f"{prefix}{name}: {NOT_NULL}"
    for name, item in value.items():
        if name not in shape.members:
            yield f"{prefix}{name}: the model has no such member"
        elif item is not None:
            yield from violations(shape.members[name], item, f"{prefix}{name}")
