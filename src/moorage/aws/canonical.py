"""The strings that Signature Version 4 signs, and the keys that sign them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from calendar import timegm
from collections.abc import Iterable, Mapping, Sequence
from email.utils import mktime_tz, parsedate_tz
from posixpath import normpath
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

from moorage.bounds import bounded_cache

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"

_BASIC_DATE = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
UNRESERVED = "-_.~"


class Scope(NamedTuple):
    """Where and when a signature is valid: the day it was made (YYYYMMDD), a Region and a service."""

    date: str
    region: str
    service: str

    def __str__(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/{TERMINATOR}"


def request_head(method: str, path: str, query: str, names: Sequence[str], values: Mapping[str, str]) -> str:
    """Return the canonical request up to the hash of the body; `names` are the signed headers in their order."""
    lines = "".join([f"{name}:{' '.join(values[name].split())}\n" for name in names])
    return f"{method}\n{path}\n{query}\n{lines}\n{';'.join(names)}\n"


def canonical_path(path: bytes) -> str:
    """Return the path as all services except S3 sign it: no empty or dot segments, percent signs escaped again."""
    if path in (b"/", b""):
        return "/"
    text = path.decode("latin-1")
    # normpath keeps two leading slashes, because POSIX gives them a meaning.
    normal = "/" + normpath(text).lstrip("/")
    if text.endswith("/") and normal != "/":
        normal += "/"
    return quote(normal, safe="/~", encoding="latin-1")


def query_pairs(query: bytes) -> list[tuple[str, str]]:
    """Return the parameters of a query in their order, percent-encoded as they are signed."""
    if not query:
        return []
    parts = [part.partition(b"=") for part in query.split(b"&")]
    return [(_recoded(name), _recoded(value)) for name, _, value in parts]


def _recoded(text: bytes) -> str:
    return quote(unquote_to_bytes(text), safe=UNRESERVED)


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Return encoded parameters in the order in which they are signed."""
    return "&".join([f"{name}={value}" for name, value in sorted(pairs)])


def string_to_sign(timestamp: str, scope: Scope, canonical_request: str) -> str:
    """Return the string that is signed; `timestamp` has the ISO 8601 basic format."""
    digest = hashlib.sha256(canonical_request.encode("latin-1")).hexdigest()  # latin-1: header values are bytes
    return f"{ALGORITHM}\n{timestamp}\n{scope}\n{digest}"


def signature(secret: str, scope: Scope, text: str) -> str:
    """Return the hexadecimal signature of a string to sign."""
    return hmac.digest(_signing_key(secret, scope), text.encode("latin-1"), "sha256").hex()


@bounded_cache(entries=4096, size=1 << 20, weigh=lambda secret, scope: len(secret) + sum(map(len, scope)))
def _signing_key(secret: str, scope: Scope) -> bytes:
    """A key is valid for a day, so keeping it saves four of the five HMACs of a request."""
    key = hmac.digest(b"AWS4" + secret.encode(), scope.date.encode(), "sha256")
    for part in (scope.region, scope.service, TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def same(left: str, right: str) -> bool:
    """Compare two strings in a time that does not depend on where they differ."""
    return hmac.compare_digest(left.encode("utf-8", "replace"), right.encode("utf-8", "replace"))


@bounded_cache(entries=1024, size=1 << 16)
def seconds_of(timestamp: str) -> int:
    """Return the seconds since 1970 of a date in the ISO 8601 basic format. Raises ValueError for other formats."""
    if not _BASIC_DATE.fullmatch(timestamp):
        raise ValueError(timestamp)
    return timegm(time.strptime(timestamp, "%Y%m%dT%H%M%SZ"))


def basic_date(seconds: int) -> str:
    """Return a time in the ISO 8601 basic format, which AWS uses in signatures and messages."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def basic_date_of_header(value: str) -> str:
    """Return a `Date` header in basic format. It may be in that format or an HTTP date. Raises ValueError otherwise."""
    if _BASIC_DATE.fullmatch(value):
        return value
    parsed = parsedate_tz(value)
    if parsed is None:
        raise ValueError(value)
    return basic_date(mktime_tz(parsed))
