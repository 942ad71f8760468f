"""Pagination: cut rows into pages, and issue page tokens, each valid only for the list it came from.

A token is encrypted, because its position may be something that the caller may not see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import msgspec

from moorage.core.vault import Forged, Vault
from moorage.domain.errors import InvalidParameter

Row = TypeVar("Row")
Position = TypeVar("Position", bound=tuple[Any, ...])


def cut(rows: list[Row], limit: int) -> tuple[list[Row], Row | None]:
    """The first `limit` rows, and the last of them if `rows` has more. With a limit of 0 there is no last row."""
    page = rows[:limit]
    return page, page[-1] if 0 < limit < len(rows) else None


def number_that_fits(sizes: Iterable[int], limit: int) -> int:
    """How many of the first items fit into `limit`, but at least one, so that a list can always go on."""
    total = number = 0
    for size in sizes:
        total += size
        if number and total > limit:
            break
        number += 1
    return number


@dataclass(frozen=True, slots=True)
class Page(Generic[Position]):
    """One page of a list: at most `limit` rows after the position `after`.

    A position is the sort key of a row: numbers and strings.
    """

    after: Position
    limit: int
    _issue: Callable[[Position], str]

    @property
    def fetch(self) -> int:
        """The number of rows to read: one more than the page has, to find out whether a next page exists."""
        return self.limit + 1

    def cut(
        self, rows: list[Row], position: Callable[[Row], Position], fitting: int | None = None
    ) -> tuple[list[Row], str | None]:
        """The rows of the page, and the token of the next page, if there is one.

        `fitting` is the number of rows that fit into a response, if they are of different sizes.
        """
        page, last = cut(rows, self.limit if fitting is None else min(self.limit, fitting))
        return page, None if last is None else self.token(position(last))

    def token(self, position: Position) -> str:
        """The token of the page after this position."""
        return self._issue(position)


class PageTokens:
    """Issues and reads page tokens (ECR's `nextToken`)."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def page(self, scope: str, token: str | None, start: Position, limit: int) -> Page[Position]:
        """The page of a token; without a token, the first page, after the position `start`.

        `scope` identifies the list: operation, repository, filter. Raises InvalidParameter for a token of another
        list.
        """
        # `_read` accepts only tokens issued for this list, so they contain one of its positions.
        after = cast("Position", tuple(self._read(scope, token))) if token is not None else start
        return Page(after, limit, lambda position: self.issue(scope, position))

    def issue(self, scope: str, position: tuple[Any, ...]) -> str:
        # msgspec needs a hook to encode parsed names, which are subclasses of str.
        return self._vault.seal_token(msgspec.msgpack.encode(position, enc_hook=str), f"page:{scope}")

    def _read(self, scope: str, token: str) -> list[Any]:
        try:
            content = self._vault.open_token(token, f"page:{scope}")
            position: list[Any] = msgspec.msgpack.decode(content, type=list[Any])
        except (Forged, msgspec.MsgspecError):
            raise InvalidParameter(parameter="nextToken", constraint="Invalid token") from None
        return position
