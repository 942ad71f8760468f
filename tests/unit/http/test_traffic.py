"""The requests of the last hour, counted by several processes."""

from __future__ import annotations

from typing import Any, cast

from moorage.http.shares.traffic import Traffic

NOTHING = cast("Any", None)


def count(traffic: Traffic, *statuses: int) -> None:
    for status in statuses:
        traffic.count(NOTHING, NOTHING, status, 0.1, 7)


class Clock:
    """A clock and a process id that a test sets."""

    def __init__(self) -> None:
        self.now, self.process = 1_800_000_000.0, 1000
        self.traffic = Traffic(lambda: self.now, lambda: self.process)


def test_processes_count_into_one_sum() -> None:
    clock = Clock()
    for process in (1000, 1001):
        clock.process = process
        count(clock.traffic, 200, 404, 500)

    assert clock.traffic.minutes() == [(clock.now // 60 * 60, 6, 2, 2)]


def test_minutes_are_those_of_the_last_hour() -> None:
    clock = Clock()
    traffic = clock.traffic
    count(traffic, 200)
    clock.now += 60
    count(traffic, 200, 200)
    assert [minute.requests for minute in traffic.minutes()] == [1, 2]

    clock.now += 59 * 60
    count(traffic, 503)
    minutes = traffic.minutes()
    assert [minute.requests for minute in minutes] == [2, *[0] * 58, 1]
    assert (minutes[0].began_at, minutes[-1].server_errors) == (clock.now - 59 * 60, 1)
