"""Columns that users, roles, policies and identity providers share: tags, and paths by their beginning."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


def tags_of(text: str) -> dict[str, str]:
    """The tags of a column."""
    return msgspec.json.decode(text, type=dict[str, str])


def text_of(tags: Mapping[str, str]) -> str:
    """The text of a column with these tags."""
    return msgspec.json.encode(dict(tags)).decode()


def paths_below(prefix: str) -> dict[str, str]:
    """The values of `path >= :first AND path < :last` for all paths that begin with `prefix`.

    Paths are ASCII, and both engines compare bytes. SQLite's LIKE would ignore case.
    """
    return {"first": prefix, "last": prefix[:-1] + chr(ord(prefix[-1]) + 1)}
