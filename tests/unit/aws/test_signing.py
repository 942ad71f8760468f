"""The client side of Signature Version 4: its signatures are those of botocore, and the server accepts them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from unittest import mock

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage.aws import sigv4
from moorage.aws.signing import RequestLine, SigningKey, encoded_query, presigned_query, signed_headers

KEY = SigningKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-west-3", "ecr")
HOST = "127.0.0.1:5000"
MOMENT = datetime(2026, 11, 24, 3, 4, 5, tzinfo=UTC)
NOW = int(MOMENT.timestamp())
TEXTS = st.text(
    st.characters(min_codepoint=160, max_codepoint=0x2FF) | st.characters(min_codepoint=32, max_codepoint=126),
    max_size=12,
)


@pytest.fixture(autouse=True)
def one_moment() -> object:
    """Both sign for the same second."""
    with mock.patch.object(auth, "get_current_datetime", return_value=MOMENT.replace(tzinfo=None)):
        yield


@pytest.mark.parametrize("body", [b"{}", b'{"repositoryName":"team/app"}', b"x" * 100_000])
@pytest.mark.parametrize("token", [None, "a token/+="])
def test_a_signature_is_the_same_as_botocore_s(body: bytes, token: str | None) -> None:
    headers = {"content-type": "application/x-amz-json-1.1", "host": HOST, "x-amz-target": "Registry.PutImage"}
    theirs = AWSRequest(method="POST", url=f"http://{HOST}/", data=body, headers=headers)
    auth.SigV4Auth(Credentials(KEY.id, KEY.secret, token), "ecr", KEY.region).add_auth(theirs)
    if token is not None:
        headers["x-amz-security-token"] = token

    ours = signed_headers(KEY, RequestLine("POST", "/"), headers, hashlib.sha256(body).hexdigest(), NOW)

    assert ours["x-amz-date"] == theirs.headers["X-Amz-Date"]
    assert ours["authorization"] == theirs.headers["Authorization"]


@settings(deadline=None)
@given(st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=4))
def test_a_query_is_encoded_and_signed_like_botocore_s(parameters: dict[str, str]) -> None:
    theirs = AWSRequest(method="GET", url=f"http://{HOST}/", params=parameters, headers={"host": HOST})
    auth.SigV4Auth(Credentials(KEY.id, KEY.secret), "ecr", KEY.region).add_auth(theirs)
    line = RequestLine("GET", "/", encoded_query(parameters))

    ours = signed_headers(KEY, line, {"host": HOST}, hashlib.sha256().hexdigest(), NOW)

    assert ours["authorization"] == theirs.headers["Authorization"]


def test_a_presigned_query_is_the_same_as_botocore_s() -> None:
    theirs = AWSRequest(method="GET", url=f"https://{HOST}/bucket/key")
    auth.S3SigV4QueryAuth(Credentials(KEY.id, KEY.secret), "ecr", KEY.region, expires=600).add_auth(theirs)

    query = presigned_query(KEY, RequestLine("GET", "/bucket/key"), HOST, NOW, 600)

    assert sorted(query.split("&")) == sorted(theirs.url.partition("?")[2].split("&"))


def test_the_server_accepts_signatures_of_the_client() -> None:
    body = hashlib.sha256(b"{}").hexdigest()
    headers = signed_headers(KEY, RequestLine("POST", "/"), {"host": HOST}, body, NOW)
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]

    claim = sigv4.parse("POST", b"/", b"", sent)

    sigv4.verify(claim, KEY.secret, body, NOW * 1_000_000)


def test_a_secret_is_not_shown() -> None:
    assert KEY.secret not in repr(KEY)
