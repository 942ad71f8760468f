"""Verify Signature Version 4: pure functions of headers, a secret and a time.

    signed = parse(method, path, query, headers, services=("ecr",))     before the body is read: what the request claims
    verify(signed, secret, body_sha256, now)                            after it: whether the claim is true

The checks have the order and the texts of AWS's JSON services. Some of the texts contain a hash of the authorization
header, as AWS's do. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from moorage.aws.canonical import (
    ALGORITHM,
    TERMINATOR,
    Scope,
    basic_date,
    basic_date_of_header,
    canonical_path,
    canonical_query,
    query_pairs,
    request_head,
    same,
    seconds_of,
    signature,
    string_to_sign,
)
from moorage.domain.errors import IncompleteSignature, InvalidSignature, MissingAuthenticationToken
from moorage.domain.units import SECOND

SKEW_MINUTES = 5
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
_PARTS = ("Credential", "Signature", "SignedHeaders")
_REGION = re.compile(r"[a-z0-9-]{1,64}")
_SCOPE_LENGTHS = (4, 5)
"""Elements of a credential: a scope for several Regions (AWS4-ECDSA-P256-SHA256) does not name one."""
_WRONG_REGION = "Credential should be scoped to a valid region, not '{}'."


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The claims of a request's signature. `verify` proves them.

    `timestamp` has the ISO 8601 basic format. `stated_sha256` is x-amz-content-sha256. `head` is the canonical request
    up to the hash of the body.
    """

    access_key: str
    scope: Scope
    session_token: str | None = field(repr=False)
    timestamp: str
    stated_sha256: str | None
    signature: str = field(repr=False)
    head: str = field(repr=False)

    @property
    def region(self) -> str:
        return self.scope.region

    @property
    def service(self) -> str:
        return self.scope.service


def parse(
    method: str,
    path: bytes,
    query: bytes,
    headers: Iterable[tuple[bytes, bytes]],
    services: tuple[str, ...] = ("ecr",),
) -> SignedRequest:
    """Read the signature of a request. Path and query are raw; header names have lower case.

    `services` are the services that the credential scope may name; the refusal names the first. Raises
    MissingAuthenticationToken, IncompleteSignature or InvalidSignature.
    """
    values = _joined(headers)
    authorization = values.get("authorization", "")
    algorithm, _, rest = authorization.partition(" ")
    if not algorithm.startswith("AWS4-"):
        raise MissingAuthenticationToken
    parts = _authorization_parts(authorization, rest)
    timestamp = _timestamp(values, _missing_parts(parts), authorization)
    names = parts["SignedHeaders"].lower().split(";")
    _check_signed_headers(names, values)
    if algorithm != ALGORITHM:
        raise IncompleteSignature(reason=f"Unsupported AWS 'algorithm': '{algorithm}' (only {ALGORITHM} for now). ")
    access_key, scope = credential_scope(parts["Credential"], timestamp, services)
    parameters = canonical_query(query_pairs(query))
    return SignedRequest(
        access_key=access_key,
        scope=scope,
        session_token=values.get("x-amz-security-token"),
        timestamp=timestamp,
        stated_sha256=values.get("x-amz-content-sha256"),
        signature=parts["Signature"],
        head=request_head(method, canonical_path(path), parameters, names, values),
    )


