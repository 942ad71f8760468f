"""Signature Version 4: requests signed by botocore are accepted, and changed ones are refused with AWS's messages."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage.aws.sigv4 import MISMATCH, SignedRequest, parse, verify
from moorage.domain.errors import (
    IncompleteSignature,
    InvalidSignature,
    MissingAuthenticationToken,
    Refusal,
)

ACCESS_KEY = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
MADE = 1_440_938_160  # 2015-08-30T12:36:00Z
TARGET = "AmazonEC2ContainerRegistry_V20150921.PutImage"
HOST = "localhost:5000"


@dataclass(frozen=True)
class Sent:
    """A request as the server receives it."""

    method: str
    path: bytes
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def with_header(self, name: str, value: str | None) -> Sent:
        """The request with a header set, or without it for None."""
        others = tuple(header for header in self.headers if header[0] != name.encode())
        return replace(self, headers=others if value is None else (*others, (name.encode(), value.encode("latin-1"))))

    def header(self, name: str) -> str:
        return dict(self.headers)[name.encode()].decode("latin-1")

    def with_authorization(self, pattern: str, replacement: str) -> Sent:
        changed = re.sub(pattern, replacement, self.header("authorization"))
        assert changed != self.header("authorization")
        return self.with_header("authorization", changed)


def signed_by_botocore(
    *,
    body: bytes = b"{}",
    target: str = "/",
    extra: dict[str, str] | None = None,
    token: str | None = None,
    **scope: str,
) -> Sent:
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": TARGET} | (extra or {})
    request = AWSRequest("POST", f"http://{HOST}{target}", headers=headers, data=body)
    signer = SigV4Auth(
        Credentials(ACCESS_KEY, SECRET, token), scope.get("service", "ecr"), scope.get("region", "eu-west-1")
    )
    now = dt.datetime.fromtimestamp(MADE, dt.UTC)
    with mock.patch("botocore.auth.get_current_datetime", return_value=now):
        signer.add_auth(request)
    sent = [(name.lower().encode(), value.encode("latin-1")) for name, value in request.headers.items()]
    path, _, query = target.partition("?")
    return Sent("POST", path.encode(), query.encode(), (*sent, (b"host", HOST.encode())), body)


def checked(sent: Sent, *, secret: str = SECRET, now: int = MADE, **options: Any) -> SignedRequest:
    signed = parse(sent.method, sent.path, sent.query, sent.headers, **options)
    verify(signed, secret, hashlib.sha256(sent.body).hexdigest(), now * 1_000_000)
    return signed


def refused(kind: type[Refusal], sent: Sent, **options: Any) -> str:
    with pytest.raises(Refusal) as caught:
        checked(sent, **options)
    assert type(caught.value) is kind
    return str(caught.value)


# --- Valid requests -------------------------------------------------------------------------------------------------


def test_a_request_of_botocore_is_accepted() -> None:
    signed = checked(signed_by_botocore())

    assert (signed.access_key, signed.region, signed.service) == (ACCESS_KEY, "eu-west-1", "ecr")
    assert signed.session_token is None


def test_the_session_token_is_returned() -> None:
    assert checked(signed_by_botocore(token="a token/+=")).session_token == "a token/+="


def test_secrets_do_not_appear_in_a_signed_request() -> None:
    signed = checked(signed_by_botocore(token="canary-token"))

    assert "canary" not in repr(signed)
    assert signed.signature not in repr(signed)


def test_the_vector_of_the_aws_documentation_is_accepted() -> None:
    """get-vanilla of AWS's Signature Version 4 test suite."""
    authorization = (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )
    headers = (
        (b"host", b"example.amazonaws.com"),
        (b"x-amz-date", b"20150830T123600Z"),
        (b"authorization", authorization.encode()),
    )

    checked(Sent("GET", b"/", b"", headers, b""), services=("service",))


HEADER_VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
SEGMENTS = st.sampled_from(["a", "b-c", ".", "..", "", "%20", "%2F", "x~y", "d_e.f", "%C3%A9"])
QUERY_PARTS = st.sampled_from(["a=1", "a=0", "b=", "A=%20", "a-b=~", "a=%2F", "%C3%A9=x"])


@settings(deadline=None, max_examples=300)
@given(
    body=st.binary(max_size=64),
    segments=st.lists(SEGMENTS, max_size=5),
    query=st.lists(QUERY_PARTS, max_size=4),
    extra=st.dictionaries(st.sampled_from(["X-Amz-Meta", "X-Custom", "Accept", "X-Amz-Other"]), HEADER_VALUES),
    token=st.none() | st.sampled_from(["token", "b64/+=="]),
)
def test_any_request_signed_by_botocore_is_accepted(
    body: bytes, segments: list[str], query: list[str], extra: dict[str, str], token: str | None
) -> None:
    target = "/" + "/".join(segments) + ("?" + "&".join(query) if query else "")
    if target.startswith("//"):
        target = "/x" + target

    checked(signed_by_botocore(body=body, target=target, extra=extra, token=token))


