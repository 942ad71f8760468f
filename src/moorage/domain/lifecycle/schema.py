"""Checks of JSON values, with the error texts of ECR's validator, the JSON schema library of Java (fge)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec

from moorage.domain import strict_json
from moorage.domain.errors import InvalidParameter

_TYPES: Final = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}

_LARGEST_INTEGER: Final = 2**31 - 1
"""Integers are those of Java, with 32 bits."""


def invalid(reason: str) -> InvalidParameter:
    """The refusal of an invalid lifecycle policy."""
    return InvalidParameter(
        parameter="LifecyclePolicyText", constraint=f"Lifecycle policy validation failure: {reason}"
    )


def unreadable() -> InvalidParameter:
    """The refusal of a policy that ECR's Java classes cannot hold: no JSON, too large numbers, no target class."""
    return InvalidParameter(
        parameter="LifecyclePolicyText",
        constraint="Lifecycle policy parsing failure: Could not map policyString into LifecyclePolicy.",
    )


def decoded(text: str) -> Any:
    """The JSON value of a text. Raises InvalidParameter."""
    try:
        return strict_json.read(text)
    except strict_json.BadJson:
        raise unreadable() from None


def members(value: Any, required: Collection[str], optional: Collection[str] = ()) -> Mapping[str, Any]:
    """Check that an object has all required members and no others than the optional ones. Raises InvalidParameter."""
    typed(value, dict)
    missing = sorted(name for name in required if name not in value)
    if missing:
        raise invalid(f"object has missing required properties ({_list(missing)})")
    unknown = sorted(name for name in value if name not in {*required, *optional})
    if unknown:
        raise invalid(f"object instance has properties which are not allowed by the schema: ({_list(unknown)})")
    found: Mapping[str, Any] = value
    return found


def typed(value: Any, kind: type) -> Any:
    """Check the type of a value; a boolean is not an integer. Raises InvalidParameter."""
    if type(value) is not kind:
        raise invalid(wrong_type(value, kind))
    return value


def wrong_type(value: Any, kind: type) -> str:
    """The text for a value of a type that the schema does not allow."""
    found = _TYPES.get(type(value), "null")
    return f"instance type ({found}) does not match any allowed primitive type (allowed: {_list([_TYPES[kind]])})"


def integer(value: Any, minimum: int) -> int:
    """Check an integer. Raises InvalidParameter."""
    number: int = typed(value, int)
    if number > _LARGEST_INTEGER:
        raise unreadable()
    if number < minimum:
        raise invalid(f"numeric instance is lower than the required minimum (minimum: {minimum}, found: {number})")
    return number


def string(value: Any, lengths: range) -> str:
    """Check a string and its length. Raises InvalidParameter."""
    text: str = typed(value, str)
    if len(text) < lengths.start:
        raise invalid(f'string "{text}" is too short (length: {len(text)}, required minimum: {lengths.start})')
    if len(text) >= lengths.stop:
        raise invalid(f'string "{text}" is too long (length: {len(text)}, maximum allowed: {lengths.stop - 1})')
    return text


def array(value: Any, lengths: range) -> list[Any]:
    """Check an array and its length. Raises InvalidParameter."""
    items: list[Any] = typed(value, list)
    if len(items) < lengths.start:
        limit = f"at least {lengths.start}"
        raise invalid(f"array is too short: must have {limit} elements but instance has {len(items)} elements")
    if len(items) >= lengths.stop:
        limit = f"at most {lengths.stop - 1}"
        raise invalid(f"array is too long: must have {limit} elements but instance has {len(items)} elements")
    return items


def one_of(value: Any, values: Collection[str]) -> str:
    """Check that a string is one of the values. Raises InvalidParameter."""
    text: str = typed(value, str)
    if text not in values:
        possible = ", ".join(f'"{allowed}"' for allowed in sorted(values))
        raise invalid(f"instance value ({text}) not found in enum :(possible values: [{possible}])")
    return text


def no_alternative(number: int) -> InvalidParameter:
    """The refusal of an object that matches none of so many schemas; the validator gives no further reason."""
    return invalid(f"instance failed to match exactly one schema (matched 0 out of {number})")


def _list(names: list[str]) -> str:
    return msgspec.json.encode(names).decode()
