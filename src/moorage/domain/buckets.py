"""The location of blobs in an object store, parsed from the text of a setting."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlsplit

SCHEME: Final = "s3"

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX: Final = re.compile(r"[A-Za-z0-9._/-]*")
_PARAMETERS: Final = frozenset({"endpoint", "region", "addressing"})


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket and the prefix of our keys in it.

    `base` is the URL that keys are appended to; `prefix` is empty or ends with a slash. `endpoint` is the URL of the
    object store.
    """

    name: str
    endpoint: str
    base: str
    region: str
    prefix: str

    @classmethod
    def parse(cls, text: str) -> Bucket:
        """Read `s3://NAME/PREFIX?endpoint=URL&region=REGION&addressing=path|virtual`. Raises ValueError."""
        url = urlsplit(text)
        parameters = dict(parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query)))
        if url.scheme != SCHEME or _NAME.fullmatch(url.netloc) is None or parameters.keys() - _PARAMETERS:
            raise ValueError(f"{text!r} is not s3://BUCKET/PREFIX?endpoint=URL&region=REGION")
        prefix = url.path.strip("/")
        if _PREFIX.fullmatch(prefix) is None:
            raise ValueError(f"the prefix {prefix!r} may contain only letters, digits and . _ - /")
        region = parameters.get("region", "us-east-1")
        endpoint = parameters.get("endpoint")
        base = _base(url.netloc, region, endpoint, parameters.get("addressing"))
        return cls(url.netloc, _root(endpoint, region), base, region, f"{prefix}/" if prefix else "")


@dataclass(frozen=True, slots=True)
class BucketKey:
    """The access key for a bucket."""

    id: str
    secret: str = field(repr=False)


def _base(bucket: str, region: str, endpoint: str | None, addressing: str | None) -> str:
    """The base URL. By default, a given endpoint gets the bucket in the path, and Amazon S3 in the host name."""
    if addressing not in {None, "path", "virtual"}:
        raise ValueError("addressing must be path or virtual")
    url = urlsplit(_root(endpoint, region))
    if url.scheme not in {"http", "https"} or not url.hostname or url.path.strip("/") or url.query:
        raise ValueError(f"the endpoint {endpoint!r} is not http://HOST[:PORT] or https://HOST[:PORT]")
    if (addressing or ("path" if endpoint else "virtual")) == "virtual":
        return f"{url.scheme}://{bucket}.{url.netloc}/"
    return f"{url.scheme}://{url.netloc}/{bucket}/"


def _root(endpoint: str | None, region: str) -> str:
    """The URL of the object store."""
    return (endpoint or f"https://s3.{region}.amazonaws.com").rstrip("/")
