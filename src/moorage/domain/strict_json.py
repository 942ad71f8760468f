"""The one reader of JSON texts that come from outside. It accepts only what other readers read in the same way.

It rejects what readers are known to read differently (RFC 8259, sections 4, 6, 8 and 9):

- A member that occurs twice. Some readers keep the first, most the last, some both.
- A member whose name differs from a known one only in case, where a struct names the known members. Go's encoding/json,
  with which Docker clients read manifests, takes `Layers` for `layers`, also with the letter U+017F as the last one.
- Invalid UTF-8, a byte order mark and lone surrogates, which Go replaces.
- NaN, Infinity, and numbers outside 64-bit integers and doubles.
- Texts with more nesting or more values than any valid text has, because they cost time and memory.

The keys of maps, such as annotations, are data: `a` and `A` are two keys, as in a map of Go. The same holds for members
that no struct names. docs/decisions/0035-strict-json.md has the reasons.
"""

from __future__ import annotations

import json  # noqa: TID251 - msgspec keeps the last of two equal members and cannot report them
import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final, NoReturn, TypeVar

import msgspec
from msgspec import inspect

DEPTH_LIMIT: Final = 64
"""Levels of objects and arrays. Go's limit is 10,000, that of Java's Jackson 1,000; no format here needs 10."""

VALUE_LIMIT: Final = 200_000
"""Upper limit for commas, braces and brackets outside strings: an index of 10,000 images has 120,000."""

_QUOTES_LIMIT: Final = 4 * (VALUE_LIMIT + 1)
"""Quotes of the strings that so many values can have: two for each name of a member and each value."""

_INTEGERS: Final = range(-(2**63), 2**63)
_LONGEST_INTEGER: Final = 20
_SURROGATE_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_FOLDED: Final = {0x017F: "s", 0x212A: "k"}
"""The only letters outside ASCII that Unicode folds to a letter in ASCII: the long s and the Kelvin sign."""

T = TypeVar("T")
_Check = Callable[[Any], None]


class BadJson(ValueError):
    """The text is not JSON, or breaks a rule of this module; the message says which."""


class IntegerOutOfRange(BadJson):
    """The text has an integer that 64 bits cannot hold."""


class AmbiguousJson(BadJson):
    """The text is JSON, but readers can disagree on what it says."""


def _containers(text: str) -> int:
    return text.count("{") + text.count("[")


def _has_too_many_values(text: str) -> bool:
    """Whether more values are outside strings than the limit allows. A string may be a whole manifest."""
    if text.count('"') - text.count('\\"') > _QUOTES_LIMIT:  # Cutting out that many strings would take 50 ms.
        return True
    outside = _without_strings(text)
    return _containers(outside) + outside.count(",") > VALUE_LIMIT


def _without_strings(text: str) -> str:
    """The text without its strings: every second part between quotes that are not escaped."""
    return "".join(text.replace("\\\\", "").replace('\\"', "").split('"')[::2])


def read(text: bytes | str) -> Any:
    """The value of a text. Raises BadJson."""
    decoded = _decoded(text)
    containers = _containers(decoded)
    if containers + decoded.count(",") > VALUE_LIMIT and _has_too_many_values(decoded):
        raise BadJson("it has too many values")
    try:
        value = _DECODER.decode(decoded)
    except RecursionError:
        raise BadJson("it is nested too deeply") from None
    except BadJson:
        raise
    except ValueError as error:
        raise BadJson(f"it is not JSON: {error}") from None
    if containers > DEPTH_LIMIT and _is_too_deep(value):
        raise BadJson("it is nested too deeply")
    if _SURROGATE_ESCAPE.search(decoded):
        _reject_lone_surrogates(value)
    return value


def read_as(kind: type[T], text: bytes | str) -> T:
    """The value of a text as this type. Members that its structs do not name are ignored. Raises BadJson."""
    return converted(kind, read(text))


def converted(kind: type[T], value: Any) -> T:
    """A value that was read, as this type. Raises BadJson."""
    hashable: Any = kind
    check = _check_of_type(hashable)
    if check is not None:
        check(value)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise BadJson(str(error)) from None


def reject_variants(members: Iterable[str], known: Mapping[str, str]) -> None:
    """Raise AmbiguousJson if a member differs from a known one only in case. `known` comes from `names_by_fold`."""
    for name in members:
        if known.get(folded(name), name) != name:
            raise AmbiguousJson(f"the member {name[:100]!r} differs from {known[folded(name)]!r} only in case")


def names_by_fold(names: Iterable[str]) -> dict[str, str]:
    return {folded(name): name for name in names}


def folded(name: str) -> str:
    """The name without case, as Go's encoding/json compares names in ASCII with any other name."""
    return name.translate(_FOLDED).lower()


# --- The text ---------------------------------------------------------------------------------------------------


def _decoded(text: bytes | str) -> str:
    try:
        if isinstance(text, bytes):
            return text.decode()
        if not text.isascii():
            text.encode()
    except UnicodeError:
        raise BadJson("it is not valid UTF-8") from None
    return text


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in members if names.count(name) > 1)
        raise AmbiguousJson(f"the member {twice[:100]!r} occurs twice")
    return members


def _integer(text: str) -> int:
    number = int(text) if len(text) <= _LONGEST_INTEGER else _INTEGERS.stop
    if number not in _INTEGERS:
        raise IntegerOutOfRange("an integer is out of range")
    return number


def _real(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise BadJson("a number is out of range")
    return number


def _constant(name: str) -> NoReturn:
    raise BadJson(f"{name} is not a JSON value")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_real, parse_constant=_constant
)


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEPTH_LIMIT):
        level = [
            member
            for item in level
            for member in (item.values() if type(item) is dict else item)
            if type(member) is dict or type(member) is list
        ]
        if not level:
            return False
    return True


def _reject_lone_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadJson("a string has a lone surrogate") from None


# --- Names of members -------------------------------------------------------------------------------------------


@cache
def _check_of_type(kind: type) -> _Check | None:
    """A check of all objects of a value that are structs in this type; None if there is none."""
    return _check_of(inspect.type_info(kind))


def _check_of(info: inspect.Type) -> _Check | None:
    match info:
        case inspect.StructType():
            return _struct_check(info)
        case inspect.ListType() | inspect.VarTupleType():
            return _each(_check_of(info.item_type), list, list)
        case inspect.DictType():
            return _each(_check_of(info.value_type), dict, dict.values)
        case inspect.UnionType():
            return next(filter(None, map(_check_of, info.types)), None)
    return None


def _struct_check(info: inspect.StructType) -> _Check:
    names = frozenset(field.encode_name for field in info.fields)
    known = names_by_fold(names)
    checks = [(field.encode_name, check) for field in info.fields if (check := _check_of(field.type)) is not None]

    def check_struct(value: Any) -> None:
        if type(value) is not dict:
            return
        if not names.issuperset(value):
            reject_variants(value, known)
        for name, check_member in checks:
            if name in value:
                check_member(value[name])

    return check_struct


def _each(check: _Check | None, kind: type, members_of: Callable[[Any], Any]) -> _Check | None:
    if check is None:
        return None

    def check_each(value: Any) -> None:
        if type(value) is kind:
            for member in members_of(value):
                check(member)

    return check_each
