"""`moorage import registry` and `moorage import ecr`: images of registries that are reached over a network."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import click

from moorage import app
from moorage.cli.ecr_account import EcrAccount, EcrMissing
from moorage.cli.folders import existing_folder
from moorage.cli.import_run import How, run_import, selecting
from moorage.cli.next_commands import failure
from moorage.cli.options import TextOfFile, with_settings
from moorage.cli.transactions import account_option, change
from moorage.config.settings import Settings
from moorage.config.table import REGISTRY
from moorage.core.clock import system_clock
from moorage.core.declared.apply import apply
from moorage.core.declared.changes import Conditions
from moorage.core.declared.document import Declaration, DeclarationRefused
from moorage.core.transfer.remote import RemoteSource
from moorage.domain.remote_registries import RemoteAddress, RemoteRegistries, UserCredentials
from moorage.metadata.database import Transaction


@click.command("registry")
@click.argument("url")
@click.argument("names", metavar="[REPOSITORY]...", nargs=-1)
@click.option("--username", metavar="NAME", help="User name for the other registry.")
@click.option(
    "--secret-file",
    "secret",
    type=TextOfFile(),
    metavar="FILE",
    help="File with the password or token; - for standard input.",
)
@click.option(
    "--realm", "realms", multiple=True, metavar="HOST", help="Another host that issues tokens. May be repeated."
)
@click.option("--private-network", "private_networks", is_flag=True, help="Allow addresses of private networks.")
@selecting
@account_option
@with_settings(REGISTRY, "import registry")
def import_registry(url: str, names: tuple[str, ...], settings: Settings, **options: Any) -> None:
    """Bring images from the registry at URL, over the OCI distribution protocol.

    Without REPOSITORY, all repositories that the catalogue of the registry lists come. Of each repository, all tags
    come, with signatures and other referrers.
    """
    username, secret = options.pop("username"), options.pop("secret")
    if (username is None) != (secret is None):
        raise click.UsageError("--username and --secret-file must be used together.")
    login = UserCredentials(username, secret.strip()) if username else None
    realms, private_networks = frozenset(options.pop("realms")), options.pop("private_networks")
    address = RemoteAddress(url, login, realms, private_networks)
    run_import(lambda remotes: nullcontext(RemoteSource(remotes.at(address), names or None)), settings, How(**options))


@click.command("ecr")
@click.option("--from-region", required=True, metavar="REGION", help="Region of AWS.")
@click.option("--from-endpoint", metavar="URL", help="URL of the ECR API.  [default: that of AWS]")
@click.option("--settings-only", is_flag=True, help="Bring the settings without images.")
@selecting
@account_option
@with_settings(REGISTRY, "import ecr")
def import_ecr(
    from_region: str, from_endpoint: str | None, settings_only: bool, settings: Settings, **options: Any
) -> None:
    """Bring the registry of an account of AWS: repositories, policies, all settings, and images.

    The command reads AWS with the credentials of the environment, as the AWS command line does. What is there already
    is made the same as in AWS; nothing is removed. In policies and ARNs, the account here takes the place of the one of
    AWS. Settings that cannot be the same here, such as unknown KMS keys, are listed, and everything else comes.
    """
    how = How(**options)
    existing_folder(settings)
    try:
        source = EcrAccount(from_region, from_endpoint)
        problems = _bring_settings(source, settings, how)
        names = source.repositories()
    except EcrMissing as error:
        raise failure(f"The import did not finish: {error}") from None
    if settings_only:
        names = []
    run_import(lambda remotes: nullcontext(_images(remotes, source, names)), settings, how, problems)


def _images(remotes: RemoteRegistries, source: EcrAccount, names: list[str]) -> RemoteSource:
    return RemoteSource(remotes.at(source.address), names, source.images)


def _bring_settings(source: EcrAccount, settings: Settings, how: How) -> int:
    """Apply the settings part by part; returns how many were refused, which are listed."""
    conditions = Conditions(app.limits_of(settings), settings.upstream, system_clock())
    changed = refused = 0
    for title, declaration in source.declarations(how.account, settings.region):
        changes = change(settings, lambda tx: _apply(tx, how.account, declaration, conditions))  # noqa: B023 - runs now
        if isinstance(changes, str):
            refused += 1
            click.echo(f"{title}: {changes}")
        else:
            changed += changes
    click.echo(f"Settings: {changed} changes.")
    return refused


def _apply(tx: Transaction, account: str, declaration: Declaration, conditions: Conditions) -> int | str:
    """The number of changes, or why a part is refused: then nothing of it was changed, because it is one thing."""
    try:
        return len(list(apply(tx, account, declaration, conditions)))
    except DeclarationRefused as refused:
        return str(refused)
