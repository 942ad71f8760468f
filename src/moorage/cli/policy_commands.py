"""What `moorage user` and `moorage role` have in common: the policies that a user or a role has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import click

from moorage.cli.options import data_option
from moorage.cli.transactions import account_option, change
from moorage.core.identity import policies as identity_policies
from moorage.core.identity.policies import Identity, policy_name
from moorage.metadata.database import Transaction
from moorage.metadata.identity import policies as rows

Get = Callable[[Transaction, str, str], Identity]
"""The user or role of an account by its name. Raises AccountError."""

document_argument = click.argument("document", type=click.File(encoding="utf-8"), metavar="FILE")


def add_policy_commands(group: click.Group, get: Get) -> None:
    """Give a group the commands that attach and detach policies, and write them into its members."""
    _add_attaching(group, get)
    _add_inline(group, get)


def policies_text(tx: Transaction, identity: str) -> str:
    """The names of all policies of a user or role; inline ones say so."""
    held = rows.policies_of(tx, identity)
    return ", ".join([*(policy.name for policy, _ in held.attached), *(f"{name} (inline)" for name, _ in held.inline)])


def _add_attaching(group: click.Group, get: Get) -> None:
    @group.command()
    @click.argument("name")
    @click.argument("policy")
    @account_option
    @data_option
    def attach(name: str, policy: str, account: str, data: Path | None) -> None:
        """Attach a policy by name or ARN: one that AWS manages, or one of moorage policy."""
        change(
            data,
            lambda tx: identity_policies.attach(tx, get(tx, account, name), policy_name(account, policy)),
        )

    @group.command()
    @click.argument("name")
    @click.argument("policy")
    @account_option
    @data_option
    def detach(name: str, policy: str, account: str, data: Path | None) -> None:
        """Detach a policy."""
        change(
            data,
            lambda tx: identity_policies.detach(tx, get(tx, account, name), policy_name(account, policy)),
        )


def _add_inline(group: click.Group, get: Get) -> None:
    @group.command("put-policy")
    @click.argument("name")
    @click.argument("policy")
    @document_argument
    @account_option
    @data_option
    def put_policy(name: str, policy: str, document: TextIO, account: str, data: Path | None) -> None:
        """Write an inline policy from FILE (- for standard input), or write it anew."""
        text = document.read()
        change(data, lambda tx: identity_policies.put_inline(tx, get(tx, account, name), policy, text))

    @group.command("delete-policy")
    @click.argument("name")
    @click.argument("policy")
    @account_option
    @data_option
    def delete_policy(name: str, policy: str, account: str, data: Path | None) -> None:
        """Remove an inline policy."""
        change(data, lambda tx: identity_policies.delete_inline(tx, get(tx, account, name), policy))

    @group.command("show-policy")
    @click.argument("name")
    @click.argument("policy")
    @account_option
    @data_option
    def show_policy(name: str, policy: str, account: str, data: Path | None) -> None:
        """Print an inline policy."""
        click.echo(change(data, lambda tx: identity_policies.inline_document(tx, get(tx, account, name), policy)))
