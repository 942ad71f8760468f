"""What Prometheus asks for: counts of requests, bytes and seconds, added up over all worker processes of a server.

Each worker counts in files that it shares with the main process (prometheus_client, "multiprocess mode"). That one
answers whoever scrapes, on an address of its own: nothing of it is to be had on the address of the registry. What the
database knows better (jobs, uploads) is read from it at each scrape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Must name the folder of the counts before this module is imported: the library looks then."""

Gauges = Mapping[str, Mapping[str, float]]
"""Figures of the database: by the name of the gauge, then by its label."""

GAUGES: Final[Mapping[str, tuple[str, str]]] = {
    "moorage_jobs_waiting": ("kind", "Jobs that wait or are being done."),
    "moorage_jobs_dead": ("kind", "Jobs that were given up."),
    "moorage_job_overdue_seconds": ("kind", "How long the job that is due longest has been due."),
    "moorage_events": ("state", "Events that wait for their receivers, and those that could not be delivered."),
    "moorage_uploads_open": ("state", "Uploads that were begun and neither completed nor cancelled."),
    "moorage_database_connections": ("state", "Connections of all nodes to PostgreSQL, by what they do."),
}
"""Label and description of each gauge."""

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_OPERATIONS: Final = 200
"""Operations that are told apart: of those of STS a caller may send any name, and each would be kept for ever."""


class MeteredBody(Protocol):
    received: int


class MeteredRequest(Protocol):
    """What is counted of a request."""

    @property
    def path(self) -> str: ...
    @property
    def body(self) -> MeteredBody: ...


class MeteredDetails(Protocol):
    """What is counted of the call that it was; `operation` is empty where none was recognised."""

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
        self._sent = Counter("moorage_sent_bytes", "Bytes of the bodies of answers.", ["door"], registry=registry)
        self._operations: set[str] = set()
        # Finding a child by its labels costs four times as much as counting.
        self._children = lru_cache(maxsize=4096)(self._look_up)

    def count(self, request: MeteredRequest, details: MeteredDetails, status: int, seconds: float, sent: int) -> None:
        """Note a request that was answered with `status` and a body of `sent` bytes."""
        children = self._children(_door(request.path), self._known(details.operation), status)
        children.requests.inc()
        children.seconds.observe(seconds)
        children.received.inc(request.body.received)
        children.sent.inc(sent)

    def _look_up(self, door: str, operation: str, status: int) -> _Children:
        return _Children(
            self._requests.labels(door, operation, str(status)),
            self._seconds.labels(door, operation),
            self._received.labels(door),
            self._sent.labels(door),
        )

    def _known(self, operation: str) -> str:
        if operation not in self._operations:
            if len(self._operations) >= _OPERATIONS:
                return "other"
            self._operations.add(operation)
        return operation


class DatabaseCollector(Collector):
    """Asks the database at each scrape."""

    def __init__(self, read: Callable[[], Gauges]) -> None:
        self._read = read

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The gauges, each with a value for every label that it has at present."""
        found = self._read()
        for name, (label, description) in GAUGES.items():
            family = GaugeMetricFamily(name, description, labels=[label])
            for value, figure in found.get(name, {}).items():
                family.add_metric([value], figure)
            yield family


def serve(host: str, port: int, folder: str, read: Callable[[], Gauges]) -> None:
    """Answer GET /metrics on an address of its own, in a thread of the main process. Raises OSError."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]  # theirs
    registry.register(DatabaseCollector(read))
    start_http_server(port, host, registry)


def _door(path: str) -> str:
    if path.startswith("/v2"):
        return "docker"
    if path == "/":
        return "api"
    return "download" if path.startswith("/layers/") else "other"
