"""`moorage policy`: an account's own policies, to attach to users and roles."""

from __future__ import annotations

import click

from moorage.cli.options import with_registry
from moorage.cli.policy_commands import document_argument
from moorage.cli.transactions import account_option, change
from moorage.config.settings import Settings
from moorage.core.clock import system_clock
from moorage.core.identity import policies as identity_policies
from moorage.core.identity.accounts import require_account
from moorage.core.identity.policies import policy_name
from moorage.domain.identity.managed_policies import MANAGED_POLICIES
from moorage.metadata.database import Transaction
from moorage.metadata.identity import policies as rows
from moorage.metadata.identity.policies import AWS, ManagedPolicy, PolicyName


@click.group()
def policy() -> None:
    """Manage identity policies, which say what users and roles can do."""


@policy.command()
@click.argument("name")
@document_argument
@account_option
@with_registry
def create(name: str, document: str, account: str, settings: Settings) -> None:
    """Create a policy from FILE (- for standard input)."""
    now = system_clock()
    made = ManagedPolicy(name=PolicyName(account, name), document=document, created_at=now, updated_at=now)
    change(settings, lambda tx: identity_policies.create_policy(tx, made))
    click.echo(made.name.arn)


@policy.command()
@click.argument("name")
@document_argument
@account_option
@with_registry
def update(name: str, document: str, account: str, settings: Settings) -> None:
    """Replace a policy with FILE (- for standard input). The change applies immediately, everywhere it is attached.

    The file becomes a new version of the policy. IAM's API can return to one of the four versions before it.
    """
    made = PolicyName(account, name)
    change(settings, lambda tx: identity_policies.update_policy(tx, made, document, system_clock()))


@policy.command("list")
@account_option
@with_registry
def list_policies(account: str, settings: Settings) -> None:
    """List all policies, AWS managed policies first, with the users and roles they are attached to."""

    def lines(tx: Transaction) -> list[str]:
        require_account(tx, account)
        names = [PolicyName(AWS, name) for name in MANAGED_POLICIES]
        names += [policy.name for policy in rows.list_policies(tx, account)]
        return [f"{name.arn}\t{', '.join(_attached_to(tx, name, account)) or '-'}" for name in names]

    for line in change(settings, lines):
        click.echo(line)


@policy.command()
@click.argument("name")
@account_option
@with_registry
def show(name: str, account: str, settings: Settings) -> None:
    """Print a policy, by name or ARN."""
    click.echo(change(settings, lambda tx: identity_policies.document_of(tx, policy_name(account, name))))


@policy.command()
@click.argument("name")
@account_option
@with_registry
def delete(name: str, account: str, settings: Settings) -> None:
    """Delete a policy that is not attached."""
    change(settings, lambda tx: identity_policies.delete_policy(tx, policy_name(account, name)))
    click.echo(f"Policy {name} deleted.")


def _attached_to(tx: Transaction, policy: PolicyName, account: str) -> list[str]:
    return sorted(each.name for each in rows.attachments_of(tx, policy, account))
