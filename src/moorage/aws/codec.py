"""AWS JSON 1.1: request bodies become checked dictionaries; responses and refusals become bodies.

Members are those of the service model, blobs are bytes, timestamps are numbers of seconds since 1970 (UTC).
https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import msgspec

from moorage.aws.constraints import checked
from moorage.aws.service_model import SHAPES, Operation
from moorage.domain import strict_json
from moorage.domain.errors import Refusal, Serialization, UnknownOperation
from moorage.domain.strict_json import AmbiguousJson, BadJson, IntegerOutOfRange

CONTENT_TYPE: Final = "application/x-amz-json-1.1"

_NULL = msgspec.Raw(b"null")
_NO_OBJECT: Final = "The request body is not a JSON object"


def _plain(value: Any) -> str:
    """Encode names, which are subclasses of str that msgspec does not accept as strings."""
    if isinstance(value, str):
        return str(value)
    raise NotImplementedError


_encoder = msgspec.json.Encoder(enc_hook=_plain)


def decode(operation: Operation, body: bytes, outside: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the members of a request. Unknown members are dropped; null means absent.

    `outside` has members that were not in the body. The body cannot have members that belong elsewhere.

    Raises Serialization if the body is not a JSON object or a member has the wrong JSON type, and as `checked` for
    broken constraints.
    """
    shape = operation.input_shape
    try:
        members = _members(shape, body)
        if outside is not None:
            places = SHAPES[shape].locations
            members = {name: value for name, value in members.items() if name not in places} | outside
        return checked(shape, members, operation.service)
    except AmbiguousJson as error:
        raise Serialization(reason=f"The request body is ambiguous: {error}") from error
    except IntegerOutOfRange as error:
        raise Serialization(reason=f"NUMBER_VALUE cannot be converted to {_widest_number(shape)}") from error
    except (BadJson, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Serialization(reason=_NO_OBJECT) from error


def _widest_number(shape_name: str) -> str:
    """The type of the numbers in a request. The reader does not say which member has one that 64 bits cannot hold."""
    types = {SHAPES[member].type for member in SHAPES[shape_name].members.values()}
    return "Integer" if "integer" in types else "Long"


def _members(shape_name: str, body: bytes) -> dict[str, Any]:
    blob = _blob_member(shape_name)
    members = strict_json.read(body) if blob is None else _with_blob(blob, body)
    if type(members) is not dict:
        raise Serialization(reason=_NO_OBJECT)
    return members


@cache
def _blob_member(shape_name: str) -> str | None:
    """The blob of a shape; no input of a service has two, or one in a structure."""
    members = SHAPES[shape_name].members
    return next((name for name, member in members.items() if SHAPES[member].type == "blob"), None)


def _with_blob(name: str, body: bytes) -> Any:
    """Read a body without its blob, which stays a slice of the body: 10 MiB and more must not become a str."""
    blob: msgspec.Raw = getattr(_blob_reader(name).decode(body), name)
    start = body.find(b'"', body.find(b'"%b"' % name.encode()) + len(name) + 2)
    if blob == _NULL or start < 0 or bytes(memoryview(blob)[:1]) != b'"':
        return strict_json.read(body)
    # If this cuts another place than the value, the rest is not JSON or has the member twice.
    members = strict_json.read(body[:start] + b'""' + body[start + len(memoryview(blob)) :])
    if members.get(name) != "":
        raise BadJson("its blob has another name or value")
    return {**members, name: blob}


@cache
def _blob_reader(name: str) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(msgspec.defstruct("Blob", [(name, msgspec.Raw, _NULL)]))


def encode(response: Mapping[str, Any]) -> bytes:
    """Return the body of a response; members that are None are omitted, at any depth."""
    body = _encoder.encode(response)
    # Most responses contain no None, and searching bytes is far cheaper than walking the response.
    return _encoder.encode(_without_nones(response)) if b"null" in body else body


def encode_error(refusal: Refusal, message_member: str = "message") -> bytes:
    """Return the body of a refusal. AWS sends no message with UnknownOperation."""
    error: dict[str, Any] = {"__type": refusal.code()}
    if not isinstance(refusal, UnknownOperation):
        error |= {message_member: str(refusal), **refusal.members}
    return _encoder.encode(_without_nones(error))


def _without_nones(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nones(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nones(item) for item in value]
    return value
