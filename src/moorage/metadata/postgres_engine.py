"""A PostgreSQL database before and beside serving: any number of nodes have it open, so it is migrated by command."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Final, TypeVar

from moorage.metadata import schema_postgres
from moorage.metadata.database import Work
from moorage.metadata.postgres import PostgresDatabase
from moorage.metadata.postgres_connections import Lane, address_of

T = TypeVar("T")

_CONNECTIONS: Final = """
SELECT state, count(*) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND state IS NOT NULL GROUP BY state
"""


class PostgresEngine:
    """The `Engine` at an address, such as `postgresql://moorage@db.example/moorage`. Raises DatabaseUnusable."""

    def __init__(self, url: str, connections: int) -> None:
        self._address = address_of(url)
        self._connections = connections

    def prepare(self) -> None:
        with closing(Lane(self._address)) as lane:
            lane.read(schema_postgres.require)

    def migrate(self) -> tuple[int, int]:
        with closing(Lane(self._address)) as lane:
            return schema_postgres.migrate(lane)

    def now(self, work: Work[T]) -> T:
        with closing(Lane(self._address)) as lane:
            lane.read(schema_postgres.require)
            return lane.write(work)

    def open(self) -> PostgresDatabase:
        return PostgresDatabase(self._address, self._connections)

    def connections(self) -> Mapping[str, int]:
        """Those of the same user, the one that asks among them."""
        with closing(Lane(self._address)) as lane:
            return dict(lane.read(lambda tx: tx.all(_CONNECTIONS)))