@pytest.mark.parametrize("region", ["eu-west-1", "us-gov-east-1", "local", "0"])
def test_any_region_is_accepted(region: str) -> None:
    assert checked(signed_by_botocore(region=region)).region == region


def test_one_of_several_services_is_accepted() -> None:
    assert checked(signed_by_botocore(service="sts"), services=("ecr", "sts")).service == "sts"


def test_a_correct_stated_hash_is_accepted() -> None:
    true = hashlib.sha256(b"{}").hexdigest()

    checked(signed_by_botocore(extra={"X-Amz-Content-SHA256": true}))


def test_the_date_header_replaces_a_missing_x_amz_date() -> None:
    sent = signed_by_botocore(extra={"Date": "now"})

    assert checked(sent).timestamp == "20150830T123600Z"
    assert b"x-amz-date" not in dict(sent.headers)


def test_white_space_in_the_authorization_header_is_ignored() -> None:
    checked(signed_by_botocore().with_authorization(", ", ",   "))
    checked(signed_by_botocore().with_authorization(", ", ","))


def test_headers_that_a_proxy_adds_are_ignored() -> None:
    checked(signed_by_botocore().with_header("x-forwarded-for", "10.0.0.1").with_header("x-amzn-trace-id", "Root=1"))


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_clock_may_be_five_minutes_off(seconds: int) -> None:
    checked(signed_by_botocore(), now=MADE + seconds)


# --- Changed requests -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda sent: replace(sent, body=b'{"a":1}'),
        lambda sent: replace(sent, method="PUT"),
        lambda sent: replace(sent, path=b"/v2/"),
        lambda sent: replace(sent, query=b"a=1"),
        lambda sent: sent.with_header("host", "elsewhere"),
        lambda sent: sent.with_header("content-type", "text/plain"),
        lambda sent: sent.with_header("content-type", None),
        lambda sent: sent.with_header("x-amz-target", TARGET.replace("Put", "Get")),
        lambda sent: sent.with_header("x-amz-date", "20150830T123601Z"),
        lambda sent: replace(sent, headers=(*sent.headers, (b"x-amz-target", b"another"))),
        lambda sent: replace(sent, headers=(*sent.headers, (b"host", b"another"))),
        lambda sent: sent.with_authorization("eu-west-1", "eu-west-2"),
        lambda sent: sent.with_authorization("Signature=.", "Signature=x"),
        lambda sent: sent.with_authorization("Signature=.*", "Signature=\xe9"),
        lambda sent: sent.with_authorization("Signature=(.*)", r"Signature=\g<1>0"),
        lambda sent: sent.with_authorization("host;", "host;host;"),
    ],
)
def test_any_change_is_a_mismatch(change: Any) -> None:
    assert refused(InvalidSignature, change(signed_by_botocore())) == MISMATCH


def test_another_secret_is_a_mismatch() -> None:
    assert refused(InvalidSignature, signed_by_botocore(), secret=SECRET.lower()) == MISMATCH


@pytest.mark.parametrize("stated", ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "0" * 64, ""])
def test_a_wrong_stated_hash_is_a_mismatch(stated: str) -> None:
    assert refused(InvalidSignature, signed_by_botocore(extra={"X-Amz-Content-SHA256": stated})) == MISMATCH


# --- Missing or malformed parts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "", "Basic QVdTOng=", "Bearer x", "aws4-hmac-sha256 Credential=a"])
def test_without_a_signature_the_token_is_missing(value: str | None) -> None:
    sent = signed_by_botocore().with_header("authorization", value)

    assert refused(MissingAuthenticationToken, sent) == "Missing Authentication Token"


def test_each_missing_part_is_named() -> None:
    bare = signed_by_botocore().with_header("authorization", "AWS4-HMAC-SHA256").with_header("x-amz-date", None)

    message = refused(IncompleteSignature, bare)

    assert message.startswith(
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. "
        "Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either "
        "a 'X-Amz-Date' or a 'Date' header. (Hashed with SHA-256 and encoded with Base64) Authorization="
    )


@pytest.mark.parametrize("part", ["Credential", "Signature", "SignedHeaders"])
def test_one_missing_part_is_named(part: str) -> None:
    message = refused(IncompleteSignature, signed_by_botocore().with_authorization(f"{part}=[^,]*", ""))

    assert message.startswith(f"Authorization header requires '{part}' parameter. (Hashed")


def test_a_part_without_an_equals_sign_is_refused() -> None:
    sent = signed_by_botocore().with_authorization("Signature=.*", "Signature")

    assert "(missing equal-sign) in Authorization header" in refused(IncompleteSignature, sent)


