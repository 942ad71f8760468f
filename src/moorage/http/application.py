"""The application: it passes a request to its endpoint, sends the response and writes one log line.

POST /                         the ECR endpoint (and STS)
GET /                          a page for browsers (`front_page.py`)
/v2/…                          the registry endpoint
/console/…                     the console
GET /layers/DIGEST?token=…     the download endpoint, for URLs from GetDownloadUrlForLayer
GET /healthz, GET /readyz      health checks without credentials
other paths                    the ECR endpoint, for requests with a signature of AWS: they are for other services
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from moorage.domain.errors import Refusal, Throttling, Unavailable
from moorage.domain.failures import as_unavailable
from moorage.domain.ports import BlobMissing
from moorage.http import front_page
from moorage.http.bodies import ClientGone, RequestBody
from moorage.http.draining import Drain
from moorage.http.forwarding import TrustedProxies
from moorage.http.messages import CLOSE, BadRequest, CallDetails, Outcome, Request, RequestHead, Response, Send
from moorage.http.shares.active_shares import ActiveShares
from moorage.http.shares.known_credentials import KnownCredentials
from moorage.http.shares.traffic import Traffic
from moorage.http.shares.turns import Turns
from moorage.shares import Share, begin_request, enter
from moorage.telemetry import Log, RequestIds


class Endpoint(ABC):
    """Serves the requests under a path, and reports faults in its own protocol."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def handle(self, request: Request) -> Outcome:
        """Serve a request. All results are outcomes; a fault is logged here.

        What lasts and is met by many requests is logged once: that something is unavailable, or a layer has no bytes.
        """
        begin_request()
        details = CallDetails()
        try:
            response = await self.respond(request, details)
        except ClientGone:
            return Outcome(None, details)
        except BlobMissing as error:
            self._log.event_once("layer-missing", key=str(error))
            response = self.fault(request, details)
        except Exception as error:  # noqa: BLE001 - the one place where faults are logged and answered
            refusal = as_unavailable(error)
            if refusal is None:
                self._log.fault(request.id, details.operation)
                response = self.fault(request, details)
            else:
                self._log.event_once("unavailable", reason=str(refusal))
                response = self.unavailable(request, details, refusal)
        return Outcome(response, details)

    @abstractmethod
    async def respond(self, request: Request, details: CallDetails) -> Response:
        """The response to a request; fills in `details`.

        Raises ClientGone. Unavailable, and an OSError that may pass, become `unavailable`; all other exceptions are
        faults.
        """

    @abstractmethod
    def refused(self, request: Request, refusal: Refusal) -> Response:
        """The response to a request that is refused before anything is known of it."""

    @abstractmethod
    def unavailable(self, request: Request, details: CallDetails, refusal: Unavailable) -> Response:
        """The response to a request that the registry cannot serve now, with status 503."""

    @abstractmethod
    def fault(self, request: Request, details: CallDetails) -> Response:
        """The response to a request that failed with an internal error."""


class RequestMeter(Protocol):
    """Counts answered requests."""

    def count(self, request: Request, details: CallDetails, status: int, seconds: float, sent: int) -> None: ...


class ReadinessCheck(Protocol):
    """Whether the process can serve requests, with `for_writing` also pushes."""

    async def __call__(self, *, for_writing: bool) -> bool: ...


@dataclass(frozen=True, slots=True)
class Lifespan:
    """What a worker process does before its first request and after its last."""

    start: Callable[[], None]
    stop: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class SharedState:
    """What all worker processes share in memory. Create it before them."""

    active: ActiveShares = field(default_factory=ActiveShares)
    traffic: Traffic = field(default_factory=Traffic)


@dataclass(frozen=True, slots=True)
class ServerContext:
    """The server around the application.

    It has the trusted proxies, whether the server is about to stop, the shares with requests in any of its processes,
    and the limit of failed logins (`shares/known_credentials.py`).
    """

    proxies: TrustedProxies
    drain: Drain = field(default_factory=Drain)
    active: ActiveShares = field(default_factory=ActiveShares)
    max_failed_logins: int = 0


_NO_CONTEXT: Final = ServerContext(TrustedProxies([]))
_REFUSED: Final = frozenset({400, 401, 403})
"""Statuses of a request whose credentials were refused: AWS's JSON protocol has 400 for all errors of clients."""

_CLIENT_GONE: Final = 499
"""The logged status of a request whose client disconnected before the response, as in nginx."""


