"""The part of a `Transaction` that both engines have in common: statements that return rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol


class Cursor(Protocol):
    """The rows of a statement."""

    def fetchone(self) -> tuple[Any, ...] | None: ...

    def fetchall(self) -> list[tuple[Any, ...]]: ...


class ReadingTransaction(ABC):
    """Methods of a `Transaction` for an engine that runs a statement in `_execute`."""

    __slots__ = ()

    def one(self, sql: str, **values: Any) -> tuple[Any, ...] | None:
        """The first row, or None."""
        return self._execute(sql, values).fetchone()

    def all(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        return self._execute(sql, values).fetchall()

    def insert_all(self, statements: Sequence[str], **values: Any) -> list[int | None]:
        """Run one statement after the other."""
        results: list[int | None] = []
        for statement in statements:
            earlier = {f"result_{number}": result for number, result in enumerate(results, 1)}
            row = self.one(statement, **values, **earlier)
            results.append(row[0] if row else None)
        return results

    @abstractmethod
    def _execute(self, sql: str, values: dict[str, Any]) -> Cursor: ...
