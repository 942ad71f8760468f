"""`moorage role`: roles, which users, other accounts and CI jobs can assume."""

from __future__ import annotations

from dataclasses import replace

import click

from moorage.cli.options import TextOfFile, with_registry
from moorage.cli.policy_commands import add_policy_commands, document_argument, policies_text
from moorage.cli.transactions import account_option, change
from moorage.config.settings import Settings
from moorage.core.clock import system_clock
from moorage.core.identity import roles
from moorage.metadata.database import Transaction
from moorage.metadata.identity import roles as rows
from moorage.metadata.identity.roles import Role

_max_session_option = click.option(
    "--max-session", type=int, metavar="SECONDS", help="Maximum session duration, 3600 to 43200.  [default: 3600]"
)


@click.group()
def role() -> None:
    """Manage roles: who can assume them, and what their sessions can do."""


add_policy_commands(role, roles.get_role)


@role.command()
@click.argument("name")
@click.option(
    "--trust",
    "document",
    type=TextOfFile(),
    required=True,
    metavar="FILE",
    help="Trust policy (- for standard input).",
)
@click.option("--path", default="/", show_default=True, help="Path in the role's ARN.")
@_max_session_option
@account_option
@with_registry
def create(name: str, document: str, path: str, max_session: int | None, account: str, settings: Settings) -> None:
    """Create a role. Its trust policy says who can assume it."""
    new = Role("", account, name, path, document, max_session or 3600, system_clock())
    made = change(settings, lambda tx: roles.create_role(tx, new), lambda made: {"arn": made.arn})
    click.echo(made.arn)


@role.command("list")
@account_option
@with_registry
def list_roles(account: str, settings: Settings) -> None:
    """List the roles with their maximum session duration in seconds and their policies."""

    def lines(tx: Transaction) -> list[str]:
        return [
            f"{row.name}\t{row.max_session_seconds}\t{policies_text(tx, row.id) or '-'}"
            for row in rows.list_roles(tx, account)
        ]

    for line in change(settings, lines):
        click.echo(line)


@role.command()
@click.argument("name")
@account_option
@with_registry
def show(name: str, account: str, settings: Settings) -> None:
    """Print a role's trust policy to standard output, and its ARN to standard error."""
    found = change(settings, lambda tx: roles.get_role(tx, account, name))
    click.echo(found.arn, err=True)
    click.echo(found.trust_policy)


@role.command()
@click.argument("name")
@document_argument
@account_option
@with_registry
def trust(name: str, document: str, account: str, settings: Settings) -> None:
    """Replace a role's trust policy with FILE (- for standard input)."""
    change(
        settings,
        lambda tx: roles.change_role(tx, replace(roles.get_role(tx, account, name), trust_policy=document)),
    )


@role.command()
@click.argument("name")
@click.argument("max_session", type=int, metavar="SECONDS")
@account_option
@with_registry
def limit(name: str, max_session: int, account: str, settings: Settings) -> None:
    """Set the maximum session duration of a role, 3600 to 43200 seconds."""
    change(
        settings,
        lambda tx: roles.change_role(tx, replace(roles.get_role(tx, account, name), max_session_seconds=max_session)),
    )


@role.command()
@click.argument("name")
@account_option
@with_registry
def delete(name: str, account: str, settings: Settings) -> None:
    """Delete a role. Its sessions end immediately."""
    change(settings, lambda tx: roles.delete_role(tx, account, name))
    click.echo(f"Role {name} deleted.")
