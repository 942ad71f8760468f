"""`moorage oidc`: issuers of OpenID Connect tokens, with which CI jobs assume roles. It works while the server runs."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

import click

from moorage.cli.options import data_option
from moorage.cli.transactions import account_option, change
from moorage.core.clock import system_clock
from moorage.core.identity import roles
from moorage.core.identity.accounts import require_account
from moorage.metadata.database import Transaction
from moorage.metadata.identity import providers as identity_providers
from moorage.metadata.identity.providers import IdentityProvider


@click.group()
def oidc() -> None:
    """Issuers of identity tokens that trust policies of roles may name."""


@oidc.command()
@click.argument("issuer")
@click.option("--audience", "audiences", multiple=True, required=True, help="Whom tokens must be for; may be repeated.")
@click.option("--keys", type=click.File(encoding="utf-8"), required=True, metavar="FILE", help="JWK set of the issuer.")
@account_option
@data_option
def put(issuer: str, audiences: tuple[str, ...], keys: TextIO, account: str, data: Path | None) -> None:
    """Believe an issuer (an https URL), or give one that is known other audiences and keys.

    The keys are those of the issuer's jwks_uri, put here by hand or by a timer: the server fetches nothing.
    """
    provider = IdentityProvider(account, issuer, audiences, keys.read(), system_clock())
    change(data, lambda tx: roles.put_provider(tx, provider))
    click.echo(provider.arn)


@oidc.command("list")
@account_option
@data_option
def list_providers(account: str, data: Path | None) -> None:
    """Show the issuers and their audiences."""

    def lines(tx: Transaction) -> list[str]:
        require_account(tx, account)
        return [f"{row.issuer}\t{', '.join(row.audiences)}" for row in identity_providers.list_providers(tx, account)]

    for line in change(data, lines):
        click.echo(line)


@oidc.command()
@click.argument("issuer")
@account_option
@data_option
def delete(issuer: str, account: str, data: Path | None) -> None:
    """Believe an issuer no more; sessions that its tokens began go on until they end."""
    change(data, lambda tx: roles.delete_provider(tx, account, issuer))
    click.echo(f"Issuer {issuer} deleted.")
