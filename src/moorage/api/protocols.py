"""How requests and responses of a service look: where a request names its operation, and the form of errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import msgspec

from moorage.aws import codec, query, query_shapes, rest_json
from moorage.aws.rest_json import RestRequest, Routes
from moorage.aws.service_model import SHAPES, Operation, ServiceModel
from moorage.domain.errors import (
    BodyTimeout,
    FrontDoorRefusal,
    Refusal,
    RequestEntityTooLarge,
    Serialization,
    Throttling,
    Unavailable,
    UnknownOperation,
    UnsupportedOperation,
)
from moorage.http.messages import RETRY_SECONDS, Headers, Request, Response

_FAULT_TEXT: Final = "An internal error occurred; the log has the request id"
_STATUSES: Final[Mapping[type[Refusal], int]] = {RequestEntityTooLarge: 413, BodyTimeout: 408, Unavailable: 503}


class WireProtocol(Protocol):
    """The protocol of one service."""

    def has_route(self, request: Request) -> bool:
        """Whether the method and path of a request name an operation of the service."""
        ...

    def operation(self, request: Request) -> Operation | None:
        """The operation that a request names; None if only its body does. Raises UnknownOperation."""
        ...

    def operation_in(self, _body: bytes) -> Operation:
        """The operation that a body names, if `operation` is None. Raises the refusal of an unknown operation."""
        ...

    def decode(self, operation: Operation, request: Request, body: bytes) -> dict[str, Any]:
        """The members of a request. Raises Serialization, InvalidParameter, Validation."""
        ...

    def encode(self, operation: Operation, request: Request, response: Mapping[str, Any]) -> bytes:
        """The body of a response."""
        ...

    def answer(self, request: Request, body: bytes) -> Response: ...

    def refused(self, request: Request, refusal: Refusal) -> Response: ...

    def fault(self, request: Request, code: str) -> Response: ...


class _NamedOutside:
    """A protocol whose requests name their operation outside the body, and whose responses are JSON."""

    def operation_in(self, _body: bytes) -> Operation:
        raise UnknownOperation

    def encode(self, _operation: Operation, _request: Request, response: Mapping[str, Any]) -> bytes:
        return codec.encode(response)


class JsonProtocol(_NamedOutside):
    """AWS JSON 1.1: a POST to `/`, whose header X-Amz-Target names the operation."""

    def __init__(self, model: ServiceModel) -> None:
        self._model = model
        self._message = model.message_member

    def has_route(self, _request: Request) -> bool:
        return False

    def operation(self, request: Request) -> Operation:
        return self._model.operation(_target(request))

    def decode(self, operation: Operation, _request: Request, body: bytes) -> dict[str, Any]:
        return codec.decode(operation, body)

    def answer(self, request: Request, body: bytes) -> Response:
        return _response(200, body, request, codec.CONTENT_TYPE)

    def refused(self, request: Request, refusal: Refusal) -> Response:
        """JSON services return 400 for client errors, except while the body is received."""
        status = _STATUSES.get(type(refusal), 400)
        return _response(status, codec.encode_error(refusal, self._message), request, codec.CONTENT_TYPE)

    def fault(self, request: Request, code: str) -> Response:
        body = msgspec.json.encode({"__type": code, self._message: _FAULT_TEXT})
        return _response(500, body, request, codec.CONTENT_TYPE)


class RestJsonProtocol(_NamedOutside):
    """AWS's REST protocol with JSON. Errors have statuses of their own, and their code in a header."""

    _FRONT_DOOR: Final[Mapping[type[Refusal], int]] = {
        Serialization: 400,
        Throttling: 429,
        UnknownOperation: 404,
        UnsupportedOperation: 400,
    }

    def __init__(self, model: ServiceModel) -> None:
        self._service = model.name
        self._routes = Routes(model)

    def has_route(self, request: Request) -> bool:
        try:
            self.operation(request)
        except (UnknownOperation, Serialization):
            return False
        return True

    def operation(self, request: Request) -> Operation:
        return self._routes.operation_at(request.method, request.raw_path)

    def decode(self, operation: Operation, request: Request, body: bytes) -> dict[str, Any]:
        parts = RestRequest(request.method, request.raw_path, request.query, request.headers)
        return rest_json.decode(operation, parts, body)

    def answer(self, request: Request, body: bytes) -> Response:
        return _response(200, body, request, rest_json.CONTENT_TYPE)

    def refused(self, request: Request, refusal: Refusal) -> Response:
        return self._error(self._status(refusal), refusal.code(), str(refusal), request)

    def fault(self, request: Request, code: str) -> Response:
        return self._error(500, code, _FAULT_TEXT, request)

    def _status(self, refusal: Refusal) -> int:
        kind = type(refusal)
        if kind in _STATUSES:
            return _STATUSES[kind]
        if isinstance(refusal, FrontDoorRefusal):
            return self._FRONT_DOOR.get(kind, 403)
        shape = SHAPES.get(f"{self._service}:{refusal.code()}")
        return 400 if shape is None else shape.status

    def _error(self, status: int, code: str, message: str, request: Request) -> Response:
        response = _response(status, rest_json.encode_error(code, message), request, rest_json.CONTENT_TYPE)
        response.headers.append((b"x-amzn-errortype", code.encode()))
        return response


