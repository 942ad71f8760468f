"""Kinds of settings: how a text or a TOML value becomes the value of a setting.

A kind reads texts from the command line and from environment variables, and values of a TOML file, which may have their
type already. For anything else it raises ValueError. The message continues the name of the setting, as in "must be
HOST:PORT, not 'x'", and never repeats a secret.
"""

from __future__ import annotations

import base64
import enum
import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, NamedTuple, TypeVar

from moorage.domain.buckets import Bucket

T = TypeVar("T")

_ADDRESS: Final = re.compile(r"(?P<host>\[[0-9a-fA-F:]+\]|[^:\[\]]*):(?P<port>\d{1,5})")
_DURATION: Final = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,6})?)\s*(?P<unit>[smhd]?)", re.ASCII)
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_SIZE: Final = re.compile(r"(?P<number>\d{1,12})(?P<unit>[KMGT]?)(i?B)?", re.ASCII)
_SHIFTS: Final = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?", re.ASCII)
_HOST: Final = re.compile(
    r"(?P<name>[^:\[\]]+|\[(?P<address>[0-9a-fA-F]*:[0-9a-fA-F:.]+)\])(?::(?P<port>\d{1,5}))?", re.ASCII
)
_MASTER_KEY_BYTES: Final = 32
_OFF: Final = frozenset({"0", "false", "no", "off"})


class Form(enum.Enum):
    """The form of a setting's option on the command line."""

    VALUE = enum.auto()
    """`--name VALUE`"""
    REPEATED = enum.auto()
    """`--name VALUE --name VALUE`"""
    FLAG = enum.auto()
    """`--name / --no-name`"""
    ON_OFF = enum.auto()
    """`--name on|off`"""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """A type of values: how one is read, and how its option looks."""

    read: Callable[[Any], T]
    metavar: str = ""
    form: Form = Form.VALUE
    choices: tuple[str, ...] = ()


class Address(NamedTuple):
    """A host and a port to listen on. IPv6 addresses keep their brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Host(NamedTuple):
    """A host name or an address, without brackets, and a port if one is given."""

    name: str
    port: int | None = None

    def at(self, port: int) -> str:
        """`NAME:PORT` for URLs, with this port unless the host has its own."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return f"{name}:{self.port or port}"


def seconds_of(value: object) -> float:
    """The seconds of a duration such as `90`, `30m`, `24h` or `7d`. Raises ValueError."""
    found = _DURATION.fullmatch(str(value).strip())
    if found is None:
        raise ValueError(f"must be a duration such as 90s, 30m, 24h or 7d, not {value!r}")
    return float(found["number"]) * _SECONDS[found["unit"]]


def bytes_of(value: object) -> int:
    """The bytes of a size such as `4096`, `512K`, `256M` or `2G`. Raises ValueError."""
    found = _SIZE.fullmatch(str(value).strip())
    if found is None:
        raise ValueError(f"must be a size such as 512K, 256M or 2G, not {value!r}")
    return int(found["number"]) << _SHIFTS[found["unit"]]


def text(metavar: str) -> Kind[str]:
    """Any text."""
    return Kind(_text, metavar)


def path(metavar: str) -> Kind[Path]:
    """A path; `~` is the user's home folder."""
    return Kind(lambda value: Path(_text(value)).expanduser(), metavar)


def choice(*names: str) -> Kind[str]:
    """One of a few names."""

    def read(value: object) -> str:
        if value not in names:
            raise ValueError(f"must be {', '.join(names[:-1])} or {names[-1]}, not {value!r}")
        return str(value)

    return Kind(read, choices=names)


def whole(minimum: int) -> Kind[int]:
    """A whole number of at least `minimum`."""

    def read(value: object) -> int:
        try:
            number = int(str(value))
        except ValueError:
            number = minimum - 1
        if number < minimum:
            raise ValueError(f"must be a whole number, {minimum} or more, not {value!r}")
        return number

    return Kind(read, "NUMBER")


def matching(pattern: str, meaning: str, metavar: str, *, is_secret: bool = False) -> Kind[str]:
    """A text that matches a regular expression. A secret one is not repeated in messages."""
    compiled = re.compile(pattern)

    def read(value: object) -> str:
        given = _text(value)
        if compiled.fullmatch(given) is None:
            raise ValueError(f"must be {meaning}" + ("" if is_secret else f", not {given!r}"))
        return given

    return Kind(read, metavar)


