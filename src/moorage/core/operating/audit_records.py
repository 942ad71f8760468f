"""Searches in the audit log of this node. A search reads a bounded part of it, from the newest record backwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from moorage.domain.units import SECOND, iso_time

_READ_AT_ONCE: Final = 4 << 20
"""Bytes that one search reads: about 5,000 records."""

_SLACK: Final = 60 * SECOND
"""How much earlier than its successor a record may be: worker processes write to one file."""

Position = tuple[int, int]


class LinesBackwards(Protocol):
    """The lines of the log before a position, the last first, each with its own position. Raises OSError."""

    def __call__(self, after: Position | None) -> Iterator[tuple[bytes, Position]]: ...


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records: times in microseconds, and None for any. `account` is the one that a record is about."""

    account: str | None = None
    start: int | None = None
    end: int | None = None
    event_name: str | None = None
    principal: str | None = None
    errors_only: bool = False

    def matches(self, record: dict[str, Any]) -> bool:
        time, identity = record.get("eventTime", ""), record.get("userIdentity", {})
        return (
            self.account in (None, record.get("recipientAccountId"))
            and (self.start is None or time >= iso_time(self.start))
            and (self.end is None or time <= iso_time(self.end))
            and self.event_name in (None, record.get("eventName"))
            and self.principal in (None, *(identity.get(name) for name in ("arn", "userName", "accessKeyId")))
            and not (self.errors_only and "errorCode" not in record and "errorMessage" not in record)
        )

    def is_before(self, record: dict[str, Any]) -> bool:
        """Whether no earlier record can match."""
        return self.start is not None and str(record.get("eventTime", "")) < iso_time(max(self.start - _SLACK, 0))


@dataclass(frozen=True, slots=True)
class FoundRecords:
    """Records, the newest first; `end` is where to continue, and `oldest` the time of the last record that was read."""

    records: list[dict[str, Any]]
    end: Position | None
    oldest: str | None


class AuditRecords:
    """Searches the log whose lines a function returns."""

    def __init__(self, lines: LinesBackwards) -> None:
        self._lines = lines

    async def search(self, selection: Selection, after: Position | None, limit: int) -> FoundRecords:
        """At most `limit` records. There may be more even if none is found. Raises OSError."""
        return await asyncio.to_thread(self._search, selection, after, limit)

    def _search(self, selection: Selection, after: Position | None, limit: int) -> FoundRecords:
        found: list[dict[str, Any]] = []
        read, oldest = 0, None
        for line, position in self._lines(after):
            record = _decoded(line)
            read += len(line)
            if record is not None:
                oldest = record.get("eventTime", oldest)
                if selection.is_before(record):
                    break
                if selection.matches(record):
                    found.append(record)
            if len(found) == limit or read >= _READ_AT_ONCE:
                return FoundRecords(found, position, oldest)
        return FoundRecords(found, None, oldest)


def _decoded(line: bytes) -> dict[str, Any] | None:
    """The record of a line; None for a line that is being written, or was interrupted."""
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.MsgspecError:
        return None
