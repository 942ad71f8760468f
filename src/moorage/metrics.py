"""Metrics for Prometheus: requests, bytes and seconds, summed over all worker processes of a server.

Worker processes count in files that they share with the main process (prometheus_client, "multiprocess mode"). The main
process serves the metrics on an address of their own, which is never the address of the registry. Gauges of jobs,
events and uploads are read from the database at each scrape.

`config.sources.share_counts` names their folder before this module is imported, because the library reads it then.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final, NamedTuple, Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from moorage.bounds import bounded_cache

Gauges = Mapping[str, Mapping[str, float]]
"""Values of gauges, by the name of the gauge and its label."""

GAUGES: Final[Mapping[str, tuple[str, str]]] = {
    "moorage_jobs_waiting": ("kind", "Jobs that wait or run."),
    "moorage_jobs_failing": ("kind", "Jobs whose last attempt failed, and that will be attempted again."),
    "moorage_jobs_dead": ("kind", "Jobs that failed too often and are no longer retried."),
    "moorage_job_overdue_seconds": ("kind", "How long the oldest due job has been due."),
    "moorage_events": ("state", "Events that wait for delivery, and events that failed."),
    "moorage_replication_waiting": ("destination", "Images and tags that wait for a destination of replication."),
    "moorage_replication_failed": ("destination", "Images and tags that could not be replicated to a destination."),
    "moorage_replication_lag_seconds": ("destination", "How long the oldest one has waited for a destination."),
    "moorage_uploads_open": ("state", "Uploads that were started and neither completed nor cancelled."),
    "moorage_stored_bytes": ("content", "Bytes of layers and of uploads that are not complete."),
    "moorage_scans": ("state", "Scans of images that wait or run, and images whose last scan failed."),
    "moorage_scanner_usable": ("scanner", "Whether Grype and its vulnerability database can be used: 1 or 0."),
    "moorage_scanner_database_timestamp_seconds": ("scanner", "How old the vulnerability database is, in Unix time."),
    "moorage_disk_free_bytes": ("content", "Free bytes of the file system, including the reserve."),
    "moorage_disk_reserve_bytes": ("content", "Free bytes below which pushes are rejected."),
    "moorage_audit_bytes": ("file", "Bytes of the current file of the audit log, and of all rotated ones."),
    "moorage_certificate_expiry_timestamp_seconds": ("name", "When the server's certificate expires, in Unix time."),
    "moorage_database_connections": ("state", "Connections of all nodes to PostgreSQL, by state."),
}
"""Label and description of each gauge."""

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_ATTEMPTS: Final = 20
_ATTEMPT_SECONDS: Final = 0.01
_UPSTREAMS: Final = 100
"""Upstream registries with a label of their own. Rules can name any number of registries at AWS and Azure."""

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
        self._fetches = Counter(
            "moorage_pull_through_fetches",
            "Requests to upstream registries for the pull-through cache.",
            ["upstream", "content", "result"],
            registry=registry,
        )
        self._hits = Counter(
            "moorage_pull_through_hits", "Pulls of cached tags without such a request.", registry=registry
        )
        self._operations: set[str] = set()
        self._upstreams: set[str] = set()
        # Finding a child by its labels costs four times as much as counting.
        self._children = bounded_cache(entries=4096, size=1 << 20)(self._look_up)

    def count(self, request: MeteredRequest, details: MeteredDetails, status: int, seconds: float, sent: int) -> None:
        """Count a request that was answered with `status` and a body of `sent` bytes after `seconds`."""
        children = self._children(
            _endpoint(request.path), _known(details.operation, self._operations, _OPERATIONS), status
        )
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

    def count_fetch(self, upstream: str, content: str, result: str) -> None:
        """Count a request to an upstream registry."""
        self._fetches.labels(_known(upstream, self._upstreams, _UPSTREAMS), content, result).inc()

    def count_hit(self) -> None:
        """Count a pull of a cached tag without a request to its upstream registry."""
        self._hits.inc()


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


class CountsCollector(Collector):
    """The counts of all worker processes, from their files."""

    def __init__(self, folder: str) -> None:
        self._files = MultiProcessCollector(None, path=folder)  # type: ignore[no-untyped-call]  # the library has no types

    def collect(self) -> Iterable[Metric]:
        """The sums. A worker process that starts creates its file empty and extends it, so an empty file is read again.

        Raises struct.error if a file stays empty.
        """
        for _ in range(_ATTEMPTS):
            with suppress(struct.error):
                return self._collected()
            time.sleep(_ATTEMPT_SECONDS)
        return self._collected()

    def _collected(self) -> list[Metric]:
        return list(self._files.collect())  # type: ignore[no-untyped-call]  # the library has no types


def serve(host: str, port: int, folder: str, read: Callable[[], Gauges]) -> None:
    """Serve GET /metrics on an address of its own, in a thread of the main process. Raises OSError."""
    registry = CollectorRegistry()
    registry.register(CountsCollector(folder))
    registry.register(DatabaseCollector(read))
    start_http_server(port, host, registry)


def _known(label: str, known: set[str], most: int) -> str:
    """The label if it is one of the first ones; otherwise `other`."""
    if label not in known:
        if len(known) >= most:
            return "other"
        known.add(label)
    return label


def _endpoint(path: str) -> str:
    if path.startswith("/v2"):
        return "docker"
    if path == "/":
        return "api"
    return "download" if path.startswith("/layers/") else "other"
