"""Settings: command line, then `MOORAGE_…` in the environment, then a TOML file, then what is built in.

This is the only module that reads the environment.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from moorage.domain.buckets import Bucket, BucketKey
from moorage.domain.registry.encryption import Keys
from moorage.domain.registry.quotas import Quotas

_LISTEN = re.compile(r"(?P<host>\[[0-9a-fA-F:]+\]|[^:\[\]]*):(?P<port>\d{1,5})")
_MASTER_KEY_BYTES = 32
_DURATION = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,6})?)\s*(?P<unit>[smhd]?)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_NUMBERS: dict[str, Callable[[Any], float]] = {
    "workers": int,
    "lifecycle_delay": int,
    "database_connections": int,
    "traces_share": float,
}
_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?", re.ASCII)


class SettingWrong(Exception):
    """A setting has a value that it cannot have; the text names it and says what would do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a server can be told. Names are those of the options, with `_` for `-`."""

    listen: str = "127.0.0.1:5000"
    data: Path = Path("moorage-data")
    database: str | None = field(default=None, repr=False)
    database_connections: int = 8
    workers: int = 0
    domain: str | None = None
    region: str = "us-east-1"
    server: str = "granian"
    access_log: bool = True
    audit_log: str = "audit.jsonl"
    audit_reads: bool = False
    sparse_manifests: bool = False
    lifecycle_delay: int = 60
    grace_period: float = 86_400
    drain: float = 0
    failpoints: str = ""
    metrics: str = ""
    traces: str = ""
    traces_share: float = 1.0
    tls: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_name: str = ""
    host_name: str | None = None
    trusted_proxy: str = ""
    kms_key: str = ""
    quota: str = ""
    master_key: str | None = field(default=None, repr=False)
    master_key_file: Path | None = None
    blobs: str = ""
    blob_redirect: bool = True
    s3_access_key_id: str = ""
    s3_secret_access_key: str = field(default="", repr=False)

    @property
    def bucket(self) -> Bucket | None:
        """Where blobs are; None for a folder."""
        return None if self.blobs.startswith("/") or not self.blobs else Bucket.parse(self.blobs)

    @property
    def blob_folder(self) -> Path:
        """Where blobs are if they are in no bucket: a folder that nodes share, or the data folder."""
        return Path(self.blobs) if self.blobs.startswith("/") else self.data

    @property
    def place(self) -> str:
        """Where the registry is, for people: nothing in it is secret."""
        data = str(self.data.absolute())
        rows = data if self.database is None else re.sub(r"//[^/]*@", "//", self.database.partition("?")[0])
        blobs = self.blobs.partition("?")[0] or data
        return rows if rows == blobs else f"{rows} with layers in {blobs}"

    @property
    def bucket_key(self) -> BucketKey:
        return BucketKey(self.s3_access_key_id, self.s3_secret_access_key)

    @property
    def scheme(self) -> str:
        return "https" if self.tls or self.tls_cert else "http"

    @property
    def audit_path(self) -> Path | None:
        """The file of the audit log; a relative path is in the data folder. None when it is switched off."""
        return None if self.audit_log == "none" else self.data / Path(self.audit_log).expanduser()

    @property
    def tls_names(self) -> list[str]:
        return _listed(self.tls_name)

    @property
    def trusted_proxies(self) -> list[str]:
        return _listed(self.trusted_proxy)

    def given_master_key(self) -> bytes | None:
        """The master key that was given; None leaves it to the data folder. Raises SettingWrong."""
        if self.master_key is not None:
            return _key_of("master_key", self.master_key)
        if self.master_key_file is None:
            return None
        try:
            return _key_of("master_key_file", self.master_key_file.read_text("ascii"))
        except (OSError, UnicodeDecodeError) as error:
            raise SettingWrong(f"master_key_file: {error}") from None

    @property
    def kms_keys(self) -> list[str]:
        return _listed(self.kms_key)

    @property
    def quotas(self) -> list[str]:
        return _listed(self.quota)

    @property
    def host(self) -> str:
        return self._listen_parts()[0]

    @property
    def port(self) -> int:
        return self._listen_parts()[1]

    @property
    def public_host(self) -> str:
        """How clients name the server: as told, else as clients on this machine do; docker trusts `localhost`."""
        here = "localhost" if self.host in {"127.0.0.1", "0.0.0.0", "[::1]", "[::]"} else self.host  # noqa: S104 - compared
        return f"{self.host_name or here}:{self.port}"

    @property
    def worker_count(self) -> int:
        """As set, else one for each processor that this process may use, up to 8."""
        return self.workers or min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1, 8)

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        """Where Prometheus may ask; None for nowhere."""
        return _host_and_port("metrics", self.metrics) if self.metrics else None

    def _listen_parts(self) -> tuple[str, int]:
        return _host_and_port("listen", self.listen)


def _host_and_port(name: str, text: str) -> tuple[str, int]:
    found = _LISTEN.fullmatch(text)
    if found is None or int(found["port"]) > 65535:
        raise SettingWrong(f"{name}: {text!r} is not HOST:PORT")
    return found["host"] or "0.0.0.0", int(found["port"])  # noqa: S104 - asked for by an empty host


def load(arguments: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Settings:
    """Put the settings together; members of `arguments` that are None were not given. Raises SettingWrong."""
    values: dict[str, Any] = {"data": _default_data(environment)}
    values |= _from_file(arguments.get("config") or environment.get("MOORAGE_CONFIG"))
    values |= {
        known.name: environment[f"MOORAGE_{known.name.upper()}"]
        for known in fields(Settings)
        if f"MOORAGE_{known.name.upper()}" in environment
    }
    values |= {name: value for name, value in arguments.items() if value is not None and name != "config"}
    settings = Settings(**{name: _converted(name, value) for name, value in values.items()})
    _check(settings)
    return settings


_OF_A_REGISTRY_ELSEWHERE = ("master_key", "master_key_file", "s3_access_key_id", "s3_secret_access_key", "failpoints")


def registry_at(place: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a registry that a command names: by its data folder, or by the configuration file of its servers.

    The environment may speak of another one: it is asked for nothing but secrets that the file leaves out. Raises
    SettingWrong.
    """
    if place.suffix == ".toml" and not place.is_file():
        raise SettingWrong(f"{place}: there is no such file")
    values = _from_file(str(place)) if place.is_file() else {"data": place}
    if "master_key" in values or "master_key_file" in values:
        values = {"master_key": None, "master_key_file": None, **values}
    wanted = [f"MOORAGE_{name.upper()}" for name in _OF_A_REGISTRY_ELSEWHERE if name not in values]
    heard = {name: environment[name] for name in ("HOME", "XDG_DATA_HOME", *wanted) if name in environment}
    return load(values, heard)


