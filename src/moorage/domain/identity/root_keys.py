"""Root access keys that the operator chooses: which ones may protect a server that others can reach."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

FIRST_ACCOUNT: Final = "000000000000"
"""The account that the first start of a server creates, unless the operator chooses another one."""

LEAST_CHARACTERS: Final = 32
LEAST_DISTINCT: Final = 10
"""`openssl rand -hex 16`, with 128 random bits, has fewer different characters once in a hundred thousand times."""

_PART: Final = 8
_PUBLISHED: Final = frozenset({"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"})
"""Secrets that AWS's documentation uses as examples."""


def weakness_of(secret: str) -> str | None:
    """Why a secret may not protect a server that others can reach; None for a strong one.

    The rule rejects what people type: short, repetitive or ordered texts, and published examples. It cannot measure
    randomness.
    """
    if len(secret) < LEAST_CHARACTERS:
        return f"it has fewer than {LEAST_CHARACTERS} characters"
    if len(set(secret)) < LEAST_DISTINCT:
        return f"it has fewer than {LEAST_DISTINCT} different characters"
    if secret in _PUBLISHED:
        return "AWS has published it as an example"
    parts = [secret[start : start + _PART] for start in range(len(secret) - _PART + 1)]
    if len(set(parts)) < len(parts):
        return f"a part of {_PART} characters occurs in it twice"
    if any(_is_ordered(part) for part in parts):
        return f"{_PART} characters of it are in alphabetical or numerical order"
    return None


def _is_ordered(part: str) -> bool:
    return {ord(after) - ord(before) for before, after in pairwise(part)} in ({1}, {-1})
