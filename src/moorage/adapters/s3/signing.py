"""The client's side of Signature Version 4 for S3: signed headers, and URLs that carry their signature.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote, urlsplit

from moorage.domain.buckets import Bucket, BucketKey

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_UNSIGNED: Final = "UNSIGNED-PAYLOAD"


def encoded_query(query: Mapping[str, str]) -> str:
    """Parameters in the one order and encoding that is signed; they are sent in the same."""
    return "&".join(f"{quote(name, safe='-_.~')}={quote(query[name], safe='-_.~')}" for name in sorted(query))


class Signer:
    """Signs requests to one bucket."""

    def __init__(self, bucket: Bucket, key: BucketKey, now: Callable[[], int] | None = None) -> None:
        """`now`: the time in microseconds since 1970, else the machine's clock tells it."""
        url = urlsplit(bucket.base)
        self._base = bucket.base
        self._host = url.netloc
        self._path = url.path
        self._region = bucket.region
        self._key = key
        self._derived = ("", b"")
        self._now = now

    def url(self, key: str, query: Mapping[str, str]) -> str:
        """The URL of an object; an empty key stands for the bucket."""
        return f"{self._base}{key}?{encoded_query(query)}" if query else f"{self._base}{key}"

    def headers(self, method: str, key: str, query: Mapping[str, str], payload_sha256: str) -> dict[str, str]:
        """The headers that authorize a request whose body has that hash."""
        moment = self._moment()
        signed = {"host": self._host, "x-amz-content-sha256": payload_sha256, "x-amz-date": moment}
        signature = self._signature(moment, [method, self._path + key, encoded_query(query)], signed, payload_sha256)
        credential = f"Credential={self._key.id}/{self._scope(moment)}"
        return {
            **signed,
            "authorization": f"{_ALGORITHM} {credential}, SignedHeaders={';'.join(signed)}, Signature={signature}",
        }

    def link(self, key: str, seconds: int) -> str:
        """A URL with which anybody can fetch an object for so long."""
        moment = self._moment()
        query = {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{self._key.id}/{self._scope(moment)}",
            "X-Amz-Date": moment,
            "X-Amz-Expires": str(seconds),
            "X-Amz-SignedHeaders": "host",
        }
        line = ["GET", self._path + key, encoded_query(query)]
        signature = self._signature(moment, line, {"host": self._host}, _UNSIGNED)
        return f"{self.url(key, query)}&X-Amz-Signature={signature}"

    def _signature(self, moment: str, line: list[str], signed: Mapping[str, str], payload: str) -> str:
        """`line` is method, path and query; the names of `signed` are in their order."""
        fields = "".join(f"{name}:{value}\n" for name, value in signed.items())
        canonical = "\n".join([*line, fields, ";".join(signed), payload])
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"{_ALGORITHM}\n{moment}\n{self._scope(moment)}\n{digest}"
        return hmac.digest(self._signing_key(moment[:8]), to_sign.encode(), "sha256").hex()

    def _scope(self, moment: str) -> str:
        return f"{moment[:8]}/{self._region}/s3/aws4_request"

    def _signing_key(self, day: str) -> bytes:
        """One day's key is derived once."""
        if self._derived[0] != day:
            key = b"AWS4" + self._key.secret.encode()
            for step in (day, self._region, "s3", "aws4_request"):
                key = hmac.digest(key, step.encode(), "sha256")
            self._derived = (day, key)
        return self._derived[1]

    def _moment(self) -> str:
        return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._now() // 1_000_000 if self._now else None))
