"""`moorage user`: who may use the registry. It works while the server runs."""

from __future__ import annotations

from pathlib import Path

import click

from moorage.cli.options import data_option
from moorage.cli.policy_commands import add_policy_commands, policies_text
from moorage.cli.transactions import account_option, change
from moorage.core.clock import system_clock
from moorage.core.identity import accounts
from moorage.core.identity import policies as identity_policies
from moorage.core.identity.policies import policy_name
from moorage.domain.identity.callers import ROOT
from moorage.metadata.database import Transaction
from moorage.metadata.identity import accounts as identities


@click.group()
def user() -> None:
    """Users of the account and what they may do."""


add_policy_commands(user, accounts.get_user)


@user.command("create")
@click.argument("name")
@click.option("--policy", "policies", multiple=True, help="Name or ARN of a policy to attach; may be repeated.")
@account_option
@data_option
def create_user(name: str, policies: tuple[str, ...], account: str, data: Path | None) -> None:
    """Add a user, who may do nothing but what its policies allow."""

    def create(tx: Transaction) -> None:
        made = accounts.create_user(tx, account, name, system_clock())
        for policy in policies:
            identity_policies.attach(tx, made, policy_name(account, policy))

    change(data, create)
    click.echo(f"User {name} created. Give it a key: moorage key create --user {name}")


@user.command("list")
@account_option
@data_option
def list_users(account: str, data: Path | None) -> None:
    """Show the users and their policies."""

    def rows(tx: Transaction) -> list[str]:
        found = [(row.name, policies_text(tx, row.id)) for row in identities.list_users(tx, account)]
        return [f"{name}\t{policies or ('everything' if name == ROOT else '-')}" for name, policies in found]

    for line in change(data, rows):
        click.echo(line)


@user.command("delete")
@click.argument("name")
@account_option
@data_option
def delete_user(name: str, account: str, data: Path | None) -> None:
    """Remove a user with its keys."""
    change(data, lambda tx: accounts.delete_user(tx, account, name))
    click.echo(f"User {name} deleted.")
