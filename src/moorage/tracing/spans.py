"""The source of spans and their way to a collector: over OTLP/HTTP, in a thread that no request waits for."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from moorage import __version__
from moorage.bounds import TEXT_LIMIT
from moorage.domain.ports import BlobStore
from moorage.http.application import Application, RequestMeter
from moorage.metadata.database import Database
from moorage.telemetry import Log
from moorage.tracing.blobs import TracedBlobStore
from moorage.tracing.database import TracedDatabase
from moorage.tracing.requests import RequestSpans, TracedApplication

_EXPORT_SECONDS: Final = 5.0
"""Time-out of an export. Spans that the collector has not accepted by then are dropped; a stop waits no longer."""


class Tracing:
    """The spans of one worker process.

    `url` is the address of the collector, without `/v1/traces`. `share` (0 to 1) of the requests is traced; a request
    that joins a trace of its caller follows the caller's choice. The SDK's own environment variables apply, such as
    OTEL_EXPORTER_OTLP_HEADERS.
    """

    def __init__(self, url: str, share: float, log: Log) -> None:
        resource = Resource.create({"service.name": "moorage", "service.version": __version__})
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(share)),
            resource=resource,
            shutdown_on_exit=False,
            span_limits=SpanLimits(max_attribute_length=TEXT_LIMIT),
        )
        exporter = OTLPSpanExporter(f"{url.rstrip('/')}/v1/traces", timeout=_EXPORT_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("moorage", __version__)
        _send_warnings_to(log)

    def application(self, application: Application) -> TracedApplication:
        """The application to serve. `requests` must be one of its meters."""
        return TracedApplication(application, self._tracer)

    def requests(self) -> RequestMeter:
        return RequestSpans()

    def database(self, database: Database) -> Database:
        return TracedDatabase(database, self._tracer)

    def blobs(self, blobs: BlobStore) -> BlobStore:
        return TracedBlobStore(blobs, self._tracer)

    async def close(self) -> None:
        """Send the spans that wait."""
        await asyncio.to_thread(self._provider.shutdown)


class _LogHandler(logging.Handler):
    """Writes the library's warnings to the log, for example that a collector does not answer."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.event("traces", message=record.getMessage())


def _send_warnings_to(log: Log) -> None:
    library = logging.getLogger("opentelemetry")
    library.handlers = [_LogHandler(log)]
    library.propagate = False
