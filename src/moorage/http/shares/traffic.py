"""The requests and errors of the last hour by minute, over all worker processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from multiprocessing.sharedctypes import RawArray
from typing import Final, NamedTuple

from moorage.http.messages import CallDetails, Request

_MINUTES: Final = 60
_ROWS: Final = 64
"""Worker processes have a row each. Two that share one, because there are more, may lose a count now and then."""

_MINUTE, _REQUESTS, _CLIENT_ERRORS, _SERVER_ERRORS, _VALUES = range(5)
"""Positions in a cell, and their number."""


class TrafficMinute(NamedTuple):
    """What was answered in the minute that began then (seconds since 1970); errors by the class of their status."""

    began_at: int
    requests: int
    client_errors: int
    server_errors: int


class Traffic:
    """A `RequestMeter` in memory that all worker processes share. Create it before them."""

    def __init__(self, now: Callable[[], float] = time.time, process: Callable[[], int] = os.getpid) -> None:
        self._now, self._process = now, process
        self.started_at = now()
        self._counts = RawArray("Q", _ROWS * _MINUTES * _VALUES)

    def count(self, _request: Request, _details: CallDetails, status: int, _seconds: float, _sent: int) -> None:
        """See `RequestMeter`."""
        minute = int(self._now()) // 60
        counts, cell = self._counts, (self._process() % _ROWS * _MINUTES + minute % _MINUTES) * _VALUES
        if counts[cell] != minute:
            counts[cell : cell + _VALUES] = (minute, 0, 0, 0)  # The row is about the same minute an hour before.
        counts[cell + _REQUESTS] += 1
        if status >= 400:
            counts[cell + (_SERVER_ERRORS if status >= 500 else _CLIENT_ERRORS)] += 1

    def minutes(self) -> list[TrafficMinute]:
        """The last 60 minutes since the start, the oldest first. The last one has not ended."""
        last = int(self._now()) // 60
        first = max(last - _MINUTES + 1, int(self.started_at) // 60)
        return [self._sum(minute) for minute in range(first, last + 1)]

    def _sum(self, minute: int) -> TrafficMinute:
        totals = [0, 0, 0]
        for row in range(_ROWS):
            cell = (row * _MINUTES + minute % _MINUTES) * _VALUES
            found = self._counts[cell : cell + _VALUES]
            if found[_MINUTE] == minute:
                totals = [total + value for total, value in zip(totals, found[1:], strict=True)]
        return TrafficMinute(minute * 60, *totals)
