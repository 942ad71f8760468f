"""A span for each request. It joins the trace of the caller, if there is one (W3C Trace Context)."""

from __future__ import annotations

from typing import Final

from opentelemetry.trace import SpanKind, StatusCode, Tracer, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from moorage.http.application import Application
from moorage.http.bodies import RequestBody
from moorage.http.messages import CallDetails, Request, RequestHead, Send

_HEALTH: Final = frozenset({"/healthz", "/readyz"})
_CONTEXT_HEADERS: Final = frozenset({b"traceparent", b"tracestate"})
_FAULT: Final = 500
_propagator = TraceContextTextMapPropagator()


class TracedApplication:
    """The application with a span around each request. `RequestSpans` adds the outcome."""

    def __init__(self, application: Application, tracer: Tracer) -> None:
        self._application = application
        self._tracer = tracer

    def start(self) -> None:
        self._application.start()

    async def stop(self) -> None:
        await self._application.stop()

    async def serve(self, head: RequestHead, body: RequestBody, send: Send) -> None:
        path = head.target.partition(b"?")[0].decode("latin-1")
        if path in _HEALTH:
            await self._application.serve(head, body, send)
            return
        carrier = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers if name in _CONTEXT_HEADERS
        }
        with self._tracer.start_as_current_span(
            head.method,
            context=_propagator.extract(carrier),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": head.method, "url.path": path},
        ):
            await self._application.serve(head, body, send)


class RequestSpans:
    """A `RequestMeter` that adds the outcome of a request to its span.

    Attributes have the names of OpenTelemetry's semantic conventions, where there is one. The query is left out: it can
    contain tokens.
    """

    def count(self, request: Request, details: CallDetails, status: int, seconds: float, sent: int) -> None:  # noqa: ARG002 - the span has its own clock
        span = get_current_span()
        if not span.is_recording():
            return
        span.update_name(details.operation or request.method)
        span.set_attributes(
            {
                "http.response.status_code": status,
                "http.request.body.size": request.body.received,
                "http.response.body.size": sent,
                "client.address": request.client,
                "user.id": details.caller_name,
                "aws.request_id": request.id,
            }
        )
        if status >= _FAULT:
            span.set_status(StatusCode.ERROR)
