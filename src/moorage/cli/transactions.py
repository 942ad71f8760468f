"""Transactions of commands: each reads or changes the registry at once, with or without a running server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import click

from moorage import stores
from moorage.adapters.data_folder import MasterKeyMissing
from moorage.cli.folders import existing_folder
from moorage.config.settings import Settings
from moorage.core.events.targets import EventTargetError
from moorage.core.identity import master_key
from moorage.core.identity.accounts import FIRST_ACCOUNT, AccountError
from moorage.core.identity.master_key import MasterKeyWrong
from moorage.core.jobs import JobError
from moorage.core.vault import Vault
from moorage.domain.errors import Unavailable
from moorage.domain.units import SECOND
from moorage.metadata.database import DatabaseUnusable, Transaction

T = TypeVar("T")

account_option = click.option("--account", default=FIRST_ACCOUNT, show_default=True, metavar="ID", help="Account ID.")


def change(settings: Settings, work: Callable[[Transaction], T]) -> T:
    """Run `work` in a transaction. If it is refused, the command ends with the reason."""
    try:
        return stores.engine_of(settings, existing_folder(settings)).transact(work)
    except (AccountError, EventTargetError, JobError, MasterKeyWrong, DatabaseUnusable, Unavailable) as error:
        raise click.ClickException(str(error)) from None


def change_with_secrets(settings: Settings, work: Callable[[Transaction, Vault], T]) -> T:
    """`change` for work that seals or opens secrets; refused with a master key that is not this registry's."""
    try:
        vault = Vault(existing_folder(settings).master_key())
    except MasterKeyMissing as error:
        raise click.ClickException(str(error)) from None

    def confirmed(tx: Transaction) -> T:
        master_key.confirm(tx, vault)
        return work(tx, vault)

    return change(settings, confirmed)


def time_text(microseconds: int | None) -> str:
    """A time to the second, for printing."""
    if microseconds is None:
        return "never"
    return datetime.fromtimestamp(microseconds / SECOND, UTC).isoformat(timespec="seconds")
