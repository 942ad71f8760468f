"""The time that a GET of a manifest takes: over many connections, and beside pushes.

A median hides what other callers do to a request, so these workloads take the 99th percentile.
"""

from __future__ import annotations

import resource
import statistics
import time

from moorage_bench.connections import Conversation, Outcome, drive, repeat
from moorage_bench.workloads.pushes import push_image
from moorage_bench.workloads.reads import manifest_by_tag, prepare_read
from moorage_bench.workloads.stages import Measurement, Stage

CONNECTIONS = 4
PUSHERS = 4
OTHER_FILES = 200
"""File descriptors of this process beside the connections."""


def many_connections(stage: Stage) -> Measurement:
    """GETs over a thousand connections. The measurement fails if a request or a connection fails."""
    count = stage.content.scale.connections
    _allow_files(count + OTHER_FILES)
    return _delay(stage, [], count)


def alone(stage: Stage) -> Measurement:
    """GETs over few connections, and nothing else."""
    return _delay(stage, [], CONNECTIONS)


def prepare_pushers(stage: Stage) -> None:
    """Create a repository for each pusher."""
    prepare_read(stage)
    for number in range(PUSHERS):
        stage.target.ensure_repository(_repository(number))


def beside_pushes(stage: Stage) -> Measurement:
    """The same beside clients that push small images."""
    return _delay(stage, [_push_until_end(stage, number) for number in range(PUSHERS)], CONNECTIONS)


def _delay(stage: Stage, others: list[Conversation], readers: int) -> Measurement:
    delays: list[float] = []
    request, seconds = manifest_by_tag(stage.target), stage.content.scale.seconds
    started = time.perf_counter()
    outcome = drive(stage.target.address, [*others, *(timed(repeat(request, seconds), delays) for _ in range(readers))])
    reads = Outcome(len(delays), time.perf_counter() - started, outcome.processor_seconds)
    return Measurement(percentile(delays, 99) * 1000, reads)


def timed(conversation: Conversation, delays: list[float]) -> Conversation:
    """The same conversation; the seconds that each response took are added to `delays`."""
    try:
        request = next(conversation)
        while True:
            sent = time.perf_counter()
            response = yield request
            delays.append(time.perf_counter() - sent)
            request = conversation.send(response)
    except StopIteration:
        return


def percentile(values: list[float], percent: int) -> float:
    """The value below which `percent` of the values are."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]


def _push_until_end(stage: Stage, number: int) -> Conversation:
    until = time.perf_counter() + stage.content.scale.seconds
    while time.perf_counter() < until:
        image = stage.content.image()
        yield from push_image(stage.target, _repository(number), image, image.digest[7:19])


def _repository(number: int) -> str:
    return f"bench/beside-{number}"


def _allow_files(count: int) -> None:
    """Raise the limit of open files of this process, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