def verify_head(signed: SignedRequest, secret: str, now: int) -> None:
    """Check the date of a signature, and the signature if a header states the hash of the body.

    `now` is in microseconds since 1970. Raises InvalidSignature.
    """
    if signed.stated_sha256 is None:
        _check_skew(signed.timestamp, now // SECOND)
    else:
        verify(signed, secret, signed.stated_sha256, now)


def verify(signed: SignedRequest, secret: str, body_sha256: str, now: int) -> None:
    """Check a signature. `body_sha256` is the hexadecimal hash of the received body, `now` microseconds since 1970.

    The signed hash must be the hash of the body: UNSIGNED-PAYLOAD and STREAMING-… do not match. For an unknown access
    key, call this with any secret, so that it takes the same time. Raises InvalidSignature.
    """
    _check_skew(signed.timestamp, now // SECOND)
    text = string_to_sign(signed.timestamp, signed.scope, signed.head + body_sha256)
    genuine = same(signature(secret, signed.scope, text), signed.signature)
    if not genuine or signed.stated_sha256 not in (None, body_sha256):
        raise InvalidSignature(reason=MISMATCH)


def credential_scope(credential: str, timestamp: str, services: tuple[str, ...]) -> tuple[str, Scope]:
    """Return the access key and the scope of `keyid/date/region/service/aws4_request`.

    The date must be that of `timestamp`. Raises IncompleteSignature for another form, and InvalidSignature, which names
    each wrong part.
    """
    elements = credential.split("/")
    if len(elements) != 5:
        raise IncompleteSignature(
            reason="Credential must have exactly 5 slash-delimited elements, "
            f"e.g. keyid/date/region/service/term, got '{credential}'"
        )
    access_key, date, region, service, terminator = elements
    wrong = []
    if not _REGION.fullmatch(region):
        wrong.append(_WRONG_REGION.format(region))
    if service not in services:
        wrong.append(f"Credential should be scoped to correct service: '{services[0]}'.")
    if terminator != TERMINATOR:
        wrong.append(f"Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{terminator}'.")
    if date != timestamp[:8]:
        wrong.append(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{date}' != '{timestamp[:8]}', from '{timestamp}'."
        )
    if wrong:
        raise InvalidSignature(reason=" ".join(wrong))
    return access_key, Scope(date, region, service)


def claimed_service(authorization: str | None) -> str | None:
    """The service that a signature claims to be for, unchecked; None if the header has no signature."""
    if authorization is None or not authorization.startswith("AWS4-"):
        return None
    elements = authorization.partition("Credential=")[2].partition(",")[0].split("/")
    return elements[-2] if len(elements) in _SCOPE_LENGTHS else None


def invalid_region(region: str) -> InvalidSignature:
    """The refusal of a signature for a Region that does not exist."""
    return InvalidSignature(reason=_WRONG_REGION.format(region))


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Join the values of a repeated header with commas. So a request with two dates has no valid date."""
    values: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        values[name] = f"{values[name]},{value}" if name in values else value
    return values


def _authorization_parts(authorization: str, rest: str) -> dict[str, str]:
    parts = {}
    for part in rest.split(","):
        name, equals, value = part.strip().partition("=")
        if name and not equals:
            raise IncompleteSignature(
                reason="Invalid key=value pair (missing equal-sign) in Authorization header "
                f"(hashed with SHA-256 and encoded with Base64): '{_hashed(authorization)}'."
            )
        parts[name] = value
    return parts


def _missing_parts(parts: dict[str, str]) -> list[str]:
    return [f"Authorization header requires '{part}' parameter." for part in _PARTS if not parts.get(part)]


def _timestamp(values: dict[str, str], missing: list[str], authorization: str) -> str:
    """Return the request's date in basic format. A refusal lists all that is missing, the date last, as AWS does."""
    stated = values.get("x-amz-date") or values.get("date")
    if not stated:
        missing = [*missing, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."]
    if not stated or missing:
        raise IncompleteSignature(
            reason=f"{' '.join(missing)} "
            f"(Hashed with SHA-256 and encoded with Base64) Authorization={_hashed(authorization)}"
        )
    try:
        timestamp = stated if "x-amz-date" in values else basic_date_of_header(stated)
        seconds_of(timestamp)
    except (ValueError, OverflowError) as error:
        raise IncompleteSignature(
            reason=f"Date must be in ISO-8601 'basic format'. Got '{stated}'. See http://en.wikipedia.org/wiki/ISO_8601"
        ) from error
    return timestamp


def _hashed(authorization: str) -> str:
    return base64.b64encode(hashlib.sha256(authorization.encode("latin-1")).digest()).decode()


def _check_signed_headers(names: list[str], values: dict[str, str]) -> None:
    """AWS requires `host`. All x-amz-* headers must be signed, so that nobody can add one to a request."""
    if "host" not in names:
        raise InvalidSignature(reason="'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    for name in values:
        if name.startswith("x-amz-") and name not in names:
            raise InvalidSignature(reason=f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")
    if not all(name in values for name in names):
        raise InvalidSignature(reason=MISMATCH)


def _check_skew(timestamp: str, now: int) -> None:
    made = seconds_of(timestamp)
    earliest, latest = now - SKEW_MINUTES * 60, now + SKEW_MINUTES * 60
    if made < earliest:
        raise InvalidSignature(
            reason=f"Signature expired: {timestamp} is now earlier than {basic_date(earliest)} "
            f"({basic_date(now)} - {SKEW_MINUTES} min.)"
        )
    if made > latest:
        raise InvalidSignature(
            reason=f"Signature not yet current: {timestamp} is still later than {basic_date(latest)} "
            f"({basic_date(now)} + {SKEW_MINUTES} min.)"
        )
