"""Settings of lab mode, in which tests control the server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from moorage.config.kinds import FLAG, Kind, matching, optional, path
from moorage.config.scanner import ScannerSettings
from moorage.config.table import setting
from moorage.domain.units import SECOND

_OF_RUNS: Final = ("serve", "run")


def moment_of(value: object) -> int:
    """The microseconds since 1970 of a time such as 2030-01-31T12:00:00Z. Raises ValueError."""
    try:
        given = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return int((given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp()) * SECOND
    except (ValueError, OverflowError):
        raise ValueError(f"must be a time such as 2030-01-31T12:00:00Z, not {value!r}") from None


@dataclass(frozen=True, slots=True)
class LabSettings(ScannerSettings):
    """The settings of lab mode and of the scanner, which `Settings` has beside its own."""

    lab: bool = setting(
        FLAG,
        "no",
        "Let tests control this server: reset, snapshots, time, faults. Never for images that you need.",
        "See [testing.md](testing.md#lab-mode).",
    )
    lab_anywhere: bool = setting(
        FLAG, "no", "Allow lab mode on an address that other machines can reach. Each of them can erase the registry."
    )
    any_key: bool = setting(
        FLAG,
        "no",
        "In lab mode, accept API calls with any access key as those of the root user.",
        "Only on the loopback ([testing.md](testing.md#any-access-key)).",
    )
    rates: str = setting(
        matching(r"(aws)?", "aws, or not set at all", "aws"),
        "",
        "In lab mode, throttle as Amazon ECR does, with its published rates.",
        "See [testing.md](testing.md#rates).",
        commands=_OF_RUNS,
    )
    ecr_quirks: bool = setting(
        FLAG,
        "no",
        "In lab mode, answer Docker clients as Amazon ECR does where it deviates from the OCI specification.",
        "See [testing.md](testing.md#ecrs-quirks).",
        commands=_OF_RUNS,
    )
    time: int | None = setting(
        optional(Kind(moment_of, "TIME")),
        "",
        "In lab mode, start at this time, for example 2030-01-31T12:00:00Z.",
        "The clock goes on from there ([testing.md](testing.md#time)).",
        commands=_OF_RUNS,
    )
    seed: Path | None = setting(
        path("FILE"),
        None,
        "In lab mode, make the registry match this file before serving: a declaration with images and access keys.",
        "See [testing.md](testing.md#seeds).",
        commands=_OF_RUNS,
    )
