"""Signatures for S3 are the same as those of botocore, the reference."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from moorage.adapters.s3.client import EMPTY_SHA256
from moorage.adapters.s3.signing import Signer
from moorage.domain.buckets import Bucket, BucketKey

KEY = BucketKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
BUCKETS = [
    Bucket.parse("s3://registry/some/prefix?endpoint=http://127.0.0.1:9000&region=eu-west-1"),
    Bucket.parse("s3://registry?region=us-east-2"),
    Bucket.parse("s3://registry?endpoint=https://objects.example&addressing=virtual"),
]
QUERIES: list[dict[str, str]] = [{}, {"uploads": ""}, {"uploadId": "a/b+c=~", "partNumber": "10"}]


@pytest.fixture(autouse=True)
def one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sign for the same second."""
    now = time.gmtime(1_764_000_000)
    monkeypatch.setattr(time, "gmtime", lambda *_: now)


@pytest.mark.parametrize("bucket", BUCKETS, ids=lambda bucket: urlsplit(bucket.base).netloc)
@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "HEAD"])
def test_a_request_has_the_signature_of_botocore(bucket: Bucket, query: dict[str, str], method: str) -> None:
    key = f"{bucket.prefix}blobs/4b/4beb25a3-b780"
    signer = Signer(bucket, KEY)
    others = {"x-amz-copy-source": "/other/key"} if method == "PUT" else {}
    ours = signer.headers(method, key, query, EMPTY_SHA256, others)
    request = AWSRequest(method, signer.url(key, query), headers={"x-amz-content-sha256": EMPTY_SHA256, **others})
    request.context["timestamp"] = ours["x-amz-date"]
    auth = S3SigV4Auth(Credentials(KEY.id, KEY.secret), "s3", bucket.region)
    request.headers["X-Amz-Date"] = ours["x-amz-date"]
    canonical = auth.canonical_request(request)
    signature = auth.signature(auth.string_to_sign(request, canonical), request)

    assert ours["host"] == urlsplit(bucket.base).netloc
    assert ours["authorization"].endswith(f"Signature={signature}")


@pytest.mark.parametrize("bucket", BUCKETS, ids=lambda bucket: urlsplit(bucket.base).netloc)
def test_a_link_has_the_signature_of_botocore(bucket: Bucket) -> None:
    key = f"{bucket.prefix}blobs/4b/4beb25a3-b780"
    signer = Signer(bucket, KEY)
    request = AWSRequest("GET", signer.url(key, {}))
    auth = S3SigV4QueryAuth(Credentials(KEY.id, KEY.secret), "s3", bucket.region, expires=3600)
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    request.context["timestamp"] = moment
    auth._modify_request_before_signing(request)
    canonical = auth.canonical_request(request)
    signature = auth.signature(auth.string_to_sign(request, canonical), request)

    link = signer.link(key, 3600)

    assert link.startswith(bucket.base + key)
    assert f"X-Amz-Date={moment}" in link
    assert link.endswith(f"X-Amz-Signature={signature}")


def test_the_secret_is_not_printed() -> None:
    assert KEY.secret not in repr(KEY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s3://",
        "s3://Bucket",
        "s3://ab",
        "http://bucket",
        "s3://bucket/a b",
        "s3://bucket?endpoint=objects.example",
        "s3://bucket?endpoint=http://objects.example/path",
        "s3://bucket?region",
        "s3://bucket?colour=red",
        "s3://bucket?addressing=both",
    ],
)
def test_an_invalid_bucket_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=r"s3://|prefix|endpoint|addressing|bad query"):
        Bucket.parse(text)


def test_a_bucket_is_in_the_path_at_an_endpoint_and_in_the_host_name_at_amazon() -> None:
    assert [bucket.base for bucket in BUCKETS] == [
        "http://127.0.0.1:9000/registry/",
        "https://registry.s3.us-east-2.amazonaws.com/",
        "https://registry.objects.example/",
    ]
    assert [bucket.prefix for bucket in BUCKETS] == ["some/prefix/", "", ""]
