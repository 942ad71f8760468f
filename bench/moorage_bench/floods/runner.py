"""Run floods one after the other, and compare the honest client's rate with its rate before and after each flood."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import msgspec

from moorage_bench.connections import BenchmarkError, exchange
from moorage_bench.floods.honest import HonestClient, Work
from moorage_bench.floods.kinds import Flood
from moorage_bench.floods.site import REPOSITORY, RunningFlood
from moorage_bench.memory import MemorySampler
from moorage_bench.targets import Target

MEMORY_LIMIT = 600_000_000
"""Bytes of memory that all processes of a server may take in any flood."""

SAMPLE_SECONDS = 0.5
SETTLE_SECONDS = 1.0
ANSWERS_AFTER_RECOVERY = 8
RECOVERY_SECONDS = 300.0


class Result(msgspec.Struct, frozen=True):
    """What one flood did.

    Rates are responses a second; `recovery` is the time, in seconds, until the
    server answers as before; `answers` are those that the flood got, by status.
    """

    flood: str
    alone: float
    flooded: float
    least_share: float
    longest: float
    memory: int
    recovery: float
    failures: list[str]
    answers: dict[str, int]

    @property
    def share(self) -> float:
        """The part of its rate that the honest client kept."""
        return self.flooded / self.alone if self.alone else 0.0

    @property
    def problems(self) -> list[str]:
        """Which of the three bounds were missed."""
        found = []
        if self.memory > MEMORY_LIMIT:
            found.append("memory")
        if self.share < self.least_share:
            found.append("share")
        if self.failures:
            found.append("failures")
        return found


class Runner:
    """The honest client and the flooding caller at one server."""

    def __init__(self, honest: Target, flooder: Target, log: Callable[[str], None]) -> None:
        self._honest, self._flooder, self._log = honest, flooder, log
        self._client = HonestClient(honest)

    def run(self, floods: Sequence[Flood], seconds: float, scale: float = 1.0) -> list[Result]:
        """Run each flood for `seconds`. Raises BenchmarkError, FloodFailed."""
        self._honest.log_in()
        self._flooder.log_in()
        self._honest.ensure_repository(REPOSITORY)
        self._client.prepare()
        results = []
        alone = self._work(seconds, MemorySampler([]))
        for flood in floods:
            memory = MemorySampler(self._honest.processes())
            running = RunningFlood(flood.run, self._flooder, seconds, scale)
            try:
                running.wait()
                time.sleep(SETTLE_SECONDS)
                flooded = self._work(seconds, memory)
            finally:
                answers = running.end()
            recovery = self._recovery()
            after = self._work(seconds, MemorySampler([]))
            rate = statistics.mean([alone.rate, after.rate])
            result = Result(
                flood.name,
                rate,
                flooded.rate,
                flood.least_share,
                flooded.longest,
                memory.peak,
                recovery,
                flooded.failures,
                answers,
            )
            self._log(line_of(result))
            results.append(result)
            alone = after
        return results

    def _recovery(self) -> float:
        """Wait until a few requests in a row are answered. Raises BenchmarkError if that takes too long."""
        started = time.monotonic()
        in_a_row = 0
        while in_a_row < ANSWERS_AFTER_RECOVERY:
            try:
                exchange(self._honest.address, self._honest.request("GET", "/v2/"))
                in_a_row += 1
            except BenchmarkError:
                in_a_row = 0
                if time.monotonic() - started > RECOVERY_SECONDS:
                    raise
                time.sleep(SETTLE_SECONDS)
        return time.monotonic() - started

    def _work(self, seconds: float, memory: MemorySampler) -> Work:
        last = 0.0

        def sample() -> None:
            nonlocal last
            if time.monotonic() - last > SAMPLE_SECONDS:
                memory.sample()
                last = time.monotonic()

        return self._client.work(seconds, sample)


HEAD = "flood                alone  flooded   share  longest    memory  recovery  failed  result"


def line_of(result: Result) -> str:
    """One line of the table: responses a second, seconds, and megabytes."""
    outcome = "pass" if not result.problems else f"fail: {', '.join(result.problems)}"
    rates = f"{result.alone:9.0f}{result.flooded:9.0f}{result.share:8.0%}{result.longest:8.1f}s"
    costs = f"{result.memory / 1e6:7.0f} MB{result.recovery:9.1f}s{len(result.failures):8}"
    answers = ", ".join(f"{count} {status}" for status, count in result.answers.items())
    return f"{result.flood:17}{rates}{costs}  {outcome} ({answers})"
