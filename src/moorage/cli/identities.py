"""`moorage user` and `moorage key`: who may use the registry. They work while the server runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click

from moorage.adapters.data_folder import DataFolder
from moorage.app import ACCOUNT
from moorage.cli.options import data_option, existing_folder
from moorage.core import accounts
from moorage.core.accounts import AccountError, NewKey
from moorage.core.clock import SECOND, system_clock
from moorage.core.vault import Vault
from moorage.domain.identities import ROOT
from moorage.domain.managed_policies import MANAGED_POLICIES
from moorage.metadata import identities
from moorage.metadata.database import Transaction, open_writer

T = TypeVar("T")

_policy = click.Choice(list(MANAGED_POLICIES))
_user_option = click.option("--user", "name", default=ROOT, show_default=True, help="Whose keys.")


@click.group()
def user() -> None:
    """Users of the account and what they may do."""


@user.command("create")
@click.argument("name")
@click.option("--policy", "policies", multiple=True, type=_policy, help="AWS managed policy; may be repeated.")
@data_option
def create_user(name: str, policies: tuple[str, ...], data: Path | None) -> None:
    """Add a user, who may do nothing but what its policies allow."""
    _do(data, lambda tx: accounts.create_user(tx, ACCOUNT, name, policies, system_clock()))
    click.echo(f"User {name} created. Give it a key: moorage key create --user {name}")


@user.command("list")
@data_option
def list_users(data: Path | None) -> None:
    """Show the users and their policies."""

    def rows(tx: Transaction) -> list[str]:
        found = [(row.name, sorted(identities.policies_of(tx, row.id))) for row in identities.list_users(tx)]
        return [f"{name}\t{', '.join(policies) or ('everything' if name == ROOT else '-')}" for name, policies in found]

    for line in _do(data, rows):
        click.echo(line)


@user.command("delete")
@click.argument("name")
@data_option
def delete_user(name: str, data: Path | None) -> None:
    """Remove a user with its keys."""
    _do(data, lambda tx: accounts.delete_user(tx, ACCOUNT, name))
    click.echo(f"User {name} deleted.")


@user.command("attach")
@click.argument("name")
@click.argument("policy", type=_policy)
@data_option
def attach(name: str, policy: str, data: Path | None) -> None:
    """Give a user a managed policy."""
    _do(data, lambda tx: accounts.attach_policy(tx, accounts.get_user(tx, ACCOUNT, name), policy))


@user.command("detach")
@click.argument("name")
@click.argument("policy", type=_policy)
@data_option
def detach(name: str, policy: str, data: Path | None) -> None:
    """Take a managed policy from a user."""
    _do(data, lambda tx: accounts.detach_policy(tx, accounts.get_user(tx, ACCOUNT, name), policy))


@click.group()
def key() -> None:
    """Access keys of users."""


@key.command("create")
@_user_option
@data_option
def create_key(name: str, data: Path | None) -> None:
    """Make an access key; its secret is shown this once."""
    folder = existing_folder(data)
    vault = Vault(folder.master_key())

    def create(tx: Transaction) -> NewKey:
        return accounts.create_key(tx, vault, accounts.get_user(tx, ACCOUNT, name), system_clock())

    made = _do_in(folder, create)
    click.echo(f"export AWS_ACCESS_KEY_ID={made.id}\nexport AWS_SECRET_ACCESS_KEY={made.secret}")


@key.command("list")
@_user_option
@data_option
def list_keys(name: str, data: Path | None) -> None:
    """Show a user's access keys."""
    for row in _do(data, lambda tx: identities.keys_of(tx, accounts.get_user(tx, ACCOUNT, name))):
        created = datetime.fromtimestamp(row.created_at / SECOND, UTC).isoformat(timespec="seconds")
        click.echo(f"{row.id}\t{'active' if row.active else 'inactive'}\t{created}")


@key.command("deactivate")
@click.argument("key_id")
@data_option
def deactivate(key_id: str, data: Path | None) -> None:
    """Refuse a key from now on, with all tokens made with it."""
    _do(data, lambda tx: accounts.set_key_active(tx, key_id, active=False))


@key.command("activate")
@click.argument("key_id")
@data_option
def activate(key_id: str, data: Path | None) -> None:
    """Accept a key again."""
    _do(data, lambda tx: accounts.set_key_active(tx, key_id, active=True))


@key.command("delete")
@click.argument("key_id")
@data_option
def delete_key(key_id: str, data: Path | None) -> None:
    """Remove a key for ever."""
    _do(data, lambda tx: accounts.delete_key(tx, key_id))


def _do(data: Path | None, work: Callable[[Transaction], T]) -> T:
    return _do_in(existing_folder(data), work)


def _do_in(folder: DataFolder, work: Callable[[Transaction], T]) -> T:
    with open_writer(folder.database) as writer:
        try:
            return writer.now(work)
        except AccountError as error:
            raise click.ClickException(str(error)) from None
