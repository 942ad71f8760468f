"""`moorage user`: the users of an account and their policies."""

from __future__ import annotations

import click

from moorage.cli.next_commands import command
from moorage.cli.options import with_registry
from moorage.cli.policy_commands import add_policy_commands, policies_text
from moorage.cli.transactions import account_option, change
from moorage.config.settings import Settings
from moorage.core.clock import system_clock
from moorage.core.identity import accounts
from moorage.core.identity import policies as identity_policies
from moorage.core.identity.policies import policy_name
from moorage.domain.identity.callers import ROOT
from moorage.metadata.database import Transaction
from moorage.metadata.identity import accounts as identities


@click.group()
def user() -> None:
    """Manage users and what they can do."""


add_policy_commands(user, accounts.get_user)


@user.command("create")
@click.argument("name")
@click.option("--policy", "policies", multiple=True, help="Attach a policy, by name or ARN. May be repeated.")
@account_option
@with_registry
def create_user(name: str, policies: tuple[str, ...], account: str, settings: Settings) -> None:
    """Create a user. A user can do only what its policies allow."""

    def create(tx: Transaction) -> None:
        made = accounts.create_user(tx, account, name, system_clock())
        for policy in policies:
            identity_policies.attach(tx, made, policy_name(account, policy))

    change(settings, create)
    other = () if account == settings.account else ("--account", account)
    key = command("key", "create", "--user", name, *other)
    click.echo(f"User {name} created. To create an access key, run: {key}")


@user.command("list")
@account_option
@with_registry
def list_users(account: str, settings: Settings) -> None:
    """List the users and their policies."""

    def rows(tx: Transaction) -> list[str]:
        found = [(row.name, policies_text(tx, row.id)) for row in identities.list_users(tx, account)]
        return [f"{name}\t{policies or ('everything' if name == ROOT else '-')}" for name, policies in found]

    for line in change(settings, rows):
        click.echo(line)


@user.command("delete")
@click.argument("name")
@account_option
@with_registry
def delete_user(name: str, account: str, settings: Settings) -> None:
    """Delete a user and its access keys."""
    change(settings, lambda tx: accounts.delete_user(tx, account, name))
    click.echo(f"User {name} deleted.")
