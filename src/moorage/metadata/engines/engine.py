"""Which engine a database has, and what is done with it before and beside serving."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from moorage.metadata.database import Database, Work

T = TypeVar("T")


class Engine(Protocol):
    """A place where a registry's rows are."""

    def prepare(self) -> None:
        """Make ready to serve from. Raises DatabaseUnusable, Unavailable."""

    def migrate(self) -> tuple[int, int]:
        """Bring the schema up to date; returns its version before and after. Raises DatabaseUnusable, Unavailable."""

    def transact(self, work: Work[T], *, unfinished: bool = False) -> T:
        """One transaction, for commands. Raises Unavailable, and DatabaseUnusable for another program's schema.

        The target of a move that is not complete is for that move alone, which says that it knows (`unfinished`).
        """

    def is_blank(self) -> bool:
        """Whether there is no database yet, or one without any table of ours. Raises Unavailable."""

    def alone(self) -> AbstractContextManager[None]:
        """Keeps out other moves to this database. Raises DatabaseUnusable when one is there already."""

    def seal(self, work: Work[T]) -> T:
        """Refuse every change from the end of this transaction on (`sealing.py`)."""

    def unseal(self, work: Work[T]) -> T:
        """Accept changes again from the end of this transaction on."""

    def continue_ids(self) -> None:
        """Let new rows have ids behind those that were brought with theirs."""

    def open(self) -> Database:
        """A process's own connections."""

    def connections(self) -> Mapping[str, int]:
        """How many connections all processes of all nodes have, by what they do. Raises Unavailable."""
