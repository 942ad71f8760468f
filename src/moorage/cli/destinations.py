"""`moorage destination`: where a {region, registryId} is that replication rules name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from moorage.adapters.remote_registry.origins import home_of
from moorage.cli.options import TextOfFile, with_registry
from moorage.cli.transactions import change, change_with_secrets
from moorage.config.settings import Settings
from moorage.core.clock import system_clock
from moorage.core.replication import retries
from moorage.core.replication.remote import comparison
from moorage.core.replication.remote import settings as remote_settings
from moorage.core.replication.remote.settings import DestinationRequest
from moorage.core.vault import Vault
from moorage.domain.names import Registry, registry_of_host
from moorage.domain.remote_registries import AwsCredentials, RemoteCredentials, UserCredentials
from moorage.metadata.database import Transaction
from moorage.metadata.replication import destinations
from moorage.metadata.replication.destinations import Destination
from moorage.metadata.replication.entries import Chosen

F = TypeVar("F", bound=Callable[..., Any])

_region = click.argument("to_region", metavar="REGION")
_account = click.argument("to_account", metavar="ACCOUNT")


@click.group()
def destination() -> None:
    """Destinations of replication outside this server: another Moorage, ECR, or any OCI registry."""


def _selection_options(command: F) -> F:
    """The options that say what a destination gets."""
    options = (
        click.option(
            "--only-signed", is_flag=True, help="Replicate only images with a signature, by Notation or cosign."
        ),
        click.option(
            "--tag",
            "tags",
            multiple=True,
            metavar="PATTERN",
            help="Replicate only these tags, with `*` for any text. May be repeated.",
        ),
        click.option(
            "--versions",
            default="",
            metavar="RANGE",
            help="Replicate only tags that are versions in a range, such as `>=1.2 <2` or `^1.2`.",
        ),
        click.option(
            "--rewrite",
            "rewrites",
            multiple=True,
            metavar="HERE=THERE",
            help="Replace a prefix of repository names, such as team/=mirror/team/. May be repeated.",
        ),
        click.option("--bytes-per-second", type=int, default=0, metavar="N", help="Limit of speed.  [default: none]"),
        click.option(
            "--at-once",
            type=int,
            default=4,
            show_default=True,
            metavar="N",
            help="Repositories that are replicated at once.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _access_options(command: F) -> F:
    """The options that say how to log in."""
    options = (
        click.option("--username", metavar="NAME", help="User name, for a registry that takes a password or a token."),
        click.option("--access-key-id", metavar="ID", help="Access key ID, for ECR or another Moorage."),
        click.option(
            "--secret-file",
            "secret",
            type=TextOfFile(),
            metavar="FILE",
            help="File with the password, token or secret access key; - for standard input.",
        ),
        click.option(
            "--endpoint",
            metavar="URL",
            help="URL of the ECR API, for an access key.  [default: that of AWS, or URL for another Moorage]",
        ),
        click.option(
            "--api-region", metavar="REGION", help="Region of that API.  [default: that of URL, otherwise REGION]"
        ),
        click.option(
            "--realm",
            "realms",
            multiple=True,
            metavar="HOST",
            help="Another host that issues the registry's tokens. May be repeated.",
        ),
        click.option(
            "--private-network", "private_networks", is_flag=True, help="Allow addresses of private networks."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@destination.command("set")
@_region
@_account
@click.argument("url")
@_access_options
@_selection_options
@with_registry
def set_destination(to_region: str, to_account: str, url: str, settings: Settings, **options: Any) -> None:
    """Replicate what rules send to REGION and ACCOUNT to the registry at URL.

    Rules name it by Region and account, also if this server has a registry with that name. The settings take the place
    of all earlier ones. What waits for the destination or failed there is then tried at once, and the destination is
    compared with this server.
    """
    registry = Registry(to_account, to_region)
    login = (options.pop("username"), options.pop("access_key_id"), options.pop("secret"))
    credentials = _credentials(
        url, login, options.pop("endpoint") or "", options.pop("api_region") or _region_of(url, to_region)
    )
    request = DestinationRequest(registry, url, credentials, **options)
    now = system_clock()

    def put(tx: Transaction, vault: Vault) -> Destination:
        made = remote_settings.put(tx, vault, request, home_of, now)
        retries.retry(tx, Chosen(registry), now)
        comparison.compare_now(tx, now)
        return made

    click.echo(_line(change_with_secrets(settings, put)))


@destination.command("list")
@with_registry
def list_destinations(settings: Settings) -> None:
    """Show the destinations and what they get."""
    for each in change(settings, destinations.list_all):
        click.echo(_line(each))


@destination.command("remove")
@_region
@_account
@with_registry
def remove(to_region: str, to_account: str, settings: Settings) -> None:
    """Replicate no more to a destination outside this server. What has arrived there stays."""

    def delete(tx: Transaction) -> None:
        remote_settings.remove(tx, Registry(to_account, to_region))

    change(settings, delete)


def _region_of(url: str, otherwise: str) -> str:
    there = registry_of_host(url.partition("://")[2])
    return otherwise if there is None else there.region


def _credentials(
    url: str, login: tuple[str | None, str | None, str | None], endpoint: str, region: str
) -> RemoteCredentials | None:
    """The credentials of a command line. Raises click.UsageError."""
    username, key_id, secret = login
    if username is not None and key_id is not None:
        raise click.UsageError("--username and --access-key-id cannot be used together.")
    if (username is None and key_id is None) != (secret is None):
        raise click.UsageError("--secret-file needs --username or --access-key-id, and they need --secret-file.")
    if secret is None:
        return None
    secret = secret.strip()
    if username is not None:
        return UserCredentials(username, secret)
    own_api = "" if ".amazonaws.com" in url else url
    return AwsCredentials(key_id or "", secret, region, endpoint=endpoint or own_api)


def _line(each: Destination) -> str:
    selection = each.selection
    limits = [
        *(f"tag {pattern}" for pattern in selection.tags),
        *([f"versions {selection.versions}"] if selection.versions else []),
        *(["only signed"] if selection.only_signed else []),
        *(f"{rewrite.here}={rewrite.there}" for rewrite in selection.rewrites),
        *([f"{each.bytes_per_second} bytes/s"] if each.bytes_per_second else []),
        f"{each.at_once} at once",
    ]
    return f"{each.registry.region}\t{each.registry.account}\t{each.url}\t{', '.join(limits)}"
