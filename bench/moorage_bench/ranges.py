"""Pulls in pieces, as lazy-pulling clients do (stargz, SOCI, containerd's parallel mode): ranges of one large layer."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator

from moorage_bench.connections import Conversation, Request, drive
from moorage_bench.content import MIB
from moorage_bench.stages import Measurement, Stage, bytes_a_second

LARGE = "bench/large"
CONNECTIONS = 8
PIECE = 8 * MIB
"""Bytes of a range when a whole layer is fetched on several connections."""

PEEK = MIB
"""Bytes of a range when somebody waits for its first byte."""

PEEKS = 200


def pull_by_ranges(stage: Stage) -> Measurement:
    """The large layer on eight connections, each of which takes the next range of 8 MiB."""
    size = stage.content.large.size
    pile = iter([(start, min(start + PIECE, size) - 1) for start in range(0, size, PIECE)])
    outcome = drive(stage.target.address, [_take_all(stage, pile) for _ in range(CONNECTIONS)])
    return bytes_a_second(size, outcome)


def first_byte(stage: Stage) -> Measurement:
    """The median time from a request for 1 MiB somewhere in the large layer to its first byte, eight at once."""
    size, found = stage.content.large.size, list[float]()
    # A step that has no divisor in common with the size: every range is another one, and none follows the one before.
    starts = (number * 7_368_787 % max(size - PEEK, 1) for number in itertools.count())
    pile = iter([(start, min(start + PEEK, size) - 1) for start in itertools.islice(starts, PEEKS)])
    outcome = drive(stage.target.address, [_time_all(stage, pile, found) for _ in range(CONNECTIONS)])
    return Measurement(statistics.median(found) * 1000, outcome)


def _take_all(stage: Stage, pile: Iterator[tuple[int, int]]) -> Conversation:
    for first, last in pile:
        yield Request(_head(stage, first, last), (206,), sink=len)


def _time_all(stage: Stage, pile: Iterator[tuple[int, int]], found: list[float]) -> Conversation:
    for first, last in pile:
        arrived: list[float] = []

        def note(_: memoryview, arrived: list[float] = arrived) -> None:
            if not arrived:
                arrived.append(time.perf_counter())

        asked = time.perf_counter()
        yield Request(_head(stage, first, last), (206,), sink=note)
        found.append(arrived[0] - asked)


def _head(stage: Stage, first: int, last: int) -> bytes:
    path = f"/v2/{LARGE}/blobs/{stage.content.large.digest}"
    return stage.target.request("GET", path, headers=f"Range: bytes={first}-{last}\r\n").head