class QueryProtocol:
    """AWS's query protocol: a form names the operation. Responses are XML, or JSON for clients that accept it.

    "To get JSON output, set the Accept header to application/json" (IAM user guide, "Making HTTP query requests").
    """

    def __init__(self, model: ServiceModel) -> None:
        self._model = model

    def has_route(self, _request: Request) -> bool:
        return False

    def operation(self, request: Request) -> None:
        """Every form may name one. Raises UnknownOperation for other requests."""
        if request.method != "POST" or request.path != "/" or _content_type(request) != query.FORM:
            raise query.MissingAction

    def operation_in(self, _body: bytes) -> Operation:
        form = query.parse_form(_body, _FORM_LIMITS)
        found = self._model.operations.get(form.action)
        if found is None:
            raise form.unknown()
        return found

    def decode(self, operation: Operation, _request: Request, body: bytes) -> dict[str, Any]:
        return query_shapes.decode(operation, query.parse_form(body, _FORM_LIMITS))

    def encode(self, operation: Operation, request: Request, response: Mapping[str, Any]) -> bytes:
        if _accepts_json(request):
            return codec.encode(query_shapes.response_json(operation, response, request.id))
        result = query_shapes.result_xml(operation, response)
        return query.response_xml(self._model.namespace, operation.name, result, request.id)

    def answer(self, request: Request, body: bytes) -> Response:
        return _response(200, body, request, _query_type(request))

    def refused(self, request: Request, refusal: Refusal) -> Response:
        status, code = query.CODES.get(type(refusal)) or self._named(refusal.code())
        return self._error(status, code, str(refusal), request)

    def fault(self, request: Request, code: str) -> Response:
        return self._error(500, code, _FAULT_TEXT, request)

    def _named(self, code: str) -> tuple[int, str]:
        """Status and code of an error of the model."""
        shape = SHAPES.get(f"{self._model.name}:{code}")
        return (400, code) if shape is None else (shape.status, shape.code)

    def _error(self, status: int, code: str, message: str, request: Request) -> Response:
        fault = query.fault_of(status)
        if _accepts_json(request):
            error = {"Code": code, "Message": message, "Type": fault}
            body = codec.encode({"Error": error, "RequestId": request.id})
        else:
            body = query.error_xml(self._model.namespace, code, message, request.id, fault=fault)
        return _response(status, body, request, _query_type(request))


_FORM_LIMITS: Final = query.FormLimits(1 << 20, parameters=2000)
"""A simulation names many actions, resources and values of condition keys."""

PROTOCOLS: Final[Mapping[str, Callable[[ServiceModel], WireProtocol]]] = {
    "json": JsonProtocol,
    "query": QueryProtocol,
    "rest-json": RestJsonProtocol,
}
"""By the name that models have."""


def _target(request: Request) -> str | None:
    """The X-Amz-Target header of an AWS JSON 1.1 request to `/`, which names the operation; None for other requests."""
    if request.method != "POST" or request.path != "/" or _content_type(request) != codec.CONTENT_TYPE:
        return None
    return request.header(b"x-amz-target")


def _content_type(request: Request) -> str:
    """The content type of a request without parameters such as `charset`."""
    return (request.header(b"content-type") or "").partition(";")[0].strip()


def _accepts_json(request: Request) -> bool:
    return rest_json.CONTENT_TYPE in (request.header(b"accept") or "")


def _query_type(request: Request) -> str:
    return rest_json.CONTENT_TYPE if _accepts_json(request) else query.CONTENT_TYPE


def _response(status: int, body: bytes, request: Request, content_type: str) -> Response:
    headers: Headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"x-amzn-requestid", request.id.encode()),
    ]
    if status == 503:
        headers.append((b"retry-after", b"%d" % RETRY_SECONDS))
    return Response(status, headers, body)
