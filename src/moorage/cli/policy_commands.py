"""Policy commands that `moorage user` and `moorage role` share."""

from __future__ import annotations

from collections.abc import Callable

import click

from moorage.cli.options import TextOfFile, with_registry
from moorage.cli.transactions import account_option, change
from moorage.config.settings import Settings
from moorage.core.identity import policies as identity_policies
from moorage.core.identity.policies import Identity, policy_name
from moorage.metadata.database import Transaction
from moorage.metadata.identity import policies as rows

GetIdentity = Callable[[Transaction, str, str], Identity]
"""Finds a user or role by account and name. Raises AccountError."""

document_argument = click.argument("document", type=TextOfFile(), metavar="FILE")


def add_policy_commands(group: click.Group, get: GetIdentity) -> None:
    """Add the commands for attached and inline policies to a group."""
    _add_attach_commands(group, get)
    _add_inline_commands(group, get)


def policies_text(tx: Transaction, identity: str) -> str:
    """The names of all policies of a user or role, inline ones marked as such."""
    held = rows.policies_of(tx, identity)
    return ", ".join([*(policy.name for policy, _ in held.attached), *(f"{name} (inline)" for name, _ in held.inline)])


def _add_attach_commands(group: click.Group, get: GetIdentity) -> None:
    @group.command()
    @click.argument("name")
    @click.argument("policy")
    @account_option
    @with_registry
    def attach(name: str, policy: str, account: str, settings: Settings) -> None:
        """Attach a policy, by name or ARN: an AWS managed policy, or one of the account."""
        change(
            settings,
            lambda tx: identity_policies.attach(tx, get(tx, account, name), policy_name(account, policy)),
        )

    @group.command()
    @click.argument("name")
    @click.argument("policy")
    @account_option
    @with_registry
    def detach(name: str, policy: str, account: str, settings: Settings) -> None:
        """Detach a policy."""
        change(
            settings,
            lambda tx: identity_policies.detach(tx, get(tx, account, name), policy_name(account, policy)),
        )


def _add_inline_commands(group: click.Group, get: GetIdentity) -> None:
    @group.command("put-policy")
    @click.argument("name")
    @click.argument("policy")
    @document_argument
    @account_option
    @with_registry
    def put_policy(name: str, policy: str, document: str, account: str, settings: Settings) -> None:
        """Create or replace an inline policy from FILE (- for standard input)."""
        change(settings, lambda tx: identity_policies.put_inline(tx, get(tx, account, name), policy, document))

    @group.command("delete-policy")
    @click.argument("name")
    @click.argument("policy")
    @account_option
    @with_registry
    def delete_policy(name: str, policy: str, account: str, settings: Settings) -> None:
        """Delete an inline policy."""
        change(settings, lambda tx: identity_policies.delete_inline(tx, get(tx, account, name), policy))

    @group.command("show-policy")
    @click.argument("name")
    @click.argument("policy")
    @account_option
    @with_registry
    def show_policy(name: str, policy: str, account: str, settings: Settings) -> None:
        """Print an inline policy."""
        click.echo(change(settings, lambda tx: identity_policies.inline_document(tx, get(tx, account, name), policy)))
