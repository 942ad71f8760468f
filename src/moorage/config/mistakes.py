"""Find the value that does not have its type: msgspec's messages leave out the keys of maps."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from moorage.config.lines import Place


def place_of_mistake(kind: Any, value: Any) -> Place:
    """The place of the innermost value that cannot be converted to its type, or of a key that a struct does not know.

    A key that is missing has the place of its struct.
    """
    for key, member_kind, member in _members(_unwrapped(kind), value):
        if member_kind is None:
            return (key,)
        try:
            msgspec.convert(member, member_kind)
        except msgspec.ValidationError:
            return key, *place_of_mistake(member_kind, member)
    return ()


def _members(kind: Any, value: Any) -> list[tuple[str | int, Any, Any]]:
    """The members of a value, each with its key and its type; no type for a key that a struct does not know."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(value, dict):
        known = get_type_hints(kind, include_extras=True)
        return [(key, known.get(key), item) for key, item in value.items()]
    if get_origin(kind) is dict and isinstance(value, dict):
        return [(key, get_args(kind)[1], item) for key, item in value.items()]
    if get_origin(kind) is list and isinstance(value, list):
        return [(number, get_args(kind)[0], item) for number, item in enumerate(value)]
    return []


def _unwrapped(kind: Any) -> Any:
    """A type without its annotations, and without None."""
    if get_origin(kind) in (Union, UnionType):
        kind = next(part for part in get_args(kind) if part is not type(None))
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind
