"""The progress of a run: how many measurements are done, and about how long the rest takes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping


class Progress:
    """Counts measurements, warm-ups included. `expected` is their number by workload.

    The rest of a workload is expected to take as long for each measurement as the finished ones, and a workload that
    has not begun as long as the average.
    """

    def __init__(self, expected: Mapping[str, int]) -> None:
        self._left = Counter(expected)
        self._done: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def measured(self, workload: str, seconds: float) -> None:
        """Count a measurement that took `seconds` with its preparation."""
        self._left[workload] -= 1
        self._done[workload] += 1
        self._seconds[workload] += seconds

    def seconds_left(self) -> float:
        """About how long the rest takes, after at least one measurement."""
        average = sum(self._seconds.values()) / self._done.total()
        return sum(
            left * (self._seconds[name] / self._done[name] if self._done[name] else average)
            for name, left in self._left.items()
        )

    def __str__(self) -> str:
        """`12 of 90, about 4 min left`."""
        done = self._done.total()
        of = f"{done} of {done + self._left.total()}"
        left = self.seconds_left()
        if left < 1:
            return of
        return f"{of}, about {f'{left:.0f} s' if left < 90 else f'{left / 60:.0f} min'} left"
