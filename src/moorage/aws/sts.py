"""The STS operations that clients of a registry need, in AWS's query protocol.

A request is a form (`Action=GetCallerIdentity&Version=2011-06-15`), a response is XML.
https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from moorage.bounds import MESSAGE_LIMIT, shortened
from moorage.domain.errors import (
    AccessDenied,
    ExpiredToken,
    IncompleteSignature,
    InvalidParameter,
    InvalidSignature,
    MissingAuthenticationToken,
    Refusal,
    RequestEntityTooLarge,
    Serialization,
    Unavailable,
    UnrecognizedClient,
)
from moorage.domain.identity.session_errors import (
    ExpiredIdentityToken,
    InvalidIdentityToken,
    MalformedPolicyDocument,
    RootCannotAssume,
    SessionTooLong,
    WebIdentityDenied,
)
from moorage.domain.units import iso_time

FORM = "application/x-www-form-urlencoded"
"""The content type of the query protocol, which many services of AWS use."""

VERSION = "2011-06-15"
NAMESPACE = f"https://sts.amazonaws.com/doc/{VERSION}/"
MAX_BODY_BYTES = 65536
MAX_PARAMETERS = 100

# The query protocol has other names for the JSON services' …Exception, and often 403 instead of 400.
_CODES: Mapping[type[Refusal], tuple[int, str]] = {
    AccessDenied: (403, "AccessDenied"),
    ExpiredIdentityToken: (400, "ExpiredTokenException"),
    ExpiredToken: (403, "ExpiredToken"),
    IncompleteSignature: (400, "IncompleteSignature"),
    InvalidIdentityToken: (400, "InvalidIdentityToken"),
    InvalidParameter: (400, "ValidationError"),
    InvalidSignature: (403, "SignatureDoesNotMatch"),
    MalformedPolicyDocument: (400, "MalformedPolicyDocument"),
    MissingAuthenticationToken: (403, "MissingAuthenticationToken"),
    RequestEntityTooLarge: (413, "RequestEntityTooLarge"),
    RootCannotAssume: (403, "AccessDenied"),
    Serialization: (400, "MalformedQueryString"),
    SessionTooLong: (400, "ValidationError"),
    Unavailable: (503, "ServiceUnavailable"),
    UnrecognizedClient: (403, "InvalidClientTokenId"),
    WebIdentityDenied: (403, "AccessDenied"),
}

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
    """A request of the query protocol; `parameters` has neither Action nor Version."""

    action: str
    version: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SessionCredentials:
    """Temporary credentials; `expires` is in microseconds since 1970."""

    access_key: str
    secret: str = field(repr=False)
    session_token: str = field(repr=False)
    expires: int


@dataclass(frozen=True, slots=True)
class AssumedRoleResult:
    """The result of AssumeRole…: `id` is `AROA…:SESSION`, `packed` the policy size in percent of the limit."""

    credentials: SessionCredentials
    id: str
    arn: str
    packed: int | None


def parse_request(body: bytes) -> QueryRequest:
    """Parse a form. The last of several parameters with one name wins; a parameter without a value is empty.

    Raises RequestEntityTooLarge over 64 KiB, Serialization for more than 100 parameters or text that is not UTF-8.
    """
    if len(body) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge(limit=MAX_BODY_BYTES)
    try:
        parts = [part.partition("=") for part in body.decode("ascii").split("&") if part]
        parameters = {_decoded(name): _decoded(value) for name, _, value in parts[: MAX_PARAMETERS + 1]}
    except UnicodeDecodeError as error:
        raise Serialization(reason="The request body is not a form in UTF-8") from error
    if len(parts) > MAX_PARAMETERS:
        raise Serialization(reason=f"The request has more than {MAX_PARAMETERS} parameters")
    return QueryRequest(parameters.pop("Action", ""), parameters.pop("Version", ""), parameters)


def caller_identity_response(arn: str, user_id: str, account: str, request_id: str) -> bytes:
    """Return the XML of GetCallerIdentity."""
    result = _element("Arn", arn) + _element("UserId", user_id) + _element("Account", account)
    return _response("GetCallerIdentity", result, request_id)


def session_token_response(credentials: SessionCredentials, request_id: str) -> bytes:
    """Return the XML of GetSessionToken."""
    return _response("GetSessionToken", _credentials(credentials), request_id)


def assumed_role_response(
    action: str, assumed: AssumedRoleResult, web_identity: Mapping[str, str], request_id: str
) -> bytes:
    """Return the XML of AssumeRole or AssumeRoleWithWebIdentity; `web_identity` has the members of the latter only."""
    user = _element("AssumedRoleId", assumed.id) + _element("Arn", assumed.arn)
    members = _credentials(assumed.credentials) + f"<AssumedRoleUser>{user}</AssumedRoleUser>"
    if assumed.packed is not None:
        members += _element("PackedPolicySize", str(assumed.packed))
    members += "".join(_element(name, text) for name, text in web_identity.items())
    return _response(action, members, request_id)


def invalid_action_response(request: QueryRequest, request_id: str) -> tuple[int, bytes]:
    """Return status and XML for an unsupported action, or for a missing one."""
    if not request.action:
        return 400, error_xml("MissingAction", "The request must contain the parameter Action", request_id)
    message = f"Could not find operation {request.action} for version {request.version or 'NO_VERSION_SPECIFIED'}"
    return 400, error_xml("InvalidAction", message, request_id)


def refusal_response(refusal: Refusal, request_id: str) -> tuple[int, bytes]:
    """Return status and XML of a refusal, with its name in the query protocol."""
    status, code = _CODES.get(type(refusal), (400, type(refusal).__name__))
    return status, error_xml(code, str(refusal), request_id, fault="Sender" if status < 500 else "Receiver")


def error_xml(code: str, message: str, request_id: str, *, fault: str = "Sender") -> bytes:
    """Return the XML of an error; `fault` is Sender or Receiver."""
    error = _element("Type", fault) + _element("Code", code) + _element("Message", shortened(message, MESSAGE_LIMIT))
    content = f"<Error>{error}</Error>{_element('RequestId', request_id)}"
    return f'<ErrorResponse xmlns="{NAMESPACE}">{content}</ErrorResponse>'.encode()


def _credentials(credentials: SessionCredentials) -> str:
    expiration = iso_time(credentials.expires)
    members = (
        _element("AccessKeyId", credentials.access_key)
        + _element("SecretAccessKey", credentials.secret)
        + _element("SessionToken", credentials.session_token)
        + _element("Expiration", expiration)
    )
    return f"<Credentials>{members}</Credentials>"


def _response(action: str, result: str, request_id: str) -> bytes:
    content = (
        f"<{action}Result>{result}</{action}Result>"
        f"<ResponseMetadata>{_element('RequestId', request_id)}</ResponseMetadata>"
    )
    return f'<{action}Response xmlns="{NAMESPACE}">{content}</{action}Response>'.encode()


def _element(name: str, text: str) -> str:
    return f"<{name}>{text.translate(_ESCAPES)}</{name}>"


def _decoded(text: str) -> str:
    return unquote_plus(text, errors="strict")
