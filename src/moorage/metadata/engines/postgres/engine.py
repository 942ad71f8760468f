"""The PostgreSQL engine. Several nodes share the database, so only `moorage migrate` updates its schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Final, TypeVar

from moorage.domain.errors import Unavailable
from moorage.metadata.database import DatabaseUnusable, Transaction, Work
from moorage.metadata.engines import change_log, sealing
from moorage.metadata.engines.postgres import schema as schema_postgres
from moorage.metadata.engines.postgres.connections import Conflict, Connection, ConnectionLost
from moorage.metadata.engines.postgres.database import PostgresDatabase
from moorage.metadata.engines.postgres.servers import address_of
from moorage.metadata.migration import records
from moorage.metadata.migration.tables import Table

T = TypeVar("T")

_MIGRATION_LOCK: Final = 0x6D6F7665
"""The key of the advisory lock that migrations to this database hold."""

_BEGIN_EXCLUSIVE: Final = "BEGIN; LOCK TABLE schema_version IN EXCLUSIVE MODE"

_CONNECTIONS: Final = """
SELECT state, count(*) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND state IS NOT NULL GROUP BY state
"""


class PostgresEngine:
    """The `Engine` for a URL such as `postgresql://moorage@db.example/moorage`. Raises DatabaseUnusable."""

    def __init__(self, url: str, connections: int) -> None:
        self._address = address_of(url)
        self._connections = connections

    def prepare(self) -> None:
        with closing(Connection(self._address)) as connection:
            connection.read(_require_usable)

    def migrate(self) -> tuple[int, int]:
        with closing(Connection(self._address)) as connection:
            return _once(lambda: schema_postgres.migrate(connection))

    def transact(self, work: Work[T], *, during_migration: bool = False) -> T:
        with closing(Connection(self._address)) as connection:
            connection.read(schema_postgres.require if during_migration else _require_usable)
            return connection.write(work)

    def is_empty(self) -> bool:
        with closing(Connection(self._address)) as connection:
            return connection.read(schema_postgres.is_empty)

    @contextmanager
    def lock_migration(self) -> Iterator[None]:
        """Hold an advisory lock in a session of its own; it ends with the process."""
        with closing(Connection(self._address)) as connection:
            if not connection.read(
                lambda tx: tx.one("SELECT pg_try_advisory_lock(:lock)", lock=_MIGRATION_LOCK) == (True,)
            ):
                raise DatabaseUnusable("another moorage migrate --to is already running for this database")
            yield

    def seal(self, work: Work[T]) -> T:
        return self._run_exclusive(sealing.combined(sealing.seal_postgres, work))

    def unseal(self, work: Work[T]) -> T:
        return self._run_exclusive(sealing.combined(sealing.unseal_postgres, work))

    def log_changes(self, logged: Sequence[Table]) -> None:
        self._run_exclusive(change_log.start_postgres(logged))

    def stop_log(self) -> None:
        self._run_exclusive(change_log.stop_postgres)

    def advance_sequences(self) -> None:
        self._run_exclusive(schema_postgres.advance_sequences)

    def analyze(self) -> None:
        with closing(Connection(self._address)) as connection:
            _once(lambda: connection.run("BEGIN", lambda tx: tx.run("ANALYZE")))

    def _run_exclusive(self, work: Work[T]) -> T:
        """Run a transaction while no writer is active and none can start."""
        with closing(Connection(self._address)) as connection:
            return _once(lambda: connection.run(_BEGIN_EXCLUSIVE, work))

    def open(self) -> PostgresDatabase:
        return PostgresDatabase(self._address, self._connections)

    def connections(self) -> Mapping[str, int]:
        """The connections of this database user, including the one for this query."""
        with closing(Connection(self._address)) as connection:
            return dict(connection.read(lambda tx: tx.all(_CONNECTIONS)))


def _once(work: Callable[[], T]) -> T:
    """Run a transaction that is not repeated. Raises Unavailable where others would be run again."""
    try:
        return work()
    except (Conflict, ConnectionLost) as failure:
        raise Unavailable(reason=f"The database could not do this: {failure}") from None


def _require_usable(tx: Transaction) -> None:
    schema_postgres.require(tx)
    records.require_usable(tx)
