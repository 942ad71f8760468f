"""`moorage role`: what users, other accounts and CI jobs may become for a while. It works while the server runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TextIO

import click

from moorage.cli.options import data_option
from moorage.cli.policy_commands import add_policy_commands, document_argument, policies_text
from moorage.cli.transactions import account_option, change
from moorage.core.clock import system_clock
from moorage.core.identity import roles
from moorage.metadata.database import Transaction
from moorage.metadata.identity import roles as rows
from moorage.metadata.identity.roles import Role

_longest_session = click.option(
    "--max-session", type=int, metavar="SECONDS", help="Longest session, 3600 to 43200 seconds."
)


@click.group()
def role() -> None:
    """Roles: who may assume them, and what they may do then."""


add_policy_commands(role, roles.get_role)


@role.command()
@click.argument("name")
@click.option(
    "--trust", "document", type=click.File(encoding="utf-8"), required=True, metavar="FILE", help="Trust policy."
)
@click.option("--path", default="/", show_default=True, help="Path in the role's ARN.")
@_longest_session
@account_option
@data_option
def create(name: str, document: TextIO, path: str, max_session: int | None, account: str, data: Path | None) -> None:
    """Make a role; its trust policy in FILE (- for standard input) says who may assume it."""
    asked = Role("", account, name, path, document.read(), max_session or 3600, system_clock())
    click.echo(change(data, lambda tx: roles.create_role(tx, asked)).arn)


@role.command("list")
@account_option
@data_option
def list_roles(account: str, data: Path | None) -> None:
    """Show the roles: name, longest session in seconds, policies."""

    def lines(tx: Transaction) -> list[str]:
        return [
            f"{row.name}\t{row.max_session_seconds}\t{policies_text(tx, row.id) or '-'}"
            for row in rows.list_roles(tx, account)
        ]

    for line in change(data, lines):
        click.echo(line)


@role.command()
@click.argument("name")
@account_option
@data_option
def show(name: str, account: str, data: Path | None) -> None:
    """Print a role's trust policy; its ARN goes to standard error."""
    found = change(data, lambda tx: roles.get_role(tx, account, name))
    click.echo(found.arn, err=True)
    click.echo(found.trust_policy)


@role.command()
@click.argument("name")
@document_argument
@account_option
@data_option
def trust(name: str, document: TextIO, account: str, data: Path | None) -> None:
    """Give a role the trust policy in FILE (- for standard input)."""
    text = document.read()
    change(data, lambda tx: roles.change_role(tx, replace(roles.get_role(tx, account, name), trust_policy=text)))


@role.command()
@click.argument("name")
@click.argument("max_session", type=int, metavar="SECONDS")
@account_option
@data_option
def limit(name: str, max_session: int, account: str, data: Path | None) -> None:
    """Set the longest session of a role, 3600 to 43200 seconds."""
    change(
        data,
        lambda tx: roles.change_role(tx, replace(roles.get_role(tx, account, name), max_session_seconds=max_session)),
    )


@role.command()
@click.argument("name")
@account_option
@data_option
def delete(name: str, account: str, data: Path | None) -> None:
    """Remove a role; its sessions end at once."""
    change(data, lambda tx: roles.delete_role(tx, account, name))
    click.echo(f"Role {name} deleted.")
