"""`moorage key`: the access keys of users. It works with or without a running server."""

from __future__ import annotations

import click

from moorage.cli.folders import existing_folder
from moorage.cli.next_commands import command
from moorage.cli.options import with_registry
from moorage.cli.transactions import account_option, change, change_with_secrets, time_text
from moorage.config.settings import Settings
from moorage.core.clock import system_clock
from moorage.core.identity import accounts
from moorage.core.identity.accounts import NewKey
from moorage.domain.identity.callers import ROOT
from moorage.metadata.identity import accounts as identities

_user_option = click.option("--user", "name", default=ROOT, show_default=True, metavar="NAME", help="User name.")


@click.group()
def key() -> None:
    """Create, list, rotate and delete access keys."""


@key.command()
@_user_option
@account_option
@with_registry
def create(name: str, account: str, settings: Settings) -> None:
    """Create an access key. Its secret is printed only once."""
    show(
        change_with_secrets(
            settings,
            lambda tx, vault: accounts.create_key(tx, vault, accounts.get_user(tx, account, name), system_clock()),
            made_key,
        )
    )


@key.command()
@_user_option
@click.option("--now", "at_once", is_flag=True, help="Deactivate the old key immediately.")
@account_option
@with_registry
def rotate(name: str, at_once: bool, account: str, settings: Settings) -> None:
    """Create the successor of a user's access key. Its secret is printed only once.

    The old key stays active until you deactivate it. If the user has two keys already, the inactive one is deleted.
    """
    made, old = change_with_secrets(
        settings,
        lambda tx, vault: accounts.rotate_key(
            tx, vault, accounts.get_user(tx, account, name), system_clock(), at_once=at_once
        ),
        lambda keys: made_key(keys[0]),
    )
    if (account, name) == (settings.account, ROOT):
        existing_folder(settings).write_credentials(made.id, made.secret)
    show(made)
    if old is not None and not at_once:
        click.echo(f"When all clients use the new key, run: {command('key', 'deactivate', old)}", err=True)


@key.command("list")
@_user_option
@account_option
@with_registry
def list_keys(name: str, account: str, settings: Settings) -> None:
    """List a user's access keys with their state, creation time and approximate time of last use."""
    for row in change(settings, lambda tx: identities.keys_of(tx, accounts.get_user(tx, account, name))):
        state = "active" if row.active else "inactive"
        click.echo(f"{row.id}\t{state}\t{time_text(row.created_at)}\t{time_text(row.last_used_at)}")


@key.command()
@click.argument("key_id")
@with_registry
def deactivate(key_id: str, settings: Settings) -> None:
    """Reject an access key, and all tokens created with it."""
    change(settings, lambda tx: accounts.set_key_active(tx, key_id, active=False))


@key.command()
@click.argument("key_id")
@with_registry
def activate(key_id: str, settings: Settings) -> None:
    """Accept a deactivated access key again."""
    change(settings, lambda tx: accounts.set_key_active(tx, key_id, active=True))


@key.command()
@click.argument("key_id")
@with_registry
def delete(key_id: str, settings: Settings) -> None:
    """Delete an access key."""
    change(settings, lambda tx: accounts.delete_key(tx, key_id))


def made_key(made: NewKey) -> dict[str, str]:
    """What the audit record says of a new access key."""
    return {"accessKeyId": made.id}


def show(made: NewKey) -> None:
    """Print an access key as shell exports."""
    click.echo(f"export AWS_ACCESS_KEY_ID={made.id}\nexport AWS_SECRET_ACCESS_KEY={made.secret}")