def test_refusals_do_not_repeat_a_signature() -> None:
    sent = signed_by_botocore()
    signature = sent.header("authorization").rpartition("=")[2]

    assert signature not in refused(IncompleteSignature, sent.with_header("x-amz-date", None))


@pytest.mark.parametrize(
    "date",
    ["201", "20150830T123600", "2015-08-30T12:36:00Z", "20151330T123600Z", "20150231T000000Z", "٢" * 8 + "T000000Z"],
)
def test_an_invalid_date_is_refused(date: str) -> None:
    sent = signed_by_botocore()
    headers = tuple((name, date.encode() if name == b"x-amz-date" else value) for name, value in sent.headers)

    assert refused(IncompleteSignature, replace(sent, headers=headers)).startswith(
        "Date must be in ISO-8601 'basic format'. Got '"
    )


@pytest.mark.parametrize("date", ["yesterday", "Sun, 30 Aug 99999 12:36:00 GMT", "0"])
def test_an_invalid_date_header_is_refused(date: str) -> None:
    sent = signed_by_botocore(extra={"Date": "now"}).with_header("date", date)

    assert refused(IncompleteSignature, sent).startswith("Date must be in ISO-8601 'basic format'.")


def test_two_dates_count_as_no_date() -> None:
    sent = signed_by_botocore()

    twice = replace(sent, headers=(*sent.headers, (b"x-amz-date", b"20150830T123600Z")))

    assert "Got '20150830T123600Z,20150830T123600Z'" in refused(IncompleteSignature, twice)


def test_another_algorithm_is_refused() -> None:
    sent = signed_by_botocore().with_authorization("AWS4-HMAC-SHA256", "AWS4-HMAC-MD5")

    assert refused(IncompleteSignature, sent).startswith("Unsupported AWS 'algorithm': 'AWS4-HMAC-MD5'")


@pytest.mark.parametrize("credential", ["a", "a/b/c/d", "a/b/c/d/e/f"])
def test_a_credential_needs_five_elements(credential: str) -> None:
    sent = signed_by_botocore().with_authorization("Credential=[^,]*", f"Credential={credential}")

    assert refused(IncompleteSignature, sent) == (
        "Credential must have exactly 5 slash-delimited elements, "
        f"e.g. keyid/date/region/service/term, got '{credential}'"
    )


# --- Scope, signed headers, time ------------------------------------------------------------------------------------


def test_the_service_must_be_the_expected_one() -> None:
    message = refused(InvalidSignature, signed_by_botocore(service="s3"))

    assert message == "Credential should be scoped to correct service: 'ecr'."


def test_all_errors_of_a_scope_are_named_together() -> None:
    sent = signed_by_botocore().with_authorization("Credential=[^,]*", "Credential=a/b/C/d/e")

    assert refused(InvalidSignature, sent) == (
        "Credential should be scoped to a valid region, not 'C'. "
        "Credential should be scoped to correct service: 'ecr'. "
        "Credential should be scoped with a valid terminator: 'aws4_request', not 'e'. "
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
        "'b' != '20150830', from '20150830T123600Z'."
    )


def test_the_day_of_the_scope_must_be_that_of_the_request() -> None:
    sent = signed_by_botocore().with_authorization("/20150830/", "/20150829/")

    assert "'20150829' != '20150830', from '20150830T123600Z'" in refused(InvalidSignature, sent)


def test_the_host_must_be_signed() -> None:
    message = refused(InvalidSignature, signed_by_botocore().with_authorization("host;", ""))

    assert message == "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."


@pytest.mark.parametrize("name", ["x-amz-security-token", "x-amz-content-sha256", "x-amz-anything"])
def test_an_amz_header_that_is_not_signed_is_refused(name: str) -> None:
    sent = signed_by_botocore().with_header(name, "added")

    assert refused(InvalidSignature, sent) == f"'{name}' must be a 'SignedHeader' in the AWS Authorization."


def test_an_old_signature_has_expired() -> None:
    assert refused(InvalidSignature, signed_by_botocore(), now=MADE + 301) == (
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"
    )


def test_a_signature_from_the_future_is_not_yet_current() -> None:
    assert refused(InvalidSignature, signed_by_botocore(), now=MADE - 301) == (
        "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)"
    )


@settings(deadline=None)
@given(
    authorization=st.text(st.characters(max_codepoint=255), max_size=80), date=st.text(max_size=20), name=st.booleans()
)
def test_any_headers_give_a_refusal(authorization: str, date: str, name: bool) -> None:
    headers = [
        (b"authorization", b"AWS4-HMAC-SHA256 " + authorization.encode("latin-1")),
        (b"x-amz-date" if name else b"date", date.encode("utf-8", "replace")),
        (b"host", b"\xff\x00"),
    ]
    with pytest.raises(Refusal):
        checked(Sent("POST", b"/\xff%", b"%=&&%zz=\xff", tuple(headers), b""))
