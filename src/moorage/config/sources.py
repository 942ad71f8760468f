"""Sources of settings: the command line, then `MOORAGE_…` variables, then a TOML file, then defaults.

This is the only module that reads the environment.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from moorage.config.checks import CHECKS
from moorage.config.settings import TABLE, Settings
from moorage.config.table import InvalidSetting

CONFIG_VARIABLE: Final = "MOORAGE_CONFIG"

_FROM_ENVIRONMENT_ANYWHERE: Final = frozenset(
    {"master_key", "master_key_file", "s3_access_key_id", "s3_secret_access_key", "failpoints"}
)
"""What `registry_at` takes from the environment if the file of the registry does not set it."""


_NOTED_FOLDER: Final = Path(sys.prefix, "data-folder")
"""A file in the virtual environment, in which `make serve` writes its data folder."""


class _Given(NamedTuple):
    """A value that somebody set, and how messages name the place where it was set."""

    value: Any
    label: str


def load(arguments: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Settings:
    """Put the settings together. An argument that is None was not given. Raises InvalidSetting."""
    given = _from_file(arguments.get("config") or environment.get(CONFIG_VARIABLE))
    given |= _from_environment(environment)
    given |= {
        entry.name: _Given(arguments[entry.name], entry.label)
        for entry in TABLE
        if arguments.get(entry.name) is not None
    }
    return _settings(given, environment)


def registry_at(place: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a registry that a command names: by its data folder, or by the TOML file of its servers.

    The environment may describe another registry. Only secrets that the file leaves out are taken from it. Raises
    InvalidSetting.
    """
    if place.suffix == ".toml" and not place.is_file():
        raise InvalidSetting(f"{place} does not exist.")
    named = _from_file(str(place)) if place.is_file() else {"data": _Given(place, "the data folder")}
    has_master_key = "master_key" in named or "master_key_file" in named
    given = {
        name: value
        for name, value in _from_environment(environment).items()
        if name in _FROM_ENVIRONMENT_ANYWHERE and not (has_master_key and name.startswith("master_key"))
    }
    return _settings(given | named, environment)


def share_counts(folder: str) -> None:
    """Let all processes of the server count in files of this folder, where prometheus_client looks for it."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder


def inherited() -> dict[str, str]:
    """The environment of this process, for a program that it starts."""
    return dict(os.environ)


def _from_environment(environment: Mapping[str, str]) -> dict[str, _Given]:
    return {
        entry.name: _Given(environment[entry.variable], entry.variable)
        for entry in TABLE
        if entry.variable in environment
    }


def _from_file(name: str | None) -> dict[str, _Given]:
    if name is None:
        return {}
    try:
        values = tomllib.loads(Path(name).read_text("utf-8"))
    except OSError as error:
        raise InvalidSetting(f"The configuration file {name} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"The configuration file {name} is not valid TOML: {error}.") from None
    unknown = values.keys() - {entry.name for entry in TABLE}
    if unknown:
        raise InvalidSetting(
            f"The configuration file {name} has unknown settings: {', '.join(sorted(unknown))}."
            " docs/configuration.md lists the settings."
        )
    return {key: _Given(value, f"{key} in {name}") for key, value in values.items()}


def _settings(given: Mapping[str, _Given], environment: Mapping[str, str]) -> Settings:
    values: dict[str, Any] = {"data": _default_data(environment)}
    for entry in TABLE:
        if entry.name in given:
            value, label = given[entry.name]
            try:
                values[entry.name] = entry.kind.read(value)
            except ValueError as error:
                raise InvalidSetting(f"{label} {error}.") from None
    settings = Settings(**values)
    for check in CHECKS:
        check(settings)
    return settings


def _default_data(environment: Mapping[str, str]) -> Path:
    """The data folder if none is named: the one that `make serve` noted beside this program, or the user's own."""
    if not environment.get("XDG_DATA_HOME") and _NOTED_FOLDER.is_file():
        return Path(_NOTED_FOLDER.read_text("utf-8").removesuffix("\n"))
    home = environment.get("XDG_DATA_HOME") or Path(environment.get("HOME", "."), ".local", "share")
    return Path(home) / "moorage"
