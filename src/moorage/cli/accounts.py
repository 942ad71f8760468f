"""`moorage account`: the accounts of this server, each with a registry in every region and a root user."""

from __future__ import annotations

from pathlib import Path

import click

from moorage.cli.keys import show
from moorage.cli.options import data_option, existing_folder
from moorage.cli.transactions import change, change_with_secrets
from moorage.core.clock import system_clock
from moorage.core.identity import accounts
from moorage.metadata.identity import accounts as identities


@click.group()
def account() -> None:
    """Accounts of this server."""


@account.command()
@click.argument("account_id", metavar="ID")
@data_option
def create(account_id: str, data: Path | None) -> None:
    """Make an account (12 digits) with a root user; the root key is shown this once."""
    show(
        change_with_secrets(
            existing_folder(data), lambda tx, vault: accounts.create_account(tx, vault, account_id, system_clock())
        )
    )


@account.command("list")
@data_option
def list_accounts(data: Path | None) -> None:
    """Show the accounts."""
    for account_id in change(data, identities.list_accounts):
        click.echo(account_id)
