"""Sign requests with Signature Version 4: the client side, for buckets, for the benchmark and for tests.

`tests/unit/aws/test_signing.py` compares the signatures with those of botocore.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote

from moorage.aws.canonical import (
    ALGORITHM,
    UNRESERVED,
    UNSIGNED_PAYLOAD,
    Scope,
    basic_date,
    canonical_query,
    request_head,
    signature,
    string_to_sign,
)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An access key, and the Region and the service to which its requests go."""

    id: str
    secret: str = field(repr=False)
    region: str
    service: str

    def scope(self, timestamp: str) -> Scope:
        """The scope of a signature that is made at `timestamp` (ISO 8601 basic format)."""
        return Scope(timestamp[:8], self.region, self.service)


class RequestLine(NamedTuple):
    """Method, path and query of a request. Path and query are sent and signed exactly as they are here."""

    method: str
    path: str
    query: str = ""


def encoded_query(parameters: Mapping[str, str]) -> str:
    """The parameters in the encoding and the order in which they must be signed and sent."""
    return canonical_query([(_encoded(name), _encoded(value)) for name, value in parameters.items()])


def signed_headers(
    key: SigningKey, line: RequestLine, headers: Mapping[str, str], payload_sha256: str, now: int
) -> dict[str, str]:
    """The headers with `x-amz-date` and `authorization` added; all of them are signed.

    `headers` has lower-case names and contains `host`; `now` is in seconds since 1970.
    """
    timestamp = basic_date(now)
    signed = {**headers, "x-amz-date": timestamp}
    proof = _signature(key, timestamp, line, signed, payload_sha256)
    names = ";".join(sorted(signed))
    credential = f"Credential={key.id}/{key.scope(timestamp)}"
    signed["authorization"] = f"{ALGORITHM} {credential}, SignedHeaders={names}, Signature={proof}"
    return signed


def presigned_query(key: SigningKey, line: RequestLine, host: str, now: int, lifetime: int) -> str:
    """The query that lets anybody send this request; `line` has none. Times are in seconds, `now` since 1970."""
    timestamp = basic_date(now)
    query = encoded_query(
        {
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{key.id}/{key.scope(timestamp)}",
            "X-Amz-Date": timestamp,
            "X-Amz-Expires": str(lifetime),
            "X-Amz-SignedHeaders": "host",
        }
    )
    proof = _signature(key, timestamp, line._replace(query=query), {"host": host}, UNSIGNED_PAYLOAD)
    return f"{query}&X-Amz-Signature={proof}"


def _signature(
    key: SigningKey, timestamp: str, line: RequestLine, headers: Mapping[str, str], payload_sha256: str
) -> str:
    head = request_head(*line, sorted(headers), headers)
    scope = key.scope(timestamp)
    return signature(key.secret, scope, string_to_sign(timestamp, scope, head + payload_sha256))


def _encoded(text: str) -> str:
    return quote(text, safe=UNRESERVED)
