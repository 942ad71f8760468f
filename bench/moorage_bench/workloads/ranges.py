"""Pulls of ranges of one large layer, as lazy-pulling clients send them (stargz, SOCI, containerd in parallel mode)."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator

from moorage_bench.connections import Conversation, Request, drive
from moorage_bench.content import MIB
from moorage_bench.workloads.stages import Measurement, Stage, bytes_a_second

LARGE = "bench/large"
CONNECTIONS = 8
PIECE = 8 * MIB
"""Bytes of a range when several connections fetch a whole layer."""

PEEK = MIB
"""Bytes of a range when a client waits for its first byte."""

PEEKS = 200


def pull_by_ranges(stage: Stage) -> Measurement:
    """Pull the large layer on eight connections; each takes the next range of 8 MiB."""
    size = stage.content.large.size
    ranges = iter([(start, min(start + PIECE, size) - 1) for start in range(0, size, PIECE)])
    outcome = drive(stage.target.address, [_pull_all(stage, ranges) for _ in range(CONNECTIONS)])
    return bytes_a_second(size, outcome)


def first_byte(stage: Stage) -> Measurement:
    """Request ranges of 1 MiB all over the large layer, eight at once: the median time to the first byte."""
    size, delays = stage.content.large.size, list[float]()
    # The step and the size have no common divisor, so all ranges differ and none follows the previous one.
    starts = (number * 7_368_787 % max(size - PEEK, 1) for number in itertools.count())
    ranges = iter([(start, min(start + PEEK, size) - 1) for start in itertools.islice(starts, PEEKS)])
    outcome = drive(stage.target.address, [_time_all(stage, ranges, delays) for _ in range(CONNECTIONS)])
    return Measurement(statistics.median(delays) * 1000, outcome)


def _pull_all(stage: Stage, ranges: Iterator[tuple[int, int]]) -> Conversation:
    for first, last in ranges:
        yield Request(_head(stage, first, last), (206,), sink=len)


def _time_all(stage: Stage, ranges: Iterator[tuple[int, int]], delays: list[float]) -> Conversation:
    for first, last in ranges:
        arrived: list[float] = []

        def note(_: memoryview, arrived: list[float] = arrived) -> None:
            if not arrived:
                arrived.append(time.perf_counter())

        sent = time.perf_counter()
        yield Request(_head(stage, first, last), (206,), sink=note)
        delays.append(arrived[0] - sent)


def _head(stage: Stage, first: int, last: int) -> bytes:
    path = f"/v2/{LARGE}/blobs/{stage.content.large.digest}"
    return stage.target.request("GET", path, headers=f"Range: bytes={first}-{last}\r\n").head
