"""Lists in pages: opaque page tokens, each valid only for the list it came from, and cutting rows into pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import msgspec

from moorage.core.vault import Forged, Vault
from moorage.domain.errors import InvalidParameter

Row = TypeVar("Row")
Position = TypeVar("Position", bound=tuple[Any, ...])


def cut(rows: list[Row], limit: int) -> tuple[list[Row], Row | None]:
    """The rows of a page, and the last of them when `rows` has more. A page of no rows has no last one."""
    shown = rows[:limit]
    return shown, shown[-1] if 0 < limit < len(rows) else None


@dataclass(frozen=True, slots=True)
class Page(Generic[Position]):
    """One page of a list: at most `limit` rows behind the row at the position `after`.

    A position is the numbers and strings that identify a row in the order of the list.
    """

    after: Position
    limit: int
    _issue: Callable[[Position], str]

    @property
    def fetch(self) -> int:
        """How many rows to read: one more than the page shows reveals whether a next page exists."""
        return self.limit + 1

    def cut(self, rows: list[Row], position: Callable[[Row], Position]) -> tuple[list[Row], str | None]:
        """The rows that the page shows, and the token of the next page, if there is one."""
        shown, last = cut(rows, self.limit)
        return shown, None if last is None else self.token(position(last))

    def token(self, position: Position) -> str:
        """The token of the page behind this position."""
        return self._issue(position)


class PageTokens:
    """Makes and reads page tokens (ECR's `nextToken`)."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def page(self, scope: str, token: str | None, start: Position, limit: int) -> Page[Position]:
        """The page that a token leads to; without a token, the first one, behind `start`.

        `scope` names the list: operation, repository, filter. Raises InvalidParameter for the token of another list.
        """
        # A token that is ours, and of this list, has a position of this list.
        after = cast("Position", tuple(self._read(scope, token))) if token is not None else start
        return Page(after, limit, lambda position: self.issue(scope, position))

    def issue(self, scope: str, position: tuple[Any, ...]) -> str:
        # msgspec does not encode parsed names, which are subclasses of str.
        return self._vault.stamp(msgspec.msgpack.encode(position, enc_hook=str), f"page:{scope}")

    def _read(self, scope: str, token: str) -> list[Any]:
        try:
            position: list[Any] = msgspec.msgpack.decode(self._vault.check(token, f"page:{scope}"), type=list[Any])
        except (Forged, msgspec.MsgspecError):
            raise InvalidParameter(parameter="nextToken", constraint="Invalid token") from None
        return position
