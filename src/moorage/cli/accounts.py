"""`moorage account`: the accounts of this server. Each has a root user, and a registry in every Region."""

from __future__ import annotations

import click

from moorage.cli.keys import made_key, show
from moorage.cli.options import with_registry
from moorage.cli.transactions import change, change_with_secrets
from moorage.config.settings import Settings
from moorage.core.clock import system_clock
from moorage.core.identity import accounts
from moorage.metadata.identity import accounts as identities


@click.group()
def account() -> None:
    """Create and list accounts."""


@account.command()
@click.argument("account_id", metavar="ID")
@with_registry
def create(account_id: str, settings: Settings) -> None:
    """Create an account (12 digits) with a root user. The secret of its access key is printed only once."""
    show(
        change_with_secrets(
            settings, lambda tx, vault: accounts.create_account(tx, vault, account_id, system_clock()), made_key
        )
    )


@account.command("list")
@with_registry
def list_accounts(settings: Settings) -> None:
    """List the accounts."""
    for account_id in change(settings, identities.list_accounts):
        click.echo(account_id)
