"""POST /: find the operation, authenticate the caller, decode the request, authorize it, and call the handler.

The order of the steps is AWS's. A request with an unknown target reveals nothing about keys, an unsigned request is
rejected before its body is read, and a caller without permission does not learn what exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from moorage.aws import codec, service_model, sigv4
from moorage.aws.service_model import Operation
from moorage.core.events.audit import SERVER_FAULT
from moorage.core.identity.authorization import AccessRequest
from moorage.core.reactions import ApiCalled, react
from moorage.core.registry import templates
from moorage.core.services import Services
from moorage.domain.errors import BodyTimeout, Refusal, RequestEntityTooLarge, Unavailable, UnsupportedOperation
from moorage.domain.identity import actions
from moorage.domain.identity.actions import Permission, PermissionTarget
from moorage.domain.identity.callers import Caller
from moorage.domain.identity.policies.request import RequestContext, ResourceSet
from moorage.domain.names import Registry, parse_repository_arn
from moorage.ecr.call import Call, Handler
from moorage.ecr.identity import sts
from moorage.ecr.identity.authentication import authenticated_body, claimed_credentials
from moorage.http.application import Endpoint
from moorage.http.body_budget import BodyBudget
from moorage.http.messages import RETRY_SECONDS, CallDetails, Request, Response
from moorage.http.request_context import request_context_of
from moorage.metadata.database import Transaction
from moorage.telemetry import Log

# Bytes of a request body. A part of 20 MiB is 28 MiB of base64. In JSON, escapes can double a manifest of 4 MiB.
_BODY_LIMIT: Final = 1 << 20
_BODY_LIMITS: Final = {"UploadLayerPart": (28 << 20) + 4096, "PutImage": (8 << 20) + 65536}

_FAULT: Final = b'{"__type":"ServerException","message":"An internal error occurred; the log has the request id"}'

_JSON: Final = "application/x-amz-json-1.1"
_FORM: Final = "application/x-www-form-urlencoded"


class EcrEndpoint(Endpoint):
    """The endpoint of AWS clients: ECR, and the STS operations that they call first.

    `handlers` has the supported operations; the service model has all of them.
    """

    def __init__(self, services: Services, handlers: Mapping[str, Handler], log: Log, budget: BodyBudget) -> None:
        super().__init__(log)
        self._services = services
        self._handlers = handlers
        self._sts = sts.StsEndpoint(services, budget)
        self._budget = budget

    async def respond(self, request: Request, details: CallDetails) -> Response:
        if (request.header(b"content-type") or "").startswith(_FORM):
            return await self._sts.respond(request, details)
        try:
            operation = service_model.operation(_target(request))
            details.operation = operation.name
            answer = await self._answer(request, details, operation)
        except Refusal as refusal:
            self._record(request, details, refusal)
            return self.refused(request, refusal)
        self._record(request, details, None)
        return _json(200, answer, request)

    def refused(self, request: Request, refusal: Refusal) -> Response:
        return _json(_status(refusal), codec.encode_error(refusal), request)

    def fault(self, request: Request, details: CallDetails) -> Response:
        self._record(request, details, SERVER_FAULT)
        return _json(500, _FAULT, request)

    def _record(self, request: Request, details: CallDetails, failure: Refusal | str | None) -> None:
        """Write the call to the audit log, if it is an ECR operation."""
        if details.operation in actions.OPERATIONS:
            self._services.audit.record_operation(request, details, failure)

    def _react(self, tx: Transaction, request: Request, details: CallDetails, registry: Registry) -> None:
        services = self._services
        describe = partial(services.audit.describe, request, details)
        react(tx, services.reactions.api_called, ApiCalled(details.operation, registry, describe, services.now()))

    async def _answer(self, request: Request, details: CallDetails, operation: Operation) -> bytes:
        signed = sigv4.parse(request.method, request.raw_path, request.query, request.header_lines, services=("ecr",))
        limit = _BODY_LIMITS.get(operation.name, _BODY_LIMIT)
        credentials = await claimed_credentials(self._services, signed)
        async with self._budget.reserve(request, limit):
            body = await authenticated_body(self._services, request, details, signed, credentials, limit)
            handler = self._handlers.get(operation.name)
            if handler is None:
                raise UnsupportedOperation(operation=operation.name)
            details.parameters = members = codec.decode(operation, body)
            del body
            services, caller = self._services.reached_at(request.reached_at), credentials.caller(signed.region)
            registry = _registry(caller, members)
            request_context = _request_context(request, services.now(), members)
            run_reactions = partial(self._react, request=request, details=details, registry=registry)
            call = Call(services, caller, credentials, registry, request_context, run_reactions)
            await _authorize(call, operation, members)
            return codec.encode(await handler(call, members))


async def _authorize(call: Call, operation: Operation, members: dict[str, Any]) -> None:
    """Raises AccessDenied if the caller may not make this call."""
    for access_request in _access_requests(call, operation, members):
        await call.services.authorizer.check(access_request)


def _access_requests(call: Call, operation: Operation, members: dict[str, Any]) -> list[AccessRequest]:
    """The access requests of a call, one for each permission and resource (`domain/identity/actions.py`)."""
    return [
        access_request
        for permission in actions.permissions_of(operation.name, members)
        for access_request in _on_targets(call, permission, members)
    ]


def _on_targets(call: Call, permission: Permission, members: dict[str, Any]) -> list[AccessRequest]:
    action = permission.action
    match permission.target:
        case PermissionTarget.REGISTRY:
            return [call.access_request(action)]
        case PermissionTarget.REPOSITORIES:
            names = members.get("repositoryNames") or [actions.EVERY_REPOSITORY]
            return [call.access_request(action, name) for name in names]
        case PermissionTarget.RESOURCE:
            return [call.access_request(action, parse_repository_arn(members["resourceArn"])[1])]
        case PermissionTarget.REPOSITORY:
            return [call.access_request(action, members["repositoryName"])]
        case PermissionTarget.PREFIX:
            names_below = call.registry.repository_arn(templates.names_below(members["prefix"]))
            return [call.access_request(action)._replace(arn=ResourceSet(names_below))]


def _registry(caller: Caller, members: dict[str, Any]) -> Registry:
    """The registry of a request: from an ARN or `registryId`, otherwise the caller's own."""
    if "resourceArn" in members:
        return parse_repository_arn(members["resourceArn"])[0]
    return Registry(members.get("registryId") or caller.account, caller.region)