def share_counts(folder: str) -> None:
    """Let all processes of the server count in files of this folder, where prometheus_client looks for it."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder


def seconds_of(text: str) -> float:
    """The seconds of a duration like `90`, `30m`, `24h` or `7d`. Raises ValueError."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a duration like 90s, 30m, 24h or 7d")
    return float(found["number"]) * _SECONDS[found["unit"]]


def inherited() -> dict[str, str]:
    """The environment that this process was given, for a program that it hands over to."""
    return dict(os.environ)


def _check(settings: Settings) -> None:
    settings._listen_parts()
    if settings.metrics_address == settings._listen_parts():
        raise SettingWrong("metrics: an address of its own, not that of listen")
    _check_numbers(settings)
    if settings.traces and not settings.traces.startswith(("http://", "https://")):
        raise SettingWrong("traces: the URL of a collector of OpenTelemetry, as http://127.0.0.1:4318")
    _check_database(settings)
    if settings.server not in {"granian", "uvicorn"}:
        raise SettingWrong(f"server: {settings.server!r} is neither granian nor uvicorn")
    if re.fullmatch(r"[a-z0-9-]{2,25}", settings.region) is None:
        raise SettingWrong(f"region: {settings.region!r} is not a region")
    if not settings.audit_log:
        raise SettingWrong("audit_log: the path of a file, or none")
    _check_tls(settings)
    _check_lists(settings)
    if settings.master_key is not None and settings.master_key_file is not None:
        raise SettingWrong("master_key, master_key_file: choose one of the two")
    settings.given_master_key()
    _check_blobs(settings)


def _check_database(settings: Settings) -> None:
    if settings.database is not None and not settings.database.startswith(("postgresql://", "postgres://")):
        raise SettingWrong("database: postgresql://USER@HOST:PORT/NAME, or nothing for a file in the data folder")
    if settings.database_connections < 2:
        raise SettingWrong("database_connections: 2 or more, one of them to read and one to write")


