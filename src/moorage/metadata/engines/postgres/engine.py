"""A PostgreSQL database before and beside serving: any number of nodes have it open, so it is migrated by command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Final, TypeVar

from moorage.domain.errors import Unavailable
from moorage.metadata.database import DatabaseUnusable, Transaction, Work
from moorage.metadata.engines import sealing
from moorage.metadata.engines.postgres import schema as schema_postgres
from moorage.metadata.engines.postgres.connections import Conflict, Connection, ConnectionLost, address_of
from moorage.metadata.engines.postgres.database import PostgresDatabase
from moorage.metadata.migration import moves

T = TypeVar("T")

_MOVE: Final = 0x6D6F7665
"""Names the lock at which moves to one database meet."""

_ALTERING: Final = "BEGIN; LOCK TABLE schema_version IN EXCLUSIVE MODE"

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
        with closing(Connection(self._address)) as connection:
            connection.read(_require_usable)

    def migrate(self) -> tuple[int, int]:
        with closing(Connection(self._address)) as connection:
            return schema_postgres.migrate(connection)

    def transact(self, work: Work[T], *, unfinished: bool = False) -> T:
        with closing(Connection(self._address)) as connection:
            connection.read(schema_postgres.require if unfinished else _require_usable)
            return connection.write(work)

    def is_blank(self) -> bool:
        with closing(Connection(self._address)) as connection:
            return connection.read(schema_postgres.is_blank)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """By a lock of a session of its own, which ends with the process."""
        with closing(Connection(self._address)) as connection:
            if not connection.read(lambda tx: tx.one("SELECT pg_try_advisory_lock(:lock)", lock=_MOVE) == (True,)):
                raise DatabaseUnusable("another moorage migrate --to this database is under way")
            yield

    def seal(self, work: Work[T]) -> T:
        return self._alter(sealing.with_work(sealing.seal_postgres, work))

    def unseal(self, work: Work[T]) -> T:
        return self._alter(sealing.with_work(sealing.unseal_postgres, work))

    def continue_ids(self) -> None:
        self._alter(schema_postgres.continue_ids)

    def _alter(self, work: Work[T]) -> T:
        """A transaction while no writer is under way and none begins."""
        with closing(Connection(self._address)) as connection:
            try:
                return connection.run(_ALTERING, work)
            except (Conflict, ConnectionLost) as failure:
                raise Unavailable(reason=f"The database did not do that: {failure}") from None

    def open(self) -> PostgresDatabase:
        return PostgresDatabase(self._address, self._connections)

    def connections(self) -> Mapping[str, int]:
        """Those of the same user, the one that asks among them."""
        with closing(Connection(self._address)) as connection:
            return dict(connection.read(lambda tx: tx.all(_CONNECTIONS)))


def _require_usable(tx: Transaction) -> None:
    schema_postgres.require(tx)
    moves.require_usable(tx)
