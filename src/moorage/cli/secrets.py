"""`moorage secret`: secrets such as the credentials for upstream registries. It works with or without a running server.

A secret is one of Secrets Manager, so AWS clients see it, too. Its value comes from the standard input or a prompt,
because other users of the machine can read the arguments of a command.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

import click
import msgspec

from moorage import app
from moorage.cli.confirmation import secret_text
from moorage.cli.next_commands import failure
from moorage.cli.options import with_settings
from moorage.cli.transactions import account_option, change_with_secrets, time_text
from moorage.config.settings import Settings
from moorage.config.table import REGISTRY
from moorage.core.clock import system_clock
from moorage.core.identity import accounts
from moorage.core.secrets import lookups
from moorage.core.secrets.changes import RECOVERY_DAYS, NewSecret, NewValue, Secrets
from moorage.core.vault import Vault
from moorage.domain.errors import Refusal
from moorage.domain.names import Registry
from moorage.metadata import secrets as rows
from moorage.metadata.database import Transaction
from moorage.metadata.secrets import Secret

T = TypeVar("T")

_LONGEST_VALUE = 1 << 20
"""Bytes that are read; the limit of a value, which is shorter, is checked later."""


@click.group()
def secret() -> None:
    """Secrets, such as the credentials for upstream registries of pull-through cache rules."""


@secret.command()
@click.argument("name")
@click.option("--username", metavar="NAME", help="Store credentials: this name with an access token or password.")
@account_option
@with_settings(REGISTRY, "secret put")
def put(name: str, username: str | None, account: str, settings: Settings) -> None:
    """Store a value under NAME, as a new secret or as the new value of one; print its ARN.

    The value, or with --username the token, is read from the standard input, or from a prompt.
    """
    text = _input("Token" if username is not None else "Value")
    if username is not None:
        text = msgspec.json.encode({"username": username, "accessToken": text}).decode()
    registry, now = Registry(account, settings.region), system_clock()

    def store(tx: Transaction, secrets: Secrets) -> Secret:
        accounts.require_account(tx, account)
        found = lookups.find(tx, registry, name, now)
        if found is None:
            return secrets.create_secret(tx, NewSecret(registry, name, NewValue(text)), now)[0]
        secrets.put_value(tx, lookups.get(tx, registry, name, now), NewValue(text), now)
        return found

    click.echo(_change(settings, store, lambda made: {"arn": made.arn}).arn)


@secret.command("list")
@account_option
@with_settings(REGISTRY, "secret list")
def list_secrets(account: str, settings: Settings) -> None:
    """List the secrets of a Region, without their values."""
    registry, after = Registry(account, settings.region), ""
    while page := _change(settings, lambda tx, _: rows.page(tx, registry, after, 1000)):  # noqa: B023 - called at once
        for found in page:
            click.echo(f"{found.name}\t{found.arn}\t{_state(found)}")
            after = found.name


@secret.command()
@click.argument("name")
@click.option("--now", "at_once", is_flag=True, help="Delete it at once. It cannot be restored.")
@account_option
@with_settings(REGISTRY, "secret delete")
def delete(name: str, at_once: bool, account: str, settings: Settings) -> None:
    """Mark a secret for deletion in 30 days. Nothing can use it until it is restored."""
    registry, now = Registry(account, settings.region), system_clock()
    days = None if at_once else RECOVERY_DAYS[-1]

    def remove(tx: Transaction, secrets: Secrets) -> Secret:
        return secrets.delete_secret(tx, lookups.describe(tx, registry, name, now), days, now)

    removed = _change(settings, remove)
    click.echo("Deleted." if at_once else f"Marked for deletion at {time_text(removed.delete_at)}.")


@secret.command()
@click.argument("name")
@account_option
@with_settings(REGISTRY, "secret restore")
def restore(name: str, account: str, settings: Settings) -> None:
    """Cancel the deletion of a secret."""
    registry, now = Registry(account, settings.region), system_clock()
    _change(settings, lambda tx, secrets: secrets.restore_secret(tx, lookups.describe(tx, registry, name, now)))


def _input(label: str) -> str:
    """A secret text from a prompt, or from the standard input without the line break at its end."""
    if sys.stdin.isatty():
        return secret_text(label)
    given = sys.stdin.buffer.read(_LONGEST_VALUE)
    try:
        return given.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise failure("The standard input is not UTF-8 text.") from None


def _state(found: Secret) -> str:
    if found.delete_at is not None:
        return f"deleted after {time_text(found.delete_at)}"
    return f"changed {time_text(found.changed_at)}"


def _change(
    settings: Settings,
    work: Callable[[Transaction, Secrets], T],
    result: Callable[[T], dict[str, str]] | None = None,
) -> T:
    def run(tx: Transaction, vault: Vault) -> T:
        return work(tx, app.secrets_of(settings, vault))

    try:
        return change_with_secrets(settings, run, result)
    except Refusal as refusal:
        raise failure(refusal) from None
