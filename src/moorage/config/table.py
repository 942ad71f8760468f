"""Entries of the table of settings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Final, TypeVar, overload

from moorage.config.kinds import Form, Kind

T = TypeVar("T")

REGISTRY: Final = "registry"
"""Stands for all commands that open the database or the blob store of a registry."""
SERVE: Final = ("serve",)
IMPORTS: Final = ("import distribution", "import images", "import registry", "import ecr")
DECLARED: Final = (*SERVE, "apply", *IMPORTS)
"""The server, and commands that create what these settings restrict."""

_ENTRY: Final = "entry"


class InvalidSetting(Exception):
    """A setting has a value that it cannot have. The text names the setting and says what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting.

    `default` is a text, as a user would write it; None if there is none. `summary` is what `--help` shows; `details`
    is the rest of what docs/configuration.md says, in Markdown. `commands` are those with an option for the setting.
    """

    name: str
    kind: Kind[Any]
    default: str | None
    summary: str
    details: str
    commands: tuple[str, ...]

    @property
    def option(self) -> str:
        """The setting's option, whether commands take it or not: `--tls-cert`."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def options(self) -> list[str]:
        """All names of the setting on the command line; none if it has no option."""
        if not self.commands:
            return []
        return [self.option, f"--no-{self.option[2:]}"] if self.kind.form is Form.FLAG else [self.option]

    @property
    def variable(self) -> str:
        """The environment variable of the setting: `MOORAGE_TLS_CERT`."""
        return f"MOORAGE_{self.name.upper()}"

    @property
    def label(self) -> str:
        """The setting in messages: its option, or its variable if it has no option."""
        return self.option if self.commands else self.variable


@overload
def setting(
    kind: Kind[T], default: str, summary: str, details: str = "", *, commands: Iterable[str] = SERVE, secret: bool = ...
) -> T: ...
@overload
def setting(
    kind: Kind[T],
    default: None,
    summary: str,
    details: str = "",
    *,
    commands: Iterable[str] = SERVE,
    secret: bool = ...,
) -> T | None: ...
def setting(
    kind: Kind[Any],
    default: str | None,
    summary: str,
    details: str = "",
    *,
    commands: Iterable[str] = SERVE,
    secret: bool = False,
) -> Any:
    """A field of `Settings`: an entry of the table. A secret is left out of the `repr`."""
    return field(
        default=None if default is None else kind.read(default),
        repr=not secret,
        metadata={_ENTRY: lambda name: Entry(name, kind, default, summary, details, tuple(commands))},
    )


def entries_of(settings: type[Any]) -> tuple[Entry, ...]:
    """The table: the entries of a dataclass whose fields were all made by `setting`; inherited ones are the last."""
    ordered = sorted(fields(settings), key=lambda known: known.name not in settings.__annotations__)
    return tuple(known.metadata[_ENTRY](known.name) for known in ordered)
