"""Metrics for Prometheus: requests, bytes and seconds, summed over all worker processes of a server.

Worker processes count in files that they share with the main process (prometheus_client, "multiprocess mode"). The main
process serves the metrics on an address of their own, which is never the address of the registry. Gauges of jobs,
events and uploads are read from the database at each scrape.

`config.sources.share_counts` names their folder before this module is imported, because the library reads it then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

Gauges = Mapping[str, Mapping[str, float]]
"""Values of gauges, by the name of the gauge and its label."""

GAUGES: Final[Mapping[str, tuple[str, str]]] = {
    "moorage_jobs_waiting": ("kind", "Jobs that wait or run."),
    "moorage_jobs_dead": ("kind", "Jobs that failed too often and are no longer retried."),
    "moorage_job_overdue_seconds": ("kind", "How long the oldest due job has been due."),
    "moorage_events": ("state", "Events that wait for delivery, and events that failed."),
    "moorage_uploads_open": ("state", "Uploads that were started and neither completed nor cancelled."),
    "moorage_disk_free_bytes": ("content", "Free bytes of the file system, including the reserve."),
    "moorage_disk_reserve_bytes": ("content", "Free bytes below which pushes are rejected."),
    "moorage_database_connections": ("state", "Connections of all nodes to PostgreSQL, by state."),
}
"""Label and description of each gauge."""

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_OPERATIONS: Final = 200
"""Operations with a label of their own. The STS endpoint accepts any name, and each would stay in memory."""


class MeteredBody(Protocol):
    received: int


class MeteredRequest(Protocol):
    """A request, as far as it is counted."""

    @property
    def path(self) -> str: ...
    @property
    def body(self) -> MeteredBody: ...


class MeteredDetails(Protocol):
    """The outcome of a request, as far as it is counted. `operation` is empty if none was recognized."""

    operation: str


class _Children(NamedTuple):
    requests: Counter
    seconds: Histogram
    received: Counter
    sent: Counter


class Meter:
    """Counts the requests of one worker process."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        labels = ["door", "operation"]
        self._requests = Counter("moorage_requests", "Requests answered.", [*labels, "status"], registry=registry)
        self._seconds = Histogram(
            "moorage_request_seconds", "Time to answer.", labels, buckets=_SECONDS, registry=registry
        )
        self._received = Counter("moorage_received_bytes", "Bytes of request bodies.", ["door"], registry=registry)
        self._sent = Counter("moorage_sent_bytes", "Bytes of response bodies.", ["door"], registry=registry)
        self._operations: set[str] = set()
        # Finding a child by its labels costs four times as much as counting.
        self._children = lru_cache(maxsize=4096)(self._look_up)

    def count(self, request: MeteredRequest, details: MeteredDetails, status: int, seconds: float, sent: int) -> None:
        """Count a request that was answered with `status` and a body of `sent` bytes after `seconds`."""
        children = self._children(_endpoint(request.path), self._known(details.operation), status)
        children.requests.inc()
        children.seconds.observe(seconds)
        children.received.inc(request.body.received)
        children.sent.inc(sent)

    def _look_up(self, endpoint: str, operation: str, status: int) -> _Children:
        return _Children(
            self._requests.labels(endpoint, operation, str(status)),
            self._seconds.labels(endpoint, operation),
            self._received.labels(endpoint),
            self._sent.labels(endpoint),
        )

    def _known(self, operation: str) -> str:
        if operation not in self._operations:
            if len(self._operations) >= _OPERATIONS:
                return "other"
            self._operations.add(operation)
        return operation


def worker_deaths() -> Counter:
    """The counter of worker processes that died and were replaced; the main process counts them."""
    return Counter("moorage_worker_deaths", "Worker processes that died.", registry=CollectorRegistry())


class DatabaseCollector(Collector):
    """Gauges that are read from the database at each scrape."""

    def __init__(self, read: Callable[[], Gauges]) -> None:
        self._read = read

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The gauges, with the labels that have a value now."""
        values = self._read()
        for name, (label, description) in GAUGES.items():
            family = GaugeMetricFamily(name, description, labels=[label])
            for label_value, value in values.get(name, {}).items():
                family.add_metric([label_value], value)
            yield family


def serve(host: str, port: int, folder: str, read: Callable[[], Gauges]) -> None:
    """Serve GET /metrics on an address of its own, in a thread of the main process. Raises OSError."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]  # the library has no types
    registry.register(DatabaseCollector(read))
    start_http_server(port, host, registry)


def _endpoint(path: str) -> str:
    if path.startswith("/v2"):
        return "docker"
    if path == "/":
        return "api"
    return "download" if path.startswith("/layers/") else "other"
