"""Hand-made requests to any service of the API endpoint, in the protocol of its model."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET

from moorage.aws.canonical import UNRESERVED, canonical_path, canonical_query
from moorage.aws.query import FORM
from moorage.aws.service_model import MODELS, SHAPES, Shape
from moorage.aws.signing import RequestLine, SigningKey, signed_headers
from tests.api.ecr.wire import Answer, Refusal
from tests.support.server import Server

JSON: Final = "application/x-amz-json-1.1"
OF_QUERY: Final = {
    "AccessDenied": "AccessDeniedException",
    "InvalidAction": "UnsupportedOperationException",
    "InvalidClientTokenId": "UnrecognizedClientException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
    "ValidationError": "ValidationException",
}
"""The names that JSON services have for errors of the query protocol."""


@dataclass(frozen=True)
class RawCaller:
    """Sends requests with any members, and signs them for `signed_for`, by default for their own service."""

    server: Server
    key: str = ""
    secret: str = ""

    def call(self, service: str, operation: str, request: dict[str, Any], signed_for: str = "") -> Answer:
        line, body, headers = _encoded(service, operation, request)
        return self.send(line, body, headers, signed_for or service)

    def send(self, line: RequestLine, body: bytes, headers: dict[str, str], signed_for: str) -> Answer:
        environment = self.server.environment
        key = SigningKey(
            self.key or environment["AWS_ACCESS_KEY_ID"],
            self.secret or environment["AWS_SECRET_ACCESS_KEY"],
            "us-east-1",
            signed_for,
        )
        host = f"{self.server.host}:{self.server.port}"
        as_signed = line._replace(path=canonical_path(line.path.encode()))
        payload = hashlib.sha256(body).hexdigest()
        signed = signed_headers(key, as_signed, {"host": host, **headers}, payload, int(time.time()))
        connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=60)
        try:
            connection.request(line.method, f"{line.path}?{line.query}" if line.query else line.path, body, signed)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()


def refusal_of(answer: Answer) -> Refusal:
    """The error of an answer in any protocol, as JSON services name it."""
    if answer.body.startswith(b"<"):
        error = ET.fromstring(re.sub(rb" xmlns=\"[^\"]*\"", b"", answer.body)).find("Error")
        assert error is not None
        code, message = (error.findtext(name) or "" for name in ("Code", "Message"))
        return Refusal(answer.status, OF_QUERY.get(code, code), message)
    members = answer.json()
    code = members.get("__type") or answer.headers["x-amzn-errortype"]
    return Refusal(answer.status, code, members.get("message") or members.get("Message", ""))


def _encoded(service: str, operation: str, request: dict[str, Any]) -> tuple[RequestLine, bytes, dict[str, str]]:
    model = MODELS[service]
    if model.target_prefix:
        headers = {"content-type": JSON, "x-amz-target": f"{model.target_prefix}.{operation}"}
        return RequestLine("POST", "/"), json.dumps(request).encode(), headers
    if model.protocol == "query":
        form = {"Action": operation, "Version": "2010-05-08", **dict(flattened(request))}
        return RequestLine("POST", "/"), urlencode(form).encode(), {"content-type": FORM}
    found = model.operations[operation]
    shape = SHAPES[found.input_shape] if found.input_shape else Shape("structure")
    places = shape.locations
    path = re.sub(r"\{(\w+)\}", lambda label: _quoted(request[label[1]].replace("\0", "!")), found.path)
    query = [
        (places[name][1], _quoted(_time(item) if _is_time(shape, name, item) else item))
        for name, value in request.items()
        if value is not None and places.get(name, ("",))[0] == "querystring"
        for item in (value if isinstance(value, list) else [value])
    ]
    body = {name: value for name, value in request.items() if name not in places}
    return RequestLine(found.method, path, canonical_query(query)), json.dumps(body).encode() if body else b"", {}


def flattened(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The parameters of the query protocol for the members of a request."""
    match value:
        case dict():
            for member, item in value.items():
                yield from flattened(item, f"{name}.{member}" if name else member)
        case [_, *_]:
            for number, item in enumerate(value, start=1):
                yield from flattened(item, f"{name}.member.{number}")
        case []:
            yield name, ""
        case bool():
            yield name, str(value).lower()
        case _ if value is not None:
            yield name, str(value)


def _is_time(shape: Shape, name: str, value: Any) -> bool:
    return SHAPES[shape.members[name]].type == "timestamp" and isinstance(value, int)


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _quoted(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return quote(str(value), safe=UNRESERVED)
