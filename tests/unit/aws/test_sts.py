"""The query protocol of STS: forms in, XML out that botocore reads."""

from __future__ import annotations

import contextlib
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import QueryParser
from hypothesis import given
from hypothesis import strategies as st

from moorage.aws import sts
from moorage.domain.errors import (
    AccessDenied,
    ExpiredToken,
    InvalidParameter,
    InvalidSignature,
    RequestEntityTooLarge,
    Serialization,
    UnrecognizedClient,
)

STS_MODEL = ServiceModel(Loader().load_service_model("sts", "service-2"))
REQUEST_ID = "12345678-1234-1234-1234-123456789012"


def read_by_botocore(operation: str, body: bytes, status: int = 200) -> dict[str, Any]:
    shape = STS_MODEL.operation_model(operation).output_shape
    parsed: dict[str, Any] = QueryParser().parse({"body": body, "headers": {}, "status_code": status}, shape)
    return parsed


def test_a_form_is_read() -> None:
    request = sts.parse_request(b"Action=GetSessionToken&Version=2011-06-15&DurationSeconds=900&Name=a+b%2F%C3%A9")

    assert (request.action, request.version) == ("GetSessionToken", "2011-06-15")
    assert request.parameters == {"DurationSeconds": "900", "Name": "a b/é"}


@pytest.mark.parametrize("body", [b"", b"&&", b"Version=2011-06-15", b"Action="])
def test_a_form_without_an_action_has_none(body: bytes) -> None:
    request = sts.parse_request(body)

    assert request.action == ""
    status, xml = sts.refusal_response(request.unknown(), REQUEST_ID)
    assert (status, read_by_botocore("GetCallerIdentity", xml, status)["Error"]["Code"]) == (400, "MissingAction")


@pytest.mark.parametrize("body", [b"a=%FF", b"\xff", "é=1".encode(), b"&".join(b"a%d=1" % i for i in range(101))])
def test_a_body_that_is_not_a_form_is_refused(body: bytes) -> None:
    with pytest.raises(Serialization):
        sts.parse_request(body)


def test_a_form_has_at_most_64_kib() -> None:
    sts.parse_request(b"a=" + b"x" * 65534)
    with pytest.raises(RequestEntityTooLarge):
        sts.parse_request(b"a=" + b"x" * 65535)


@given(st.binary(max_size=100))
def test_any_body_gives_a_request_or_a_refusal(body: bytes) -> None:
    with contextlib.suppress(Serialization):
        sts.parse_request(body)


def test_botocore_reads_the_caller_identity() -> None:
    arn = 'arn:aws:iam::123456789012:user/<&">'

    parsed = read_by_botocore(
        "GetCallerIdentity", sts.caller_identity_response(arn, "AIDA", "123456789012", REQUEST_ID)
    )

    assert parsed == {
        "Arn": arn,
        "UserId": "AIDA",
        "Account": "123456789012",
        "ResponseMetadata": {"RequestId": REQUEST_ID, "HTTPStatusCode": 200, "HTTPHeaders": {}},
    }


def test_botocore_reads_a_session_token() -> None:
    credentials = sts.SessionCredentials("ASIA", "secret/+=", "token\n\t<>", 1_440_938_160_999_999)

    parsed = read_by_botocore("GetSessionToken", sts.session_token_response(credentials, REQUEST_ID))["Credentials"]

    assert (parsed["AccessKeyId"], parsed["SecretAccessKey"]) == ("ASIA", "secret/+=")
    assert parsed["SessionToken"] == "token\n\t<>"
    assert parsed["Expiration"].isoformat() == "2015-08-30T12:36:00+00:00"
    assert "secret" not in repr(credentials).replace("SessionCredentials", "")


def test_an_unknown_action_is_an_invalid_action() -> None:
    request = sts.parse_request(b"Action=Assume%3CRole&Version=2011-06-15")

    status, xml = sts.refusal_response(request.unknown(), REQUEST_ID)

    assert status == 400
    assert read_by_botocore("GetCallerIdentity", xml, status)["Error"] == {
        "Type": "Sender",
        "Code": "InvalidAction",
        "Message": "Could not find operation Assume<Role for version 2011-06-15",
    }


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [
        (UnrecognizedClient(), 403, "InvalidClientTokenId"),
        (InvalidSignature(reason="Signature expired: …"), 403, "SignatureDoesNotMatch"),
        (ExpiredToken(), 403, "ExpiredToken"),
        (AccessDenied(principal="p", action="a", resource="r", reason="b"), 403, "AccessDenied"),
        (InvalidParameter(parameter="durationSeconds", constraint="too short"), 400, "ValidationError"),
        (Serialization(reason="no form"), 400, "MalformedQueryString"),
    ],
)
def test_a_refusal_has_its_name_in_the_query_protocol(refusal: Any, status: int, code: str) -> None:
    response_status, xml = sts.refusal_response(refusal, REQUEST_ID)

    error = read_by_botocore("GetCallerIdentity", xml, response_status)
    assert (response_status, error["Error"]["Code"], error["Error"]["Message"]) == (status, code, str(refusal))
    assert error["ResponseMetadata"]["RequestId"] == REQUEST_ID


@given(st.text() | st.characters(categories=["Cs", "Cc", "Cn"]))
def test_any_text_makes_readable_xml(text: str) -> None:
    root = ET.fromstring(sts.error_xml(text, text, text))

    assert root.tag == f"{{{sts.NAMESPACE}}}ErrorResponse"
