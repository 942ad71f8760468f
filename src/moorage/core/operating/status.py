"""The status of a server: what its processes answered, its disks, and what is under way or waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from moorage.metadata.database import Transaction
from moorage.metadata.garbage import verification, verification_results
from moorage.metadata.garbage.verification_results import VerificationRun
from moorage.metadata.migration import records
from moorage.metadata.migration.records import MigrationRecord
from moorage.metadata.replication import progress

COUNTED: Final = 10_000
"""Rows of replications, and of events of a webhook, that are counted at most."""


class Minute(Protocol):
    """The numbers of a minute that began then, in seconds since 1970."""

    @property
    def began_at(self) -> int: ...

    @property
    def requests(self) -> int: ...

    @property
    def client_errors(self) -> int: ...

    @property
    def server_errors(self) -> int: ...


class Traffic(Protocol):
    """What all worker processes answered."""

    started_at: float

    def minutes(self) -> Sequence[Minute]: ...


class Ready(Protocol):
    """See `Readiness.is_ready`."""

    async def __call__(self, *, for_writing: bool) -> bool: ...


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What a server knows of itself. `disks` returns free bytes and reserves by content, and reads file systems."""

    version: str
    node: str
    traffic: Traffic
    disks: Callable[[], Mapping[str, Mapping[str, float]]]
    is_ready: Ready


@dataclass(frozen=True, slots=True)
class Background:
    """What is under way. `verified_to`: the last blob of a verification that was interrupted; 0 if none was."""

    migrations: list[MigrationRecord]
    verified_to: int
    last_verification: VerificationRun | None
    replications_waiting: int
    replications_failed: int


def background(tx: Transaction) -> Background:
    """The background work of all nodes, of which at most `COUNTED` replications are counted."""
    found = [records.find(tx, role) for role in (records.SOURCE, records.TARGET)]
    return Background(
        [record for record in found if record is not None],
        verification.position(tx),
        verification_results.last(tx),
        *progress.count_some(tx, COUNTED),
    )
