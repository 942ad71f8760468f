"""Which server of a PostgreSQL URL a connection uses: one that accepts changes, else for reads any one for a moment.

Reads go on while no server accepts changes: during a failover, or while an administrator or a full disk forbids them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from moorage.metadata.database import DatabaseUnusable

_PARAMETERS: Final[Mapping[str, Any]] = {
    "application_name": "moorage",
    "client_encoding": "UTF8",
    "connect_timeout": 5,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    # After a failover, do not stay connected to a server that has become a standby.
    "target_session_attrs": "read-write",
}
"""Defaults that the URL can override: libpq, "Parameter Key Words"."""

_READ_ONLY_SECONDS: Final = 2.0


class Chosen(NamedTuple):
    """Where to connect, and until when (monotonic seconds) to stay: a server without changes may lag behind."""

    address: str
    until: float


def address_of(url: str) -> str:
    """The connection string for a URL. Raises DatabaseUnusable."""
    try:
        return make_conninfo("", **{**_PARAMETERS, **conninfo_to_dict(url)})
    except psycopg.ProgrammingError as error:
        raise DatabaseUnusable(f"database: {error}".strip()) from None


def for_reads_after(error: Exception, address: str) -> Chosen | None:
    """Where reads go if `address` failed only because no server there accepts changes, else None."""
    # libpq has no code for this refusal, and asks for one kind of server at a time.
    if not (isinstance(error, psycopg.OperationalError) and "session is read-only" in str(error)):
        return None
    return Chosen(make_conninfo(address, target_session_attrs="any"), time.monotonic() + _READ_ONLY_SECONDS)
