"""How many requests of a share are in progress beside others: few while the process is busy, more while it waits."""

from __future__ import annotations

from moorage.http.shares.concurrency import LEAST_AT_ONCE, LONG_ROUND, MOST_AT_ONCE, WINDOW, Concurrency


class Clocks:
    """The time, and the time of the processor."""

    def __init__(self) -> None:
        self.now = self.used = 0.0
        self.concurrency = Concurrency(lambda: self.now, lambda: self.used)

    def round(self, seconds: float, used: float = 0.0) -> int:
        """The limit after a round of the event loop that took so long."""
        self.concurrency.round_begins()
        self.now += seconds
        self.used += used
        self.concurrency.round_ends()
        return self.concurrency.limit

    def wait(self) -> None:
        """Wait until the window is over."""
        self.now += 1.5 * WINDOW


def grown() -> Clocks:
    clocks = Clocks()
    for _ in range(MOST_AT_ONCE):
        clocks.wait()
        clocks.round(0)
    return clocks


def test_few_requests_are_in_progress_at_first() -> None:
    assert Clocks().concurrency.limit == LEAST_AT_ONCE


def test_the_limit_grows_by_one_in_each_window_in_which_the_process_waits() -> None:
    clocks = Clocks()
    for more in range(1, 4):
        clocks.wait()
        assert clocks.round(0) == LEAST_AT_ONCE + more
        assert clocks.round(0) == LEAST_AT_ONCE + more


def test_the_limit_does_not_grow_without_end() -> None:
    assert grown().concurrency.limit == MOST_AT_ONCE


def test_the_limit_is_low_after_a_long_round() -> None:
    assert grown().round(2 * LONG_ROUND) == LEAST_AT_ONCE


def test_the_limit_is_low_while_threads_use_the_processor_although_rounds_are_short() -> None:
    clocks = grown()
    clocks.wait()

    assert clocks.round(0, used=WINDOW) == LEAST_AT_ONCE