def _check_lists(settings: Settings) -> None:
    parsers: dict[str, Callable[[list[str]], object]] = {
        "trusted_proxy": lambda networks: [ipaddress.ip_network(network) for network in networks],
        "kms_key": Keys,
        "quota": Quotas.parse,
    }
    for name, parse in parsers.items():
        try:
            parse(_listed(getattr(settings, name)))
        except ValueError as error:
            raise SettingWrong(f"{name}: {error}") from None


def _check_blobs(settings: Settings) -> None:
    try:
        bucket = settings.bucket
    except ValueError as error:
        raise SettingWrong(f"blobs: {error}") from None
    if bucket is not None and not (settings.s3_access_key_id and settings.s3_secret_access_key):
        raise SettingWrong(
            "blobs: set MOORAGE_S3_ACCESS_KEY_ID and MOORAGE_S3_SECRET_ACCESS_KEY to a key that opens the bucket"
        )


def _check_numbers(settings: Settings) -> None:
    if settings.workers < 0:
        raise SettingWrong("workers: the number of worker processes, or 0 for one a processor")
    if settings.lifecycle_delay < 0:
        raise SettingWrong("lifecycle_delay: seconds between a push and the run of lifecycle rules that it asks for")
    if not 0 <= settings.traces_share <= 1:
        raise SettingWrong("traces_share: the part of the requests to trace, from 0 to 1")


def _check_tls(settings: Settings) -> None:
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise SettingWrong("tls_cert, tls_key: a certificate and its key go together")
    if settings.tls_cert is not None and (settings.tls or settings.tls_name):
        raise SettingWrong(
            "tls, tls_name: make a certificate here; tls_cert and tls_key bring one: choose one of the two"
        )
    if settings.tls_name and not settings.tls:
        raise SettingWrong("tls_name: names of the certificate that tls makes: set tls, too")
    for name in settings.tls_names:
        if not _is_host(name.removeprefix("*.")):
            raise SettingWrong(f"tls_name: {name!r} is neither a host name nor an address")
    if settings.host_name is not None and not _is_host(settings.host_name):
        raise SettingWrong(f"host_name: {settings.host_name!r} is not a host name")


def _key_of(name: str, text: str) -> bytes:
    """The bytes of a key; a text that is none is not repeated, since it is a secret nearly right."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != _MASTER_KEY_BYTES:
        raise SettingWrong(f"{name}: not {_MASTER_KEY_BYTES} bytes in base64, as `openssl rand -base64 32` makes them")
    return key


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return _HOST_NAME.fullmatch(text) is not None
    return True


def _from_file(name: str | None) -> dict[str, Any]:
    if name is None:
        return {}
    try:
        values = tomllib.loads(Path(name).read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingWrong(f"config: {name}: {error}") from None
    unknown = values.keys() - {known.name for known in fields(Settings)}
    if unknown:
        raise SettingWrong(f"config: {name}: unknown settings {', '.join(sorted(unknown))}")
    return values


def _converted(name: str, value: Any) -> Any:
    """A setting's value from its text; values of a TOML file or the command line have their type already."""
    if name in {"data", "tls_cert", "tls_key", "master_key_file"}:
        return Path(value).expanduser()
    if name in _NUMBERS:
        try:
            return _NUMBERS[name](value)
        except ValueError:
            raise SettingWrong(f"{name}: {value!r} is not a number") from None
    if name in {"grace_period", "drain"}:
        try:
            return seconds_of(str(value))
        except ValueError as error:
            raise SettingWrong(f"{name}: {error}") from None
    if name in {"tls_name", "trusted_proxy", "kms_key", "quota"} and not isinstance(value, str):
        return ",".join(value)
    if name in {"access_log", "audit_reads", "blob_redirect", "sparse_manifests", "tls"} and isinstance(value, str):
        return value.lower() not in {"0", "false", "no", "off"}
    return value


def _listed(text: str) -> list[str]:
    """The parts of a setting that may have several, separated by commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _default_data(environment: Mapping[str, str]) -> Path:
    home = environment.get("XDG_DATA_HOME") or os.path.join(environment.get("HOME", "."), ".local", "share")  # noqa: PTH118
    return Path(home) / "moorage"