class Application:
    """The application that the HTTP server calls: `start`, `serve` for each request, `stop`."""

    def __init__(
        self,
        endpoints: dict[str, Endpoint],
        log: Log,
        is_ready: ReadinessCheck,
        lifespan: Lifespan,
        context: ServerContext = _NO_CONTEXT,
        meters: Sequence[RequestMeter] = (),
    ) -> None:
        self._api, self._registry, self._downloads = endpoints["/"], endpoints["/v2/"], endpoints["/layers/"]
        self._console = endpoints["/console/"]
        self._log = log
        self._meters = meters
        self._is_ready = is_ready
        self._lifespan = lifespan
        self._proxies = context.proxies
        self._drain = context.drain
        self._ids = RequestIds()
        self._credentials = KnownCredentials(context.max_failed_logins)
        self._turns = Turns(context.active)

    def start(self) -> None:
        """Call this on the event loop of the worker process, before the first request."""
        self._lifespan.start()

    async def stop(self) -> None:
        """Call this after the last request."""
        await self._lifespan.stop()

    async def serve(self, head: RequestHead, body: RequestBody, send: Send) -> None:
        """Serve one request; `send` sends the response, unless the client has disconnected."""
        started = time.perf_counter()
        self._proxies.apply(head)
        share = self._credentials.share_of(head)
        try:
            request = Request(head, body, self._ids.next(), share)
        except BadRequest as error:
            await send(_plain(400, f"{error}\n"))
            return
        takes_much = _takes_much(request)
        turn = self._turns.at_once(share, takes_much=takes_much) or await self._turns.wait(share)
        enter(Share(share, turn.has_others))
        body.before_waiting = turn.end
        try:
            outcome = await turn.run(self._outcome(request, may_try=self._credentials.may_try(head, share)))
        finally:
            turn.end()
        if share == head.client:
            self._learn(head, outcome)
        response = outcome.response
        if response is None:
            self._record(request, outcome.details, _CLIENT_GONE, started, 0)
            return
        turn.answered(len(response.body), exceeded_limit=outcome.details.exceeded_limit)
        if self._drain.is_on:
            response.headers.append(CLOSE)
        try:
            await turn.run(send(response))
        except ClientGone:
            pass
        except Exception as error:  # noqa: BLE001 - a file or stream that broke off: the server closes the connection
            refusal = as_unavailable(error)
            if refusal is None:
                self._log.fault(request.id, outcome.details.operation)
            else:
                self._log.event_once("response-broken-off", reason=str(refusal))
        self._record(request, outcome.details, response.status, started, response.size or len(response.body))

    def _record(self, request: Request, details: CallDetails, status: int, started: float, sent: int) -> None:
        seconds = time.perf_counter() - started
        self._log.request(request, details, status, seconds)
        for meter in self._meters:
            meter.count(request, details, status, seconds, sent)

    def _learn(self, head: RequestHead, outcome: Outcome) -> None:
        """Remember whether the credentials of a request, which were not known, were valid."""
        if outcome.details.caller is not None:
            self._credentials.succeeded(head, outcome.details.caller_name)
        elif outcome.response is not None and outcome.response.status in _REFUSED:
            self._credentials.failed(head)

    def _outcome(self, request: Request, *, may_try: bool) -> Coroutine[Any, Any, Outcome]:
        path = request.path
        if path.startswith("/v2"):
            return self._answer(self._registry, request, may_try)
        if front_page.is_wanted(request):
            return _settled(front_page.page())
        if path.startswith("/layers/"):
            return self._downloads.handle(request)
        if path == "/console" or path.startswith("/console/"):
            return self._answer(self._console, request, may_try)
        if path == "/" or _is_signed(request):
            return self._answer(self._api, request, may_try)
        return self._plain_outcome(path)

    def _answer(self, endpoint: Endpoint, request: Request, may_try: bool) -> Coroutine[Any, Any, Outcome]:
        return endpoint.handle(request) if may_try else _settled(endpoint.refused(request, _too_many_failed_logins()))

    async def _plain_outcome(self, path: str) -> Outcome:
        return Outcome(await self._plain_response(path), CallDetails())

    async def _plain_response(self, path: str) -> Response:
        if path == "/healthz":
            return _plain(200, "ok\n")
        if path in {"/readyz", "/readyz/writing"}:
            is_ready = not self._drain.is_on and await self._is_ready(for_writing=path != "/readyz")
            return _plain(200, "ok\n") if is_ready else _plain(503, "not ready\n")
        return _plain(404, "404 page not found\n")


def _too_many_failed_logins() -> Throttling:
    return Throttling(detail=": too many failed logins from this address")


async def _settled(response: Response) -> Outcome:
    return Outcome(response, CallDetails())


def _takes_much(request: Request) -> bool:
    """Whether a request may take more than a moment. Health checks and challenges of docker clients do not."""
    return b"authorization" in request.headers or request.path.startswith(("/layers/", "/console/"))


def _is_signed(request: Request) -> bool:
    """Whether the request has a signature of AWS."""
    return (request.header(b"authorization") or "").startswith("AWS4-")


def _plain(status: int, text: str) -> Response:
    body = text.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    return Response(status, headers, body)
