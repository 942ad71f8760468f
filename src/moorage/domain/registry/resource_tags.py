"""Rules of resource tags (API reference, Tag; AWS general reference, "Tagging your AWS resources")."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Final

from moorage.domain.registry.errors import InvalidTagParameter, TooManyTags

RESOURCE_TAG_LIMIT: Final = 50
"""ECR quotas: resource tags on a repository."""

_KEY_LENGTHS: Final = range(1, 129)
_VALUE_LENGTHS: Final = range(257)
"""Lengths in characters (API reference, Tag); the service model does not have these numbers."""

_SIGNS: Final = "+-=._:/@"


def check(tags: Mapping[str, str]) -> None:
    """Check the tags of a request. Raises InvalidTagParameter, TooManyTags.

    Tags that are already stored are not checked again, because earlier versions accepted more characters.
    """
    for key, value in tags.items():
        _check_tag(key, value)
    check_number(len(tags))


def check_number(number: int) -> None:
    """Raises TooManyTags if a resource cannot have so many tags."""
    if number > RESOURCE_TAG_LIMIT:
        raise TooManyTags(limit=RESOURCE_TAG_LIMIT)


def _check_tag(key: str, value: str) -> None:
    if key.lower().startswith("aws:"):
        raise InvalidTagParameter(reason="aws: prefixed tag key names are not allowed for external use.")
    if len(key) not in _KEY_LENGTHS or len(value) not in _VALUE_LENGTHS:
        raise InvalidTagParameter(reason="A tag key has 1 to 128 characters and a tag value 0 to 256.")
    if not all(map(_is_allowed, key + value)):
        raise InvalidTagParameter(
            reason="Tag keys and values can contain only letters, digits, spaces, and the characters + - = . _ : / @."
        )


def _is_allowed(character: str) -> bool:
    r"""AWS's pattern for tags is `[\p{L}\p{Z}\p{N}_.:/=+\-@]*` (IAM API reference, Tag): by general categories."""
    return character in _SIGNS or unicodedata.category(character)[0] in "LZN"
