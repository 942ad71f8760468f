"""Options for settings, made from the table of settings: the same for every command that takes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from functools import wraps
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from moorage.config.kinds import Form, seconds_of
from moorage.config.settings import TABLE, Settings
from moorage.config.sources import load
from moorage.config.table import REGISTRY, Entry

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")

_PASSWORD = re.compile(r"(//[^/@:]*):[^/@]*@")

config_option = click.option(
    "--config", metavar="FILE", help="TOML file with settings.  [default: the variable MOORAGE_CONFIG]"
)


def settings_options(*commands: str) -> Callable[[F], F]:
    """The options of all settings that at least one of `commands` takes, and `--config`; for `settings_of`."""
    options = [_option(entry) for entry in _taken_by(commands)]

    def decorate(command: F) -> F:
        command = config_option(command)
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def with_settings(*commands: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """`settings_options`; the command gets the settings themselves, as `settings`."""
    names = ["config", *(entry.name for entry in _taken_by(commands))]

    def decorate(command: Callable[..., R]) -> Callable[..., R]:
        @wraps(command)
        def run(*args: Any, **options: Any) -> R:
            settings = settings_of({name: options.pop(name) for name in names})
            return command(*args, settings=settings, **options)

        return settings_options(*commands)(run)

    return decorate


def with_registry(command: Callable[..., R]) -> Callable[..., R]:
    """For commands that open a registry's database or blob store: `--data`, `--database`, `--blobs` and `--config`."""
    return with_settings(REGISTRY)(command)


def settings_of(options: Mapping[str, Any]) -> Settings:
    """The settings of a command line. Raises InvalidSetting, which ends the command (`main.py`)."""
    return load(options)


def repeated_options(taken: Container[str | None] | None = None) -> list[str]:
    """The registry options of this command line, for the next command that it advises. Other settings stay set.

    With `taken`, only options with these names.

    A password in the URL of the database is left out, because output ends up in logs.
    """
    context = click.get_current_context()
    names = ["config", *(entry.name for entry in _taken_by((REGISTRY,)))]
    words = []
    for name in names:
        if (taken is None or name in taken) and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            words += [f"--{name}", _PASSWORD.sub(r"\1:PASSWORD@", str(context.params[name]))]
    return words


class TextOfFile(click.File):
    """The text of a file, or of standard input for `-`."""

    def __init__(self) -> None:
        super().__init__(encoding="utf-8")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        file = super().convert(value, param, ctx)
        try:
            return file.read()
        except UnicodeDecodeError as error:
            self.fail(f"{value}: {error}", param, ctx)


def duration(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    """The seconds of an option such as 90s, 30m, 24h or 7d."""
    try:
        return None if text is None else seconds_of(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None


def _taken_by(commands: tuple[str, ...]) -> list[Entry]:
    return [entry for entry in TABLE if set(commands) & set(entry.commands)]


def _option(entry: Entry) -> Callable[[F], F]:
    """An option without a default: what it leaves out may come from the environment or from a file."""
    kind, text = entry.kind, _help(entry)
    if kind.form is Form.FLAG:
        return click.option("/".join(entry.options), entry.name, default=None, help=text)
    if kind.form is Form.ON_OFF:
        return click.option(entry.option, entry.name, type=bool, metavar=kind.metavar, help=text)
    if kind.form is Form.REPEATED:
        return click.option(
            entry.option, entry.name, multiple=True, callback=_none_if_empty, metavar=kind.metavar, help=text
        )
    choices = click.Choice(kind.choices) if kind.choices else None
    return click.option(entry.option, entry.name, type=choices, metavar=kind.metavar or None, help=text)


def _help(entry: Entry) -> str:
    repeated = " May be repeated." if entry.kind.form is Form.REPEATED else ""
    default = f"  [default: {entry.default}]" if entry.default else ""
    return f"{entry.summary}{repeated}{default}"


def _none_if_empty(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...] | None:
    return given or None
