"""Options that several commands share, and the ways commands fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from moorage.adapters.data_folder import DataFolder
from moorage.config import Settings, SettingWrong, load, seconds_of

_several: dict[str, Any] = {"multiple": True, "callback": lambda _context, _option, given: ",".join(given) or None}

F = TypeVar("F", bound=Callable[..., Any])

_DATABASE = "moorage.database"


def _note_database(context: click.Context, _option: click.Parameter, given: str | None) -> None:
    """Whatever a command does with its other options: its settings are read with this one."""
    context.meta[_DATABASE] = given


_DATA_OPTIONS = (
    click.option("--data", type=click.Path(path_type=Path), help="Data folder  [default: $XDG_DATA_HOME/moorage]"),
    click.option(
        "--database",
        metavar="URL",
        expose_value=False,
        callback=_note_database,
        help="postgresql://…: where the metadata is  [default: in the data folder]",
    ),
)
_TLS_OPTIONS = (
    click.option("--tls/--no-tls", default=None, help="Serve HTTPS with a certificate made here  [default: no]"),
    click.option(
        "--tls-cert", type=click.Path(path_type=Path), help="Serve HTTPS with this certificate (PEM, with its chain)."
    ),
    click.option("--tls-key", type=click.Path(path_type=Path), help="The key of --tls-cert (PEM, no password)."),
    click.option("--tls-name", metavar="NAME", **_several, help="One more name or address for --tls; may be repeated."),
    click.option("--host-name", metavar="NAME", help="Name by which clients call the server, for returned addresses."),
    click.option(
        "--trusted-proxy",
        metavar="NETWORK",
        **_several,
        help="Believe X-Forwarded-For, -Proto and -Host of these peers (address or CIDR); may be repeated.",
    ),
)
_REGISTRY_OPTIONS = (
    click.option(
        "--kms-key",
        metavar="ARN",
        **_several,
        help="A KMS key that repositories may name: its ARN, or alias/NAME=ARN; may be repeated.",
    ),
    click.option(
        "--quota",
        metavar="NAME=NUMBER",
        **_several,
        help="How many there may be, in place of ECR's number (repositories, images-per-repository, ...).",
    ),
)
config_option = click.option("--config", metavar="FILE", help="TOML file with settings, named as the options are.")


def duration(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    """The seconds of an option like 90s, 30m, 24h or 7d."""
    try:
        return None if text is None else seconds_of(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def data_option(command: F) -> F:
    """Where a command finds the registry."""
    return _with(command, _DATA_OPTIONS)


def tls_options(command: F) -> F:
    """What `serve` can be told of TLS and of who stands before it."""
    return _with(command, _TLS_OPTIONS)


def registry_options(command: F) -> F:
    """What `serve` can be told of the registries."""
    return _with(command, _REGISTRY_OPTIONS)


def _with(command: F, options: Sequence[Callable[[F], F]]) -> F:
    for option in reversed(options):
        command = option(command)
    return command


def settings_of(arguments: dict[str, Any]) -> Settings:
    """Settings of a command line; a wrong one ends the command with its name."""
    context = click.get_current_context(silent=True)
    try:
        return load({"database": context.meta.get(_DATABASE) if context else None, **arguments})
    except SettingWrong as error:
        raise click.UsageError(str(error)) from None


def existing_folder(data: Path | None, config: str | None = None) -> DataFolder:
    """The data folder of a command that needs one which a server has made; with `database` it need not be one."""
    settings = settings_of({"data": data, "config": config})
    folder = DataFolder(settings.data, settings.given_master_key())
    if settings.database is None and not folder.database.exists():
        raise click.ClickException(
            f"{folder.path} is no data folder: start a server there once (moorage serve --data {folder.path}),"
            " or name the right one with --data or MOORAGE_DATA"
        )
    return folder
