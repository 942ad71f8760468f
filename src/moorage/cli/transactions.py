"""How commands read and change what a data folder knows: in one transaction, beside a running server or without one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click

from moorage import stores
from moorage.adapters.data_folder import DataFolder, MasterKeyMissing
from moorage.app import ACCOUNT
from moorage.cli.options import existing_folder, settings_of
from moorage.core.clock import SECOND
from moorage.core.events.targets import EventTargetError
from moorage.core.identity import master_key
from moorage.core.identity.accounts import AccountError
from moorage.core.identity.master_key import MasterKeyWrong
from moorage.core.vault import Vault
from moorage.domain.errors import Unavailable
from moorage.metadata.database import DatabaseUnusable, Transaction

T = TypeVar("T")

account_option = click.option("--account", default=ACCOUNT, show_default=True, metavar="ID", help="Account.")


def change(data: Path | None, work: Callable[[Transaction], T]) -> T:
    """Do `work` in a transaction of its own; what it refuses ends the command with its text."""
    return _in(existing_folder(data), work)


def change_with_secrets(folder: DataFolder, work: Callable[[Transaction, Vault], T]) -> T:
    """`change` for what seals secrets: refused with a master key that is not this folder's."""
    try:
        vault = Vault(folder.master_key())
    except MasterKeyMissing as error:
        raise click.ClickException(str(error)) from None

    def confirmed(tx: Transaction) -> T:
        master_key.confirm(tx, vault)
        return work(tx, vault)

    return _in(folder, confirmed)


def time_text(microseconds: int | None) -> str:
    """A time as commands show it, to the second."""
    if microseconds is None:
        return "never"
    return datetime.fromtimestamp(microseconds / SECOND, UTC).isoformat(timespec="seconds")


def _in(folder: DataFolder, work: Callable[[Transaction], T]) -> T:
    try:
        return stores.engine_of(settings_of({"data": folder.path}), folder).transact(work)
    except (AccountError, EventTargetError, MasterKeyWrong, DatabaseUnusable, Unavailable) as error:
        raise click.ClickException(str(error)) from None
