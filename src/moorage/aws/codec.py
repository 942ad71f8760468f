"""AWS JSON 1.1: request bodies become checked dictionaries; responses and refusals become bodies.

Members are those of the service model, blobs are bytes, timestamps are numbers of seconds since 1970 (UTC).
https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import msgspec

from moorage.aws.constraints import checked
from moorage.aws.service_model import SHAPES, Operation
from moorage.domain.errors import Refusal, Serialization, UnknownOperation

Body = bytes | bytearray | memoryview

_NULL = msgspec.Raw(b"null")


def _plain(value: Any) -> str:
    """Encode names, which are subclasses of str that msgspec does not accept as strings."""
    if isinstance(value, str):
        return str(value)
    raise NotImplementedError


_encoder = msgspec.json.Encoder(enc_hook=_plain)


def decode(operation: Operation, body: Body) -> dict[str, Any]:
    """Return the members of a request. Unknown members are dropped; null means absent.

    Raises Serialization if the body is not a JSON object or a member has the wrong JSON type, InvalidParameter for the
    first broken constraint of the model.
    """
    try:
        return checked(operation.input_shape, _reader(operation.input_shape)(body))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Serialization(reason="The request body is not a JSON object") from error
    except RecursionError as error:
        raise Serialization(reason="The request body is nested too deeply") from error


@cache
def _reader(shape_name: str) -> Callable[[Body], dict[str, Any]]:
    """The decoder for a shape. Shapes with a blob use a struct, so that the blob (10 MiB and more) is never a str."""
    members = SHAPES[shape_name].members
    blobs = [name for name, member in members.items() if SHAPES[member].type == "blob"]
    if not blobs:
        return msgspec.json.Decoder(dict[str, Any]).decode
    others = [(name, Any, None) for name in members if name not in blobs]
    fields = [*others, *((name, msgspec.Raw, _NULL) for name in blobs)]
    decoder = msgspec.json.Decoder(msgspec.defstruct(shape_name, fields))

    def read(body: Body) -> dict[str, Any]:
        request = decoder.decode(body)
        return {name: _present(getattr(request, name)) for name in members}

    return read


def _present(value: Any) -> Any:
    return None if isinstance(value, msgspec.Raw) and value == _NULL else value


def encode(response: Mapping[str, Any]) -> bytes:
    """Return the body of a response; members that are None are omitted, at any depth."""
    body = _encoder.encode(response)
    # Most responses contain no None, and searching bytes is far cheaper than walking the response.
    return _encoder.encode(_without_nones(response)) if b"null" in body else body


def encode_error(refusal: Refusal) -> bytes:
    """Return the body of a refusal. AWS sends no message with UnknownOperation."""
    error: dict[str, Any] = {"__type": refusal.code()}
    if not isinstance(refusal, UnknownOperation):
        error |= {"message": str(refusal), **refusal.members}
    return _encoder.encode(_without_nones(error))


def _without_nones(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nones(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nones(item) for item in value]
    return value
