"""`moorage key`: the access keys of users. It works while the server runs."""

from __future__ import annotations

from pathlib import Path

import click

from moorage.app import ACCOUNT
from moorage.cli.options import data_option, existing_folder
from moorage.cli.transactions import account_option, change, change_with_secrets, time_text
from moorage.core.clock import system_clock
from moorage.core.identity import accounts
from moorage.core.identity.accounts import NewKey
from moorage.domain.identity.callers import ROOT
from moorage.metadata.identity import accounts as identities

_user_option = click.option("--user", "name", default=ROOT, show_default=True, help="Whose keys.")


@click.group()
def key() -> None:
    """Access keys of users."""


@key.command()
@_user_option
@account_option
@data_option
def create(name: str, account: str, data: Path | None) -> None:
    """Make an access key; its secret is shown this once."""
    show(
        change_with_secrets(
            existing_folder(data),
            lambda tx, vault: accounts.create_key(tx, vault, accounts.get_user(tx, account, name), system_clock()),
        )
    )


@key.command()
@_user_option
@click.option("--now", "at_once", is_flag=True, help="Deactivate the old key at once; else it stays good until told.")
@account_option
@data_option
def rotate(name: str, at_once: bool, account: str, data: Path | None) -> None:
    """Make the successor of a user's key; an inactive key makes room for it. The new secret is shown this once."""
    folder = existing_folder(data)
    made, old = change_with_secrets(
        folder,
        lambda tx, vault: accounts.rotate_key(
            tx, vault, accounts.get_user(tx, account, name), system_clock(), at_once=at_once
        ),
    )
    if (account, name) == (ACCOUNT, ROOT):
        folder.write_credentials(made.id, made.secret)
    show(made)
    if old is not None and not at_once:
        click.echo(f"When nobody uses the old key any more: moorage key deactivate {old}", err=True)


@key.command("list")
@_user_option
@account_option
@data_option
def list_keys(name: str, account: str, data: Path | None) -> None:
    """Show a user's access keys: whether each is active, when it was made, and about when it was last used."""
    for row in change(data, lambda tx: identities.keys_of(tx, accounts.get_user(tx, account, name))):
        state = "active" if row.active else "inactive"
        click.echo(f"{row.id}\t{state}\t{time_text(row.created_at)}\t{time_text(row.last_used_at)}")


@key.command()
@click.argument("key_id")
@data_option
def deactivate(key_id: str, data: Path | None) -> None:
    """Refuse a key from now on, with all tokens made with it."""
    change(data, lambda tx: accounts.set_key_active(tx, key_id, active=False))


@key.command()
@click.argument("key_id")
@data_option
def activate(key_id: str, data: Path | None) -> None:
    """Accept a key again."""
    change(data, lambda tx: accounts.set_key_active(tx, key_id, active=True))


@key.command()
@click.argument("key_id")
@data_option
def delete(key_id: str, data: Path | None) -> None:
    """Remove a key for ever."""
    change(data, lambda tx: accounts.delete_key(tx, key_id))


def show(made: NewKey) -> None:
    """Print a key as shell exports."""
    click.echo(f"export AWS_ACCESS_KEY_ID={made.id}\nexport AWS_SECRET_ACCESS_KEY={made.secret}")
