"""Transactions of commands: each reads or changes the registry at once, with or without a running server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import click

from moorage import stores
from moorage.adapters.data_folder import MasterKeyMissing
from moorage.cli.folders import existing_folder
from moorage.cli.next_commands import failure
from moorage.cli.options import settings_of
from moorage.cli.recording import record
from moorage.config.settings import Settings
from moorage.core.events.targets import EventTargetError
from moorage.core.identity import master_key
from moorage.core.identity.master_key import MasterKeyWrong
from moorage.core.jobs import JobError
from moorage.core.replication.remote.settings import DestinationError
from moorage.core.vault import Vault
from moorage.domain.errors import Unavailable
from moorage.domain.identity.errors import AccountError
from moorage.domain.signing.errors import SigningError
from moorage.domain.units import SECOND
from moorage.metadata.database import DatabaseUnusable, Transaction

T = TypeVar("T")


def _account(context: click.Context, _option: click.Parameter, given: str | None) -> str:
    """The account of an option, or else the first one. click passes what the command line leaves out last."""
    return given or settings_of({"config": context.params.get("config")}).account


account_option = click.option(
    "--account", callback=_account, metavar="ID", help="Account ID.  [default: the first account]"
)

Result = Callable[[T], Mapping[str, Any]]
"""What the audit record says of a result: the ids and names of what was made, and no secrets."""


def change(settings: Settings, work: Callable[[Transaction], T], result: Result[T] | None = None) -> T:
    """Run `work` in a transaction. If it is refused, the command ends with the reason.

    If `work` changed a row, the command is recorded in the audit log, with `result` of what `work` returned.
    """
    changed = False

    def observed(tx: Transaction) -> T:
        nonlocal changed
        observer = _Observer(tx)
        try:
            return work(observer)
        finally:
            changed = observer.has_changed

    try:
        made = stores.engine_of(settings, existing_folder(settings)).transact(observed)
    except _REFUSALS as error:
        raise failure(error) from None
    if changed:
        record(settings, result(made) if result else None)
    return made


def change_with_secrets(
    settings: Settings, work: Callable[[Transaction, Vault], T], result: Result[T] | None = None
) -> T:
    """`change` for work that seals or opens secrets; refused with a master key that is not this registry's."""
    try:
        vault = Vault(existing_folder(settings).master_key())
    except MasterKeyMissing as error:
        raise failure(error) from None

    def confirmed(tx: Transaction) -> T:
        master_key.confirm(tx, vault)
        return work(tx, vault)

    return change(settings, confirmed, result)


_REFUSALS: Final = (
    AccountError,
    DestinationError,
    EventTargetError,
    JobError,
    SigningError,
    MasterKeyWrong,
    DatabaseUnusable,
    Unavailable,
)
"""What ends a command with its text as the reason."""


class _Observer:
    """A `Transaction` that notes whether a row was changed."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.has_changed = False

    def one(self, sql: str, **values: Any) -> tuple[Any, ...] | None:
        row = self._tx.one(sql, **values)
        self.has_changed |= row is not None and _changes(sql)
        return row

    def all(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        rows = self._tx.all(sql, **values)
        self.has_changed |= bool(rows) and _changes(sql)
        return rows

    def run(self, sql: str, **values: Any) -> int:
        count = self._tx.run(sql, **values)
        self.has_changed |= count > 0
        return count

    def run_each(self, sql: str, rows: Iterable[Mapping[str, Any]]) -> None:
        self._tx.run_each(sql, rows)
        self.has_changed = True

    def fill(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        self._tx.fill(table, columns, rows)
        self.has_changed = True

    def insert(self, sql: str, **values: Any) -> int:
        self.has_changed = True
        return self._tx.insert(sql, **values)

    def insert_all(self, statements: Sequence[str], **values: Any) -> list[int | None]:
        results = self._tx.insert_all(statements, **values)
        self.has_changed |= any(result is not None for result in results)
        return results


def _changes(sql: str) -> bool:
    """Whether a statement that returns rows changes them (RETURNING)."""
    return sql.split(maxsplit=1)[0] in {"INSERT", "UPDATE", "DELETE"}


def time_text(microseconds: int | None) -> str:
    """A time to the second, for printing."""
    if microseconds is None:
        return "never"
    return datetime.fromtimestamp(microseconds / SECOND, UTC).isoformat(timespec="seconds")