def _request_context(request: Request, time: int, members: dict[str, Any]) -> RequestContext:
    """The request context, with the resource tags that the request sets, and the keys of those that it removes."""
    request_context = request_context_of(request, time)
    tags = {tag["Key"]: tag["Value"] for tag in members.get("tags") or members.get("resourceTags") or ()}
    keys = (*tags, *members.get("tagKeys", ()))
    return replace(request_context, request_tags=tags, tag_keys=keys) if keys else request_context


def _target(request: Request) -> str | None:
    """The X-Amz-Target header of an AWS JSON 1.1 request, which names the operation; None for other requests."""
    content_type = (request.header(b"content-type") or "").partition(";")[0].strip()
    if request.method != "POST" or content_type != _JSON:
        return None
    return request.header(b"x-amz-target")


def _status(refusal: Refusal) -> int:
    """The HTTP status of an error. JSON services return 400 for client errors, except while the body is received."""
    return _STATUSES.get(type(refusal), 400)


_STATUSES: Final[Mapping[type[Refusal], int]] = {RequestEntityTooLarge: 413, BodyTimeout: 408, Unavailable: 503}


def _json(status: int, body: bytes, request: Request) -> Response:
    headers = [
        (b"content-type", b"application/x-amz-json-1.1"),
        (b"content-length", b"%d" % len(body)),
        (b"x-amzn-requestid", request.id.encode()),
    ]
    if status == 503:
        headers.append((b"retry-after", b"%d" % RETRY_SECONDS))
    return Response(status, headers, body)
