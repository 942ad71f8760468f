"""What a flood gets: the flooding caller, the time to start and to stop, and the answers that it counts."""

from __future__ import annotations

import multiprocessing
import multiprocessing.synchronize
import queue
import resource
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from moorage_bench.targets import Target

REPOSITORY = "bench/flood"

SOURCE = "127.0.0.2"
"""The address that floods come from. On Linux every address of 127.0.0.0/8 is the loopback interface. The honest
client uses 127.0.0.1, so a server can tell both apart by address, too."""

START_SECONDS = 300.0
STOP_SECONDS = 30.0

_spawn = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Site:
    """A flood calls `begin` when it has prepared what it needs, and ends when `stop` is set."""

    target: Target
    seconds: float
    scale: float
    ready: multiprocessing.synchronize.Event
    stop: multiprocessing.synchronize.Event
    counts: Counter[str] = field(default_factory=Counter)

    def begin(self) -> None:
        """The flood starts now."""
        self.ready.set()

    def scaled(self, count: int) -> int:
        """`count`, or fewer for short tests; at least one."""
        return max(1, round(count * self.scale))


class FloodFailed(Exception):
    """The flood could not be prepared."""


class RunningFlood:
    """A flood in a process of its own, so that it takes no time from the honest client's loop."""

    def __init__(self, run: Callable[[Site], None], target: Target, seconds: float, scale: float) -> None:
        self._ready, self._stop = _spawn.Event(), _spawn.Event()
        self._results: multiprocessing.Queue[Counter[str]] = _spawn.Queue()
        site = Site(target, seconds, scale, self._ready, self._stop)
        self._process = _spawn.Process(target=_flood, args=(run, site, self._results), daemon=True)
        self._process.start()

    def wait(self) -> None:
        """Wait until the flood has begun. Raises FloodFailed."""
        while not self._ready.wait(0.1):
            if self._process.exitcode is not None:
                raise FloodFailed(f"the flood ended with exit code {self._process.exitcode} before it began")

    def end(self) -> dict[str, int]:
        """Stop the flood. Returns the answers that it got, by status."""
        self._stop.set()
        try:
            counts = self._results.get(timeout=STOP_SECONDS)
        except queue.Empty:
            counts = Counter({"no result": 1})
        self._process.join(STOP_SECONDS)
        self._process.kill()
        return dict(sorted(counts.items()))


def _flood(run: Callable[[Site], None], site: Site, results: multiprocessing.Queue[Counter[str]]) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    run(site)
    results.put(site.counts)
