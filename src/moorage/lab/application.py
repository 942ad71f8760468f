"""The application of a lab: it answers the paths of the lab, and lets faults, rates and quirks act on all others."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from moorage.domain.errors import Throttling, Unavailable
from moorage.http.application import Endpoint
from moorage.http.bodies import ClientGone, RequestBody
from moorage.http.messages import BadRequest, CallDetails, Request, RequestHead, Response, Send
from moorage.http.server.worker_process import ServedApplication
from moorage.lab import responses
from moorage.lab.control import PREFIXES, Control
from moorage.lab.faults import Rule
from moorage.lab.lab import Lab, LabRegistry
from moorage.lab.operations import is_of_docker, operation_of
from moorage.telemetry import RequestIds

_RETRY_AFTER_SECONDS: Final = 1


class LabApplication:
    """The application of a server around that of the registry."""

    def __init__(
        self,
        application: ServedApplication,
        lab: Lab,
        registry: LabRegistry,
        endpoints: Mapping[str, Endpoint],
    ) -> None:
        self._application = application
        self._lab = lab
        self._registry = registry
        self._endpoints = endpoints
        self._control = Control(lab, registry)
        self._ids = RequestIds()

    def start(self) -> None:
        self._registry.begin()
        self._application.start()

    async def stop(self) -> None:
        await self._application.stop()

    async def serve(self, head: RequestHead, body: RequestBody, send: Send) -> None:
        if head.target.startswith(PREFIXES):
            await self._answer_control(head, body, send)
            return
        async with self._registry.gate.passed():
            await self._serve(head, body, send)

    async def _answer_control(self, head: RequestHead, body: RequestBody, send: Send) -> None:
        try:
            response = await self._control.respond(Request(head, body, self._ids.next()))
        except (BadRequest, ClientGone):
            response = Response(400, [(b"content-length", b"0")])
        await send(response)

    async def _serve(self, head: RequestHead, body: RequestBody, send: Send) -> None:
        try:
            request = Request(head, body, self._ids.next())
        except BadRequest:
            await self._application.serve(head, body, send)
            return
        rule = self._lab.faults.of(request)
        if rule is not None and rule.delay:
            await asyncio.sleep(rule.delay)
        response = self._refusal(request, rule)
        if response is not None:
            self._lab.requests.count(
                request, CallDetails(operation_of(request)), response.status, 0.0, len(response.body)
            )
            await send(response)
            return
        await self._application.serve(head, body, self._changing(request, rule, send))

    def _refusal(self, request: Request, rule: Rule | None) -> Response | None:
        """The response of the lab instead of the registry's; None for a request that the registry serves."""
        endpoint = self._endpoints["/v2/" if is_of_docker(request) else "/"]
        if rule is not None and rule.throttle:
            return _throttled(endpoint, request, rule.retry_after)
        if rule is not None and rule.status is not None:
            return _failed(endpoint, request, rule)
        return None if self._lab.rates.allow(request) else _throttled(endpoint, request, None)

    def _changing(self, request: Request, rule: Rule | None, send: Send) -> Send:
        """The function that sends a response, with the changes of the lab."""
        has_quirks = self._lab.has_quirks and is_of_docker(request)
        after = None if rule is None else rule.cut
        if not has_quirks and after is None:
            return send

        async def changed(response: Response) -> None:
            if has_quirks:
                response = self._lab.quirks.apply(request, response)
            await send(response if after is None else responses.cut(response, after))

        return changed


def _throttled(endpoint: Endpoint, request: Request, retry_after: int | None) -> Response:
    """The response of the service to a caller with too many calls."""
    response = endpoint.refused(request, Throttling(detail=""))
    seconds = _RETRY_AFTER_SECONDS if retry_after is None else retry_after
    response.headers.append((b"retry-after", b"%d" % seconds))
    return response


def _failed(endpoint: Endpoint, request: Request, rule: Rule) -> Response:
    """The response of a service, or of a load balancer in front of it, that fails."""
    details = CallDetails(operation_of(request))
    match rule.status:
        case 500:
            response = endpoint.fault(request, details)
        case 503:
            response = endpoint.unavailable(request, details, Unavailable(reason="A fault of the lab"))
        case status:
            response = Response(status or 0, [(b"content-length", b"0")])
    if rule.retry_after is not None:
        response.headers = [line for line in response.headers if line[0] != b"retry-after"]
        response.headers.append((b"retry-after", b"%d" % rule.retry_after))
    return response
