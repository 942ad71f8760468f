"""The STS operations that clients of a registry need, in AWS's query protocol (`query`).

A request is a form (`Action=GetCallerIdentity&Version=2011-06-15`), a response is XML.
https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from moorage.aws import query
from moorage.aws.query import FormLimits, QueryRequest, element, fault_of
from moorage.domain.errors import Refusal
from moorage.domain.identity.session_errors import (
    ExpiredIdentityToken,
    InvalidIdentityToken,
    MalformedPolicyDocument,
    RootCannotAssume,
    SessionTooLong,
    WebIdentityDenied,
)
from moorage.domain.units import iso_time

VERSION: Final = "2011-06-15"
NAMESPACE: Final = f"https://sts.amazonaws.com/doc/{VERSION}/"
MAX_BODY_BYTES: Final = 65536
_LIMITS: Final = FormLimits(MAX_BODY_BYTES, parameters=100)

_CODES: Final[Mapping[type[Refusal], tuple[int, str]]] = {
    **query.CODES,
    ExpiredIdentityToken: (400, "ExpiredTokenException"),
    InvalidIdentityToken: (400, "InvalidIdentityToken"),
    MalformedPolicyDocument: (400, "MalformedPolicyDocument"),
    RootCannotAssume: (403, "AccessDenied"),
    SessionTooLong: (400, "ValidationError"),
    WebIdentityDenied: (403, "AccessDenied"),
}


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
    """Parse a form of at most 64 KiB and 100 parameters. Raises as `query.parse_form`."""
    return query.parse_form(body, _LIMITS)


def caller_identity_response(arn: str, user_id: str, account: str, request_id: str) -> bytes:
    """Return the XML of GetCallerIdentity."""
    result = element("Arn", arn) + element("UserId", user_id) + element("Account", account)
    return query.response_xml(NAMESPACE, "GetCallerIdentity", result, request_id)


def session_token_response(credentials: SessionCredentials, request_id: str) -> bytes:
    """Return the XML of GetSessionToken."""
    return query.response_xml(NAMESPACE, "GetSessionToken", _credentials(credentials), request_id)


def assumed_role_response(
    action: str, assumed: AssumedRoleResult, web_identity: Mapping[str, str], request_id: str
) -> bytes:
    """Return the XML of AssumeRole or AssumeRoleWithWebIdentity; `web_identity` has the members of the latter only."""
    user = element("AssumedRoleId", assumed.id) + element("Arn", assumed.arn)
    members = _credentials(assumed.credentials) + f"<AssumedRoleUser>{user}</AssumedRoleUser>"
    if assumed.packed is not None:
        members += element("PackedPolicySize", str(assumed.packed))
    members += "".join(element(name, text) for name, text in web_identity.items())
    return query.response_xml(NAMESPACE, action, members, request_id)


def refusal_response(refusal: Refusal, request_id: str) -> tuple[int, bytes]:
    """Return status and XML of a refusal, with its name in the query protocol."""
    status, code = _CODES.get(type(refusal), (400, type(refusal).__name__))
    return status, error_xml(code, str(refusal), request_id, fault=fault_of(status))


def error_xml(code: str, message: str, request_id: str, *, fault: str = "Sender") -> bytes:
    """Return the XML of an error; `fault` is Sender or Receiver."""
    return query.error_xml(NAMESPACE, code, message, request_id, fault=fault)


def _credentials(credentials: SessionCredentials) -> str:
    expiration = iso_time(credentials.expires)
    members = (
        element("AccessKeyId", credentials.access_key)
        + element("SecretAccessKey", credentials.secret)
        + element("SessionToken", credentials.session_token)
        + element("Expiration", expiration)
    )
    return f"<Credentials>{members}</Credentials>"
