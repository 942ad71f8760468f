"""What the statements of this folder become for each engine. `metadata/database.py` says what they may contain."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_LIST: Final = re.compile(r"= ANY\(:(\w+)\)")
_ROW_LOCK: Final = re.compile(r"\s+FOR (?:UPDATE|SHARE)(?: OF \w+)?(?: SKIP LOCKED)?\s*$")
_STATEMENTS: Final = 2048
"""Statements that are remembered: more than the program has."""


@lru_cache(maxsize=_STATEMENTS)
def for_sqlite(sql: str) -> tuple[str, tuple[str, ...]]:
    """The statement, and the names of its lists, which it takes as JSON. SQLite has one writer, and no row locks."""
    lists = tuple(dict.fromkeys(_LIST.findall(sql)))
    sql = _LIST.sub(r"IN (SELECT value FROM json_each(:\1))", sql)
    return _ROW_LOCK.sub("", sql), lists
