"""Settings: command line, then `MOORAGE_…` in the environment, then a TOML file, then what is built in.

This is the only module that reads the environment.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

_LISTEN = re.compile(r"(?P<host>\[[0-9a-fA-F:]+\]|[^:\[\]]*):(?P<port>\d{1,5})")


class SettingWrong(Exception):
    """A setting has a value that it cannot have; the text names it and says what would do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a server can be told. Names are those of the options, with `_` for `-`."""

    listen: str = "127.0.0.1:5000"
    data: Path = Path("moorage-data")
    workers: int = 0
    domain: str | None = None
    region: str = "us-east-1"
    server: str = "granian"
    access_log: bool = True
    sparse_manifests: bool = False
    failpoints: str = ""

    @property
    def host(self) -> str:
        return self._listen_parts()[0]

    @property
    def port(self) -> int:
        return self._listen_parts()[1]

    @property
    def public_host(self) -> str:
        """How clients on this machine name the server: docker trusts `localhost` without TLS."""
        host = "localhost" if self.host in {"127.0.0.1", "0.0.0.0", "[::1]", "[::]"} else self.host  # noqa: S104
        return f"{host}:{self.port}"

    @property
    def worker_count(self) -> int:
        """As set, else one for each processor that this process may use, up to 8."""
        return self.workers or min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1, 8)

    def _listen_parts(self) -> tuple[str, int]:
        found = _LISTEN.fullmatch(self.listen)
        if found is None or int(found["port"]) > 65535:
            raise SettingWrong(f"listen: {self.listen!r} is not HOST:PORT")
        return found["host"] or "0.0.0.0", int(found["port"])  # noqa: S104 - asked for by an empty host


def load(arguments: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Settings:
    """Put the settings together; members of `arguments` that are None were not given. Raises SettingWrong."""
    values: dict[str, Any] = {"data": _default_data(environment)}
    values |= _from_file(arguments.get("config") or environment.get("MOORAGE_CONFIG"))
    values |= {
        field.name: environment[f"MOORAGE_{field.name.upper()}"]
        for field in fields(Settings)
        if f"MOORAGE_{field.name.upper()}" in environment
    }
    values |= {name: value for name, value in arguments.items() if value is not None and name != "config"}
    settings = Settings(**{name: _converted(name, value) for name, value in values.items()})
    _check(settings)
    return settings


def inherited() -> dict[str, str]:
    """The environment that this process was given, for a program that it hands over to."""
    return dict(os.environ)


def _check(settings: Settings) -> None:
    settings._listen_parts()
    if settings.workers < 0:
        raise SettingWrong("workers: the number of worker processes, or 0 for one a processor")
    if settings.server not in {"granian", "uvicorn"}:
        raise SettingWrong(f"server: {settings.server!r} is neither granian nor uvicorn")
    if re.fullmatch(r"[a-z0-9-]{2,25}", settings.region) is None:
        raise SettingWrong(f"region: {settings.region!r} is not a region")


def _from_file(name: str | None) -> dict[str, Any]:
    if name is None:
        return {}
    try:
        values = tomllib.loads(Path(name).read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingWrong(f"config: {name}: {error}") from None
    unknown = values.keys() - {field.name for field in fields(Settings)}
    if unknown:
        raise SettingWrong(f"config: {name}: unknown settings {', '.join(sorted(unknown))}")
    return values


def _converted(name: str, value: Any) -> Any:
    """A setting's value from its text; values of a TOML file or the command line have their type already."""
    if name == "data":
        return Path(value).expanduser()
    if name == "workers":
        try:
            return int(value)
        except ValueError:
            raise SettingWrong(f"workers: {value!r} is not a number") from None
    if name in {"access_log", "sparse_manifests"} and isinstance(value, str):
        return value.lower() not in {"0", "false", "no", "off"}
    return value


def _default_data(environment: Mapping[str, str]) -> Path:
    home = environment.get("XDG_DATA_HOME") or os.path.join(environment.get("HOME", "."), ".local", "share")  # noqa: PTH118
    return Path(home) / "moorage"
