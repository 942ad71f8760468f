"""`moorage oidc`: issuers of OpenID Connect tokens, with which CI jobs assume roles."""

from __future__ import annotations

import click

from moorage.cli.options import TextOfFile, with_registry
from moorage.cli.transactions import account_option, change
from moorage.config.settings import Settings
from moorage.core.clock import system_clock
from moorage.core.identity.accounts import require_account
from moorage.core.identity.entities import providers
from moorage.metadata.database import Transaction
from moorage.metadata.identity import providers as identity_providers
from moorage.metadata.identity.providers import IdentityProvider


@click.group()
def oidc() -> None:
    """Manage OpenID Connect issuers, whose tokens can assume roles."""


@oidc.command()
@click.argument("issuer")
@click.option(
    "--audience", "audiences", multiple=True, required=True, help="Accept tokens for this audience. May be repeated."
)
@click.option(
    "--keys",
    type=TextOfFile(),
    required=True,
    metavar="FILE",
    help="JWK set of the issuer (- for standard input).",
)
@account_option
@with_registry
def put(issuer: str, audiences: tuple[str, ...], keys: str, account: str, settings: Settings) -> None:
    """Trust an issuer (an https URL), or replace its audiences and keys.

    Download the keys from the issuer's jwks_uri, by hand or with a timer: the server does not fetch them.
    """
    provider = IdentityProvider(account, issuer, audiences, keys, system_clock())
    change(settings, lambda tx: providers.put_provider(tx, provider))
    click.echo(provider.arn)


@oidc.command("list")
@account_option
@with_registry
def list_providers(account: str, settings: Settings) -> None:
    """List the issuers and their audiences."""

    def lines(tx: Transaction) -> list[str]:
        require_account(tx, account)
        return [f"{row.issuer}\t{', '.join(row.audiences)}" for row in identity_providers.list_providers(tx, account)]

    for line in change(settings, lines):
        click.echo(line)


@oidc.command()
@click.argument("issuer")
@account_option
@with_registry
def delete(issuer: str, account: str, settings: Settings) -> None:
    """Stop trusting an issuer. Sessions that its tokens started last until they expire."""
    change(settings, lambda tx: providers.delete_provider(tx, account, issuer))
    click.echo(f"Issuer {issuer} deleted.")
