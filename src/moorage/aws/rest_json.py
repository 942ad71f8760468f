"""AWS's REST protocol with JSON: the method and path name the operation; members are in path, query, headers and body.

https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

import msgspec

from moorage.aws import codec
from moorage.aws.service_model import SHAPES, Operation, ServiceModel
from moorage.domain.errors import Serialization, UnknownOperation

CONTENT_TYPE: Final = "application/json"
_MAX_PARAMETERS: Final = 300
"""Parameters of a query. The longest list in one, of tag keys, has 200."""

_INTEGER: Final = re.compile(r"-?\d{1,18}", re.ASCII)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class RestRequest:
    """The parts of a request that have members. `path` and `query` are as sent; names of headers have lower case."""

    method: str
    path: bytes
    query: bytes
    headers: Mapping[bytes, bytes]


class Routes:
    """The operations of a service by method and path."""

    def __init__(self, model: ServiceModel) -> None:
        self._routes = [(operation, operation.path.strip("/").split("/")) for operation in model.operations.values()]
        # A segment with a fixed text goes before a label: /signing-jobs/with-payload before /signing-jobs/{jobId}.
        self._routes.sort(key=lambda route: [_label_of(segment) is not None for segment in route[1]])

    def operation_at(self, method: str, path: bytes) -> Operation:
        """The operation of a request. Raises UnknownOperation."""
        segments = _segments(path)
        for operation, template in self._routes:
            if operation.method == method and len(template) == len(segments):
                pairs = zip(template, segments, strict=True)
                if all(text == own if _label_of(own) is None else text for own, text in pairs):
                    return operation
        raise UnknownOperation


def decode(operation: Operation, request: RestRequest, body: bytes) -> dict[str, Any]:
    """Return the members of a request, from all its parts. Unknown members are dropped; null means absent.

    Raises Serialization for a body that is not a JSON object, a wrong type or a parameter that occurs twice, and
    Validation for broken constraints.
    """
    shape = SHAPES[operation.input_shape]
    outside = {member: _typed(shape.members[member], texts) for member, texts in _outside(operation, request).items()}
    return codec.decode(operation, body if body.strip() else b"{}", outside)


def encode_error(code: str, message: str) -> bytes:
    """Return the body of a refusal; its code is also in a header."""
    return msgspec.json.encode({"code": code, "message": message})


def _outside(operation: Operation, request: RestRequest) -> dict[str, list[str]]:
    """The texts of the members that are not in the body."""
    locations = SHAPES[operation.input_shape].locations
    sources: dict[str, Callable[[str], list[str] | None]] = {
        "uri": _labels(operation, request.path).get,
        "querystring": _parameters(request.query).get,
        "header": lambda name: _header(request, name),
    }
    found = {member: sources[place](name) for member, (place, name) in locations.items()}
    return {member: texts for member, texts in found.items() if texts is not None}


def _labels(operation: Operation, path: bytes) -> dict[str, list[str]]:
    pairs = zip(operation.path.strip("/").split("/"), _segments(path), strict=True)
    return {label: [text] for own, text in pairs if (label := _label_of(own)) is not None}


def _parameters(query: bytes) -> dict[str, list[str]]:
    texts: defaultdict[str, list[str]] = defaultdict(list)
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS
        )
    except ValueError as error:
        raise Serialization(reason="The query is too long or not in UTF-8") from error
    for name, text in pairs:
        texts[name].append(text)
    return dict(texts)


def _header(request: RestRequest, name: str) -> list[str] | None:
    value = request.headers.get(name.lower().encode())
    return None if value is None else [value.decode("latin-1")]


def _typed(shape_name: str, texts: list[str]) -> Any:
    shape = SHAPES[shape_name]
    if shape.type == "list":
        return [_typed(shape.member, [text]) for text in texts]
    if len(texts) != 1:
        raise Serialization(reason="A parameter occurs more than once")
    try:
        return _READERS[shape.type](texts[0])
    except (ValueError, KeyError) as error:
        expected = shape.type.capitalize()
        raise Serialization(reason=f"STRING_VALUE cannot be converted to {expected}") from error


def boolean(text: str) -> bool:
    """Raises KeyError."""
    return {"true": True, "false": False}[text]


def integer(text: str) -> int:
    """Raises ValueError."""
    if not _INTEGER.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _time(text: str) -> float:
    """The seconds since 1970 of `2026-01-31T12:00:00Z`, the form of times outside the body."""
    if not _TIME.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text).timestamp()


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "string": str,
    "boolean": boolean,
    "integer": integer,
    "timestamp": _time,
}


def _segments(path: bytes) -> list[str]:
    """The decoded segments of a path. An encoded slash belongs to its segment, as in `/tags/{resourceArn}`."""
    try:
        return [unquote(segment, errors="strict") for segment in path.decode("ascii").strip("/").split("/")]
    except ValueError as error:
        raise Serialization(reason="The path is not in UTF-8") from error


def _label_of(segment: str) -> str | None:
    return segment[1:-1] if segment.startswith("{") else None
