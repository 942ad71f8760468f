"""Requests to one bucket, signed with Signature Version 4: in headers, or in a URL.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from moorage.aws.signing import RequestLine, SigningKey, encoded_query, presigned_query, signed_headers
from moorage.domain.buckets import Bucket, BucketKey
from moorage.domain.units import SECOND

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Signer:
    """Signs requests to one bucket."""

    def __init__(self, bucket: Bucket, key: BucketKey, now: Callable[[], int] | None = None) -> None:
        """`now` returns microseconds since 1970; the default is the clock of the machine."""
        url = urlsplit(bucket.base)
        self._base = bucket.base
        self._host = url.netloc
        self._path = url.path
        self._key = SigningKey(key.id, key.secret, bucket.region, "s3")
        self._now = now

    def url(self, key: str, query: Mapping[str, str]) -> str:
        """The URL of an object, or of the bucket for an empty key."""
        return f"{self._base}{key}?{encoded_query(query)}" if query else f"{self._base}{key}"

    def headers(
        self, method: str, key: str, query: Mapping[str, str], payload_sha256: str, others: Mapping[str, str] = NOTHING
    ) -> dict[str, str]:
        """The headers that authorize a request with this body and these `others`, which are signed, too."""
        line = RequestLine(method, self._path + key, encoded_query(query))
        headers = {"host": self._host, "x-amz-content-sha256": payload_sha256, **others}
        return signed_headers(self._key, line, headers, payload_sha256, self._seconds())

    def link(self, key: str, seconds: int) -> str:
        """A URL that anybody can use to fetch the object for that many seconds."""
        line = RequestLine("GET", self._path + key)
        return f"{self._base}{key}?{presigned_query(self._key, line, self._host, self._seconds(), seconds)}"

    def _seconds(self) -> int:
        return self._now() // SECOND if self._now else int(time.time())
