"""`moorage policy`: an account's own policies, to be attached to users and roles. It works while the server runs."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

import click

from moorage.cli.options import data_option
from moorage.cli.policy_commands import document_argument
from moorage.cli.transactions import account_option, change
from moorage.core.clock import system_clock
from moorage.core.identity import policies as identity_policies
from moorage.core.identity.accounts import require_account
from moorage.core.identity.policies import policy_name
from moorage.domain.identity.managed_policies import MANAGED_POLICIES
from moorage.metadata.database import Transaction
from moorage.metadata.identity import policies as rows
from moorage.metadata.identity.policies import AWS, PolicyName


@click.group()
def policy() -> None:
    """Identity policies: what users and roles may do."""


@policy.command()
@click.argument("name")
@document_argument
@account_option
@data_option
def create(name: str, document: TextIO, account: str, data: Path | None) -> None:
    """Make a policy from FILE (- for standard input)."""
    made, text = PolicyName(account, name), document.read()
    change(data, lambda tx: identity_policies.create_policy(tx, made, text, system_clock()))
    click.echo(made.arn)


@policy.command()
@click.argument("name")
@document_argument
@account_option
@data_option
def update(name: str, document: TextIO, account: str, data: Path | None) -> None:
    """Give a policy the text in FILE (- for standard input); it counts at once for everybody who has it."""
    text = document.read()
    change(data, lambda tx: identity_policies.update_policy(tx, PolicyName(account, name), text, system_clock()))


@policy.command("list")
@account_option
@data_option
def list_policies(account: str, data: Path | None) -> None:
    """Show all policies, those that AWS manages first, and who has them."""

    def lines(tx: Transaction) -> list[str]:
        require_account(tx, account)
        names = [PolicyName(AWS, name) for name in MANAGED_POLICIES]
        names += [PolicyName(account, name) for name, _ in rows.list_policies(tx, account)]
        return [f"{name.arn}\t{', '.join(rows.identities_with(tx, name, account)) or '-'}" for name in names]

    for line in change(data, lines):
        click.echo(line)


@policy.command()
@click.argument("name")
@account_option
@data_option
def show(name: str, account: str, data: Path | None) -> None:
    """Print the text of a policy, by name or ARN."""
    click.echo(change(data, lambda tx: identity_policies.document_of(tx, policy_name(account, name))))


@policy.command()
@click.argument("name")
@account_option
@data_option
def delete(name: str, account: str, data: Path | None) -> None:
    """Remove a policy that nobody has."""
    change(data, lambda tx: identity_policies.delete_policy(tx, policy_name(account, name)))
    click.echo(f"Policy {name} deleted.")
