"""The texts that Signature Version 4 signs, and the keys that it signs them with.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from calendar import timegm
from collections.abc import Iterable
from email.utils import mktime_tz, parsedate_tz
from functools import lru_cache
from posixpath import normpath
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"

_BASIC_DATE = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_UNRESERVED = "-_.~"


class Scope(NamedTuple):
    """For whom a signature is meant: the day it was made (YYYYMMDD), a region and a service."""

    date: str
    region: str
    service: str

    def __str__(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/{TERMINATOR}"


def canonical_path(path: bytes) -> str:
    """Return the path as every service but S3 signs it: without empty and dot segments, each percent sign escaped."""
    if path in (b"/", b""):
        return "/"
    text = path.decode("latin-1")
    # normpath keeps two leading slashes, since POSIX gives them a meaning.
    normal = "/" + normpath(text).lstrip("/")
    if text.endswith("/") and normal != "/":
        normal += "/"
    return quote(normal, safe="/~", encoding="latin-1")


def query_pairs(query: bytes) -> list[tuple[str, str]]:
    """Return the parameters of a query, percent-encoded in the one way that is signed, in their order."""
    if not query:
        return []
    parts = [part.partition(b"=") for part in query.split(b"&")]
    return [(_recoded(name), _recoded(value)) for name, _, value in parts]


def _recoded(text: bytes) -> str:
    return quote(unquote_to_bytes(text), safe=_UNRESERVED)


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Return encoded parameters in the order in which they are signed."""
    return "&".join([f"{name}={value}" for name, value in sorted(pairs)])


def canonical_headers(names: Iterable[str], values: dict[str, str]) -> str:
    """Return the lines of the signed headers; runs of white space count as one space."""
    return "".join([f"{name}:{' '.join(values[name].split())}\n" for name in names])


def string_to_sign(timestamp: str, scope: Scope, canonical_request: str) -> str:
    """Return the text that the signature is made of; `timestamp` has the ISO 8601 basic format."""
    digest = hashlib.sha256(canonical_request.encode("latin-1")).hexdigest()  # header values are bytes, read so
    return f"{ALGORITHM}\n{timestamp}\n{scope}\n{digest}"


def signature(secret: str, scope: Scope, text: str) -> str:
    """Return the hexadecimal signature of a string to sign."""
    return hmac.digest(_signing_key(secret, scope), text.encode("latin-1"), "sha256").hex()


@lru_cache(maxsize=4096)
def _signing_key(secret: str, scope: Scope) -> bytes:
    """A key is good for a day, so that four of the five HMACs of a request are saved."""
    key = hmac.digest(b"AWS4" + secret.encode(), scope.date.encode(), "sha256")
    for part in (scope.region, scope.service, TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def same(left: str, right: str) -> bool:
    """Compare in a time that does not depend on where the two differ."""
    return hmac.compare_digest(left.encode("utf-8", "replace"), right.encode("utf-8", "replace"))


@lru_cache(maxsize=1024)
def seconds_of(timestamp: str) -> int:
    """Return the seconds since 1970 of a date in the ISO 8601 basic format; raises ValueError for anything else."""
    if not _BASIC_DATE.fullmatch(timestamp):
        raise ValueError(timestamp)
    return timegm(time.strptime(timestamp, "%Y%m%dT%H%M%SZ"))


def basic_date(seconds: int) -> str:
    """Return a time in the ISO 8601 basic format, as AWS writes it in signatures and messages."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def basic_date_of_header(value: str) -> str:
    """Return the basic form of a `Date` header, which may also be an HTTP date; raises ValueError for anything else."""
    if _BASIC_DATE.fullmatch(value):
        return value
    parsed = parsedate_tz(value)
    if parsed is None:
        raise ValueError(value)
    return basic_date(mktime_tz(parsed))
