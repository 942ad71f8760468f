"""AWS's query protocol, which STS and IAM have: a form names an action and its parameters; a response is XML.

`query_shapes` translates between parameters, responses and the shapes of a service model.
https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_plus

from moorage.bounds import MESSAGE_LIMIT, shortened
from moorage.domain.errors import (
    AccessDenied,
    BodyTimeout,
    ExpiredToken,
    FrontDoorRefusal,
    IncompleteSignature,
    InvalidParameter,
    InvalidSignature,
    MissingAuthenticationToken,
    Refusal,
    RequestEntityTooLarge,
    Serialization,
    Throttling,
    Unavailable,
    UnrecognizedClient,
    UnsupportedOperation,
    Validation,
)

FORM: Final = "application/x-www-form-urlencoded"
"""The content type of requests."""

CONTENT_TYPE: Final = "text/xml"
"""The content type of responses."""


class MissingAction(FrontDoorRefusal):
    template = "The request must contain the parameter Action"


class InvalidAction(FrontDoorRefusal):
    """The service has no action with that name."""

    template = "Could not find operation {action} for version {version}"


CODES: Final[Mapping[type[Refusal], tuple[int, str]]] = {
    AccessDenied: (403, "AccessDenied"),
    BodyTimeout: (408, "RequestTimeout"),
    ExpiredToken: (403, "ExpiredToken"),
    IncompleteSignature: (400, "IncompleteSignature"),
    InvalidAction: (400, "InvalidAction"),
    InvalidParameter: (400, "ValidationError"),
    InvalidSignature: (403, "SignatureDoesNotMatch"),
    MissingAction: (400, "MissingAction"),
    MissingAuthenticationToken: (403, "MissingAuthenticationToken"),
    RequestEntityTooLarge: (413, "RequestEntityTooLarge"),
    Serialization: (400, "MalformedQueryString"),
    Throttling: (400, "Throttling"),
    Unavailable: (503, "ServiceUnavailable"),
    UnrecognizedClient: (403, "InvalidClientTokenId"),
    UnsupportedOperation: (400, "InvalidAction"),
    Validation: (400, "ValidationError"),
}
"""Status and code of refusals. The protocol has other names than the JSON services' …Exception, and often 403."""

# XML 1.0 cannot represent control characters, surrogates and the two non-characters.
_UNWRITABLE = [*range(0x20), 0x7F, *range(0xD800, 0xE000), 0xFFFE, 0xFFFF]
_ESCAPES = dict.fromkeys(_UNWRITABLE, "\ufffd") | {
    ord("\t"): "&#9;",
    ord("\n"): "&#10;",
    ord("\r"): "&#13;",
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
    ord('"'): "&quot;",
    ord("'"): "&apos;",
}


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """A request; `parameters` has neither Action nor Version."""

    action: str
    version: str
    parameters: Mapping[str, str]

    def unknown(self) -> FrontDoorRefusal:
        """The refusal of a request whose action the service does not have."""
        if not self.action:
            return MissingAction()
        return InvalidAction(action=self.action, version=self.version or "NO_VERSION_SPECIFIED")


@dataclass(frozen=True, slots=True)
class FormLimits:
    """The size of a service's forms."""

    body_bytes: int
    parameters: int


def parse_form(body: bytes, limits: FormLimits) -> QueryRequest:
    """Parse a form. The last of several parameters with one name wins; a parameter without a value is empty.

    Raises RequestEntityTooLarge, and Serialization for too many parameters or text that is not UTF-8.
    """
    if len(body) > limits.body_bytes:
        raise RequestEntityTooLarge(limit=limits.body_bytes)
    try:
        parts = [part.partition("=") for part in body.decode("ascii").split("&") if part]
        parameters = {_decoded(name): _decoded(value) for name, _, value in parts[: limits.parameters + 1]}
    except UnicodeDecodeError as error:
        raise Serialization(reason="The request body is not a form in UTF-8") from error
    if len(parts) > limits.parameters:
        raise Serialization(reason=f"The request has more than {limits.parameters} parameters")
    return QueryRequest(parameters.pop("Action", ""), parameters.pop("Version", ""), parameters)


def response_xml(namespace: str, action: str, result: str | None, request_id: str) -> bytes:
    """Return the XML of a response. `result` is the XML of the members; None for an operation without any."""
    wrapped = "" if result is None else f"<{action}Result>{result}</{action}Result>"
    content = f"{wrapped}<ResponseMetadata>{element('RequestId', request_id)}</ResponseMetadata>"
    return f'<{action}Response xmlns="{namespace}">{content}</{action}Response>'.encode()


def error_xml(namespace: str, code: str, message: str, request_id: str, *, fault: str = "Sender") -> bytes:
    """Return the XML of an error; `fault` is Sender or Receiver."""
    error = element("Type", fault) + element("Code", code) + element("Message", shortened(message, MESSAGE_LIMIT))
    content = f"<Error>{error}</Error>{element('RequestId', request_id)}"
    return f'<ErrorResponse xmlns="{namespace}">{content}</ErrorResponse>'.encode()


def fault_of(status: int) -> str:
    """Who caused an error with this HTTP status."""
    return "Sender" if status < 500 else "Receiver"


def element(name: str, text: str) -> str:
    """The XML of an element with text. `name` is one of a model."""
    return f"<{name}>{text.translate(_ESCAPES)}</{name}>"


def _decoded(text: str) -> str:
    return unquote_plus(text, errors="strict")
