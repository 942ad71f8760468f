"""Searches of repositories by the beginning of the name, in two orders. A page reads a bounded number of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

from moorage.core.identity.authorization import AccessRequest
from moorage.core.registry.repositories import Order, Slice, list_visible_in
from moorage.domain.names import Registry
from moorage.metadata.database import LARGEST_INTEGER, Database, Transaction
from moorage.metadata.registry import repositories as rows
from moorage.metadata.registry.repositories import Repository

Position = tuple[Any, ...]
"""Of a repository by name: (name,); by creation: (created_at, id)."""

_SORTED_AT_ONCE: Final = 1000
"""As many repositories with a prefix are sorted by their creation in memory, instead of searched among all others."""

_BELOW, _ABOVE = " ", "~"
"""Characters before and after all those of names, in the order of their bytes."""


@dataclass(frozen=True, slots=True)
class Search:
    """Which repositories, and in which order."""

    prefix: str = ""
    by_creation: bool = False
    descending: bool = False

    @property
    def start(self) -> Position:
        """The position before the first repository."""
        if not self.by_creation:
            return ("",)
        return (LARGEST_INTEGER, LARGEST_INTEGER) if self.descending else (-1, -1)

    async def page(
        self, database: Database, access_request: AccessRequest, after: Position, limit: int
    ) -> tuple[list[Repository], Position | None]:
        """At most `limit` repositories for which the action is allowed, and where the next page begins.

        A page can be short although there is a next one: no request reads more than some thousand rows.
        """
        order = self._creation(access_request.registry) if self.by_creation else self._names(access_request.registry)
        return await list_visible_in(order, database, access_request, after, limit)

    def _names(self, registry: Registry) -> Order[Position]:
        def read(tx: Transaction, after: Position, size: int) -> Slice[Position]:
            first, before = self.prefix, self.prefix + _ABOVE
            name = cast("str", after[0])
            if name and self.descending:
                before = name
            elif name:
                first = name + _BELOW
            found = rows.named_between(tx, registry, (first, before), size, descending=self.descending)
            return Slice(found, (found[-1][0].name,) if len(found) == size else None)

        return Order(read, lambda repository: (repository.name,))

    def _creation(self, registry: Registry) -> Order[Position]:
        may_be_few = bool(self.prefix)

        def read(tx: Transaction, after: Position, size: int) -> Slice[Position]:
            nonlocal may_be_few
            if may_be_few:
                names = (self.prefix, self.prefix + _ABOVE)
                few = rows.named_between(tx, registry, names, _SORTED_AT_ONCE + 1, descending=False)
                may_be_few = len(few) <= _SORTED_AT_ONCE
                if may_be_few:
                    few.sort(key=lambda row: _creation_of(row[0]), reverse=self.descending)
                    return Slice([row for row in few if self._is_behind(row[0], after)], None)
            time_and_id = cast("tuple[int, int]", after)
            found = rows.by_creation(tx, registry, time_and_id, size, descending=self.descending)
            end = _creation_of(found[-1][0]) if len(found) == size else None
            return Slice([row for row in found if row[0].name.startswith(self.prefix)], end)

        return Order(read, _creation_of)

    def _is_behind(self, repository: Repository, after: Position) -> bool:
        position = _creation_of(repository)
        return position < after if self.descending else position > after


def _creation_of(repository: Repository) -> Position:
    return (repository.created_at, repository.id)