def optional(kind: Kind[T]) -> Kind[T | None]:
    """A value of another kind, or an empty text for none."""
    return Kind(lambda value: None if value == "" else kind.read(value), kind.metavar, kind.form, kind.choices)


def several(parse: Callable[[list[str]], T], metavar: str) -> Kind[T]:
    """Several texts: separated by commas, in a TOML list, or each in an option of its own."""

    def read(value: object) -> T:
        parts = value if isinstance(value, list | tuple) else [value]
        try:
            return parse([item for part in parts for item in _items(_text(part))])
        except ValueError as error:
            raise ValueError(f"is invalid: {error}") from None

    return Kind(read, metavar, Form.REPEATED)


def host_names(names: Iterable[str]) -> tuple[str, ...]:
    """Host names and addresses; a name may begin with `*.`. Raises ValueError."""
    given = tuple(names)
    for name in given:
        if not _is_host(name.removeprefix("*.")):
            raise ValueError(f"{name!r} is neither a host name nor an address")
    return given


def networks(names: Iterable[str]) -> tuple[str, ...]:
    """Addresses and networks such as `10.0.0.0/8`. Raises ValueError."""
    given = tuple(names)
    for name in given:
        ipaddress.ip_network(name)
    return given


def _text(value: object) -> str:
    if not isinstance(value, str | Path):
        raise ValueError("must be text")  # noqa: TRY004 - kinds have one exception
    return str(value)


def _items(given: str) -> list[str]:
    return [item.strip() for item in given.split(",") if item.strip()]


def _switch(value: object) -> bool:
    return str(value).lower() not in _OFF


def _share(value: object) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = -1
    if not 0 <= number <= 1:
        raise ValueError(f"must be a number from 0 to 1, not {value!r}")
    return number


def _address(value: object) -> Address:
    found = _ADDRESS.fullmatch(_text(value))
    if found is None or int(found["port"]) > 65535:
        raise ValueError(f"must be HOST:PORT, not {value!r}")
    return Address(found["host"] or "0.0.0.0", int(found["port"]))  # noqa: S104 - an empty host means all addresses


def _host(value: object) -> Host:
    given = _text(value)
    if _is_host(given):  # Also an IPv6 address without brackets.
        return Host(given)
    found = _HOST.fullmatch(given)
    name = (found["address"] or found["name"]) if found else ""
    port = int(found["port"]) if found and found["port"] else None
    if not _is_host(name) or (port is not None and not 0 < port < 65_536):
        raise ValueError(f"must be a host name or an address, with or without a port, not {given!r}")
    return Host(name, port)


def _blob_store(value: object) -> str:
    given = _text(value)
    if given and not given.startswith("/"):
        try:
            Bucket.parse(given)
        except ValueError as error:
            raise ValueError(f"is invalid: {error}") from None
    return given


def _master_key(value: object) -> bytes:
    try:
        key = base64.b64decode(_text(value).strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != _MASTER_KEY_BYTES:
        raise ValueError(f"must be {_MASTER_KEY_BYTES} bytes in base64, as `openssl rand -base64 32` prints them")
    return key


def _is_host(given: str) -> bool:
    try:
        ipaddress.ip_address(given)
    except ValueError:
        return _HOST_NAME.fullmatch(given) is not None
    return True


ADDRESS: Final = Kind(_address, "HOST:PORT")
BLOB_STORE: Final = Kind(_blob_store, "URL")
"""A bucket, `s3://BUCKET/PREFIX?…`, or a folder by its absolute path; empty for the data folder."""
DURATION: Final = Kind(seconds_of, "TIME")
HOST: Final = Kind(_host, "NAME[:PORT]")
MASTER_KEY: Final = Kind(_master_key)
SIZE: Final = Kind(bytes_of, "BYTES")
SHARE: Final = Kind(_share, "0..1")
FLAG: Final = Kind(_switch, form=Form.FLAG)
"""True, unless the text is 0, false, no or off."""
ON_OFF: Final = Kind(_switch, "on|off", Form.ON_OFF)
