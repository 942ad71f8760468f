"""`moorage user`: who may use the registry. It works while the server runs."""

from __future__ import annotations

from pathlib import Path

import click

from moorage.cli.changes import account_option, change
from moorage.cli.options import data_option
from moorage.core import accounts
from moorage.core.clock import system_clock
from moorage.domain.identities import ROOT
from moorage.domain.managed_policies import MANAGED_POLICIES
from moorage.metadata import identities
from moorage.metadata.database import Transaction

_policy = click.Choice(list(MANAGED_POLICIES))


@click.group()
def user() -> None:
    """Users of the account and what they may do."""


@user.command("create")
@click.argument("name")
@click.option("--policy", "policies", multiple=True, type=_policy, help="AWS managed policy; may be repeated.")
@account_option
@data_option
def create_user(name: str, policies: tuple[str, ...], account: str, data: Path | None) -> None:
    """Add a user, who may do nothing but what its policies allow."""
    change(data, lambda tx: accounts.create_user(tx, account, name, policies, system_clock()))
    click.echo(f"User {name} created. Give it a key: moorage key create --user {name}")


@user.command("list")
@account_option
@data_option
def list_users(account: str, data: Path | None) -> None:
    """Show the users and their policies."""

    def rows(tx: Transaction) -> list[str]:
        found = [(row.name, sorted(identities.policies_of(tx, row.id))) for row in identities.list_users(tx, account)]
        return [f"{name}\t{', '.join(policies) or ('everything' if name == ROOT else '-')}" for name, policies in found]

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


@user.command("attach")
@click.argument("name")
@click.argument("policy", type=_policy)
@account_option
@data_option
def attach(name: str, policy: str, account: str, data: Path | None) -> None:
    """Give a user a managed policy."""
    change(data, lambda tx: accounts.attach_policy(tx, accounts.get_user(tx, account, name), policy))


@user.command("detach")
@click.argument("name")
@click.argument("policy", type=_policy)
@account_option
@data_option
def detach(name: str, policy: str, account: str, data: Path | None) -> None:
    """Take a managed policy from a user."""
    change(data, lambda tx: accounts.detach_policy(tx, accounts.get_user(tx, account, name), policy))
