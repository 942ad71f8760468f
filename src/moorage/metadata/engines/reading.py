"""The part of a `Transaction` that both engines have in common: reading rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol


class Cursor(Protocol):
    """The rows of a statement."""

    def fetchone(self) -> tuple[Any, ...] | None: ...

    def fetchall(self) -> list[tuple[Any, ...]]: ...


class ReadingTransaction(ABC):
    """`one` and `all` of a `Transaction`, for an engine that runs a statement in `_execute`."""

    __slots__ = ()

    def one(self, sql: str, **values: Any) -> tuple[Any, ...] | None:
        """The first row, or None."""
        return self._execute(sql, values).fetchone()

    def all(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        return self._execute(sql, values).fetchall()

    @abstractmethod
    def _execute(self, sql: str, values: dict[str, Any]) -> Cursor: ...
