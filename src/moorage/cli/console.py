"""`moorage console`: a link with which the owner of a data folder signs in at the console."""

from __future__ import annotations

import click

from moorage.cli.folders import existing_folder
from moorage.cli.next_commands import failure
from moorage.cli.options import with_registry
from moorage.cli.transactions import change_with_secrets
from moorage.config.settings import Settings
from moorage.core.clock import system_clock
from moorage.core.console.sessions import new_link


@click.command()
@with_registry
def console(settings: Settings) -> None:
    """Print a link that signs one browser in as the root user. It works once, within five minutes."""
    folder = existing_folder(settings)
    credentials = folder.credentials()
    if credentials is None:
        raise failure(f"{folder.path} has no root access key. Sign in at the console with an access key instead.")
    key, _ = credentials
    endpoint, _ = folder.endpoint() or (f"{settings.scheme}://{settings.public_host}", None)
    token = change_with_secrets(settings, lambda tx, vault: new_link(tx, vault, key, system_clock))
    # Browsers send no fragment: the token is in no log of a proxy.
    click.echo(f"{endpoint}/console/sign-in#{token}")
