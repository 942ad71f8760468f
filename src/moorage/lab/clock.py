"""The clock of a lab: tests set it, advance it, or stop it."""

from __future__ import annotations

from typing import Final

from moorage.core.clock import system_clock
from moorage.domain.units import DAY

_LAST: Final = 253_402_300_799 * 1_000_000
"""The end of the year 9999: AWS's formats have no later time."""

_FIRST: Final = 365 * DAY


class ImpossibleTime(ValueError):
    """The time is before 1971 or after 9999."""


class LabClock:
    """Microseconds since the Unix epoch, at a distance from the machine's clock, or standing still."""

    def __init__(self, start: int | None) -> None:
        self._start = start
        self._offset = 0
        self._stopped_at: int | None = None
        self.reset()

    def __call__(self) -> int:
        return system_clock() + self._offset if self._stopped_at is None else self._stopped_at

    @property
    def is_stopped(self) -> bool:
        return self._stopped_at is not None

    def reset(self) -> None:
        """Go on from the time of the settings, or else from that of the machine."""
        self._stopped_at = None
        self._offset = 0 if self._start is None else self._start - system_clock()

    def set(self, time: int, *, stopped: bool) -> None:
        """Raises ImpossibleTime."""
        if not _FIRST <= time <= _LAST:
            raise ImpossibleTime("the time must be in the years from 1971 to 9999")
        self._offset = time - system_clock()
        self._stopped_at = time if stopped else None
