"""Checks before the operation, with AWS's messages: target, signature, size and syntax."""

from __future__ import annotations

import json
import re
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.ecr.wire import CONTENT_TYPE, TARGET_PREFIX, Refusal, Wire
from tests.conftest import StartServer
from tests.support.server import Server

TARGET = TARGET_PREFIX + "DescribeRegistry"
MISMATCH = (
    400,
    "InvalidSignatureException",
    (
        "The request signature we calculated does not match the signature you provided. "
        "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    ),
)
UNRECOGNIZED = (400, "UnrecognizedClientException", "The security token included in the request is invalid.")
NO_OBJECT = (400, "SerializationException", "The request body is not a JSON object")


def sent(wire: Wire, headers: dict[str, str], body: bytes = b"{}", **more: str) -> Refusal:
    """The refusal of a request with these headers. It is AWS JSON, even if the request accepts other formats."""
    answer = wire.send(headers, body, **more)
    assert answer.headers["Content-Type"] == CONTENT_TYPE
    assert re.fullmatch(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", answer.headers["x-amzn-RequestId"])
    return answer.refusal


# --- The target -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        None,
        "",
        "DescribeRegistry",
        TARGET_PREFIX,
        TARGET_PREFIX + "describeRegistry",
        TARGET_PREFIX + "DropDatabase",
        TARGET + ".x",
        "AmazonEC2ContainerServiceV20141113.ListClusters",
        "x" * 5000,
    ],
)
def test_an_unknown_target_is_an_unknown_operation(wire: Wire, target: str | None) -> None:
    """AWS sends no message with it and does not check the signature."""
    signed = wire.signer.headers(target, b"{}")
    unsigned = {name: value for name, value in signed.items() if name != "authorization"}
    assert sent(wire, signed) == sent(wire, unsigned) == (400, "UnknownOperationException", "")
    assert wire.send(signed, b"{}").json() == {"__type": "UnknownOperationException"}


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/x-amz-json-1.0", "text/plain", "", "multipart/form-data"]
)
def test_only_aws_json_1_1_is_accepted(wire: Wire, content_type: str) -> None:
    signed = wire.signer.headers(TARGET, b"{}", content_type)

    assert sent(wire, signed) == (400, "UnknownOperationException", "")


def test_a_content_type_may_have_parameters(wire: Wire) -> None:
    signed = wire.signer.headers(TARGET, b"{}", CONTENT_TYPE + "; charset=utf-8")

    assert wire.send(signed, b"{}").status == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_post_is_accepted(wire: Wire, method: str) -> None:
    signed = wire.signer.headers(TARGET, b"{}")

    assert sent(wire, signed, method=method) == (400, "UnknownOperationException", "")


# --- The signature --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("region", ["us-east-1", "mars-north-1", "us-gov-west-1", "us-isob-east-1", "eusc-de-east-1"])
def test_a_good_signature_is_accepted_for_every_name_that_a_region_of_aws_could_have(wire: Wire, region: str) -> None:
    assert wire.call("DescribeRegistry", region=region).status == 200


@pytest.mark.parametrize("region", ["-", "--", "local", "us-east", "us-east-1-", "u-east-1", "us-east-100", "1-a-1"])
def test_a_signature_for_another_name_is_refused(wire: Wire, region: str) -> None:
    refused = wire.call("DescribeRegistry", region=region).refusal

    message = f"Credential should be scoped to a valid region, not '{region}'."
    assert refused == (400, "InvalidSignatureException", message)


@pytest.mark.parametrize("authorization", [None, "", "Basic QVdTOng=", "Bearer x", "AWS AKIA:x"])
def test_a_request_without_a_signature_lacks_an_authentication_token(wire: Wire, authorization: str | None) -> None:
    headers = wire.signer.headers(TARGET, b"{}")
    headers.pop("authorization")
    if authorization is not None:
        headers["authorization"] = authorization

    assert sent(wire, headers) == (400, "MissingAuthenticationTokenException", "Missing Authentication Token")


def test_an_unknown_access_key_is_unrecognized(wire: Wire) -> None:
    assert wire.call("DescribeRegistry", key="AKIA" + "Q" * 16).refusal == UNRECOGNIZED
    assert wire.call("DescribeRegistry", key="' OR 1=1 --").refusal == UNRECOGNIZED
    assert wire.call("DescribeRegistry", key="x" * 3000).refusal == UNRECOGNIZED


def test_a_wrong_secret_does_not_match(wire: Wire) -> None:
    assert wire.call("DescribeRegistry", secret="x" * 40).refusal == MISMATCH


def test_a_body_that_was_changed_on_the_way_does_not_match(wire: Wire) -> None:
    body = b'{"repositoryName": "tests/signed"}'
    signed = wire.signer.headers(TARGET_PREFIX + "DeleteRepository", body)

    assert sent(wire, signed, body.replace(b"signed", b"forged")) == MISMATCH


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-amz-target", TARGET_PREFIX + "DescribeRepositories"),
        ("host", "elsewhere.example"),
        ("content-type", CONTENT_TYPE + ";x=y"),
    ],
)
def test_a_signed_header_that_was_changed_does_not_match(wire: Wire, name: str, value: str) -> None:
    assert sent(wire, wire.signer.headers(TARGET, b"{}") | {name: value}) == MISMATCH


def test_a_query_that_was_added_does_not_match(wire: Wire) -> None:
    assert sent(wire, wire.signer.headers(TARGET, b"{}"), path="/?x=1") == MISMATCH


def test_an_unsigned_payload_does_not_match(wire: Wire) -> None:
    headers = wire.signer.headers(TARGET, b"{}")
    extra = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}

    refused = sent(wire, headers | extra)

    assert refused.code == "InvalidSignatureException"


def test_a_signature_for_another_service_is_rejected(wire: Wire) -> None:
    refused = wire.call("DescribeRegistry", service="ecs").refusal

    message = "Credential should be scoped to correct service: 'ecr'."
    assert refused == (400, "InvalidSignatureException", message)


def test_an_invalid_region_is_rejected(wire: Wire) -> None:
    refused = wire.call("DescribeRegistry", region="EU WEST").refusal

    message = "Credential should be scoped to a valid region, not 'EU WEST'."
    assert refused == (400, "InvalidSignatureException", message)


@pytest.mark.parametrize("minutes", [-4, 4])
def test_a_clock_may_be_wrong_by_less_than_five_minutes(wire: Wire, minutes: int) -> None:
    assert wire.call("DescribeRegistry", when=datetime.now(UTC) + timedelta(minutes=minutes)).status == 200


@pytest.mark.parametrize(
    ("minutes", "message"),
    [
        (-6, r"Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 5 min\.\)"),
        (6, r"Signature not yet current: \d{8}T\d{6}Z is still later than \d{8}T\d{6}Z \(\d{8}T\d{6}Z \+ 5 min\.\)"),
    ],
)
def test_a_clock_that_is_wrong_by_more_is_rejected_with_both_times(wire: Wire, minutes: int, message: str) -> None:
    refused = wire.call("DescribeRegistry", when=datetime.now(UTC) + timedelta(minutes=minutes)).refusal

    assert (refused.status, refused.code) == (400, "InvalidSignatureException")
    assert re.fullmatch(message, refused.message)


@pytest.mark.parametrize("part", ["Credential", "Signature", "SignedHeaders"])
def test_a_missing_part_of_the_signature_is_named(wire: Wire, part: str) -> None:
    headers = wire.signer.headers(TARGET, b"{}")
    headers["authorization"] = re.sub(rf"{part}=[^,]*(, )?", "", headers["authorization"])

    refused = sent(wire, headers)

    assert (refused.status, refused.code) == (400, "IncompleteSignatureException")
    assert refused.message.startswith(f"Authorization header requires '{part}' parameter.")


def test_a_missing_date_is_named(wire: Wire) -> None:
    headers = wire.signer.headers(TARGET, b"{}")
    del headers["x-amz-date"]

    refused = sent(wire, headers)

    assert (refused.status, refused.code) == (400, "IncompleteSignatureException")
    assert "requires existence of either a 'X-Amz-Date' or a 'Date' header" in refused.message


def test_the_signature_is_checked_before_the_request(wire: Wire) -> None:
    """An unauthenticated caller does not learn how the request would have been answered."""
    assert wire.call("CreateRepository", {"repositoryName": "UPPER"}, secret="x").refusal == MISMATCH
    assert wire.call("CreateRepository", b"{", key="AKIA").refusal == UNRECOGNIZED
    assert wire.call("GetLifecyclePolicy", {}, key="AKIA").refusal == UNRECOGNIZED


# --- The body -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"}",
        b"null",
        b"[]",
        b'"text"',
        b"7",
        b"{}{}",
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": 01}',
        b'{"repositoryName": "\xff"}',
        b'{"repositoryName": "\\ud800"}',
        b"\xef\xbb\xbf{}",
        b'{"a": 1,}',
        b"\0",
        b"a=b&c=d",
        b"<xml/>",
    ],
)
@pytest.mark.parametrize("operation", ["CreateRepository", "UploadLayerPart"])
def test_a_body_that_is_not_a_json_object_is_rejected(wire: Wire, operation: str, body: bytes) -> None:
    assert wire.call(operation, body).refusal == NO_OBJECT


@pytest.mark.parametrize("opening", [b'{"a":', b'{"a":[', b'{"repositoryName":', b'{"tags":[{"Key":'])
def test_deep_nesting_is_rejected(wire: Wire, opening: bytes) -> None:
    for depth in (100, 200_000):
        body = opening + b"[" * depth + b"]" * depth
        body += b"]" * opening.count(b"[") + b"}" * opening.count(b"{")
        refused = wire.call("CreateRepository", body).refusal
        assert refused.code in {"SerializationException", "InvalidParameterException"}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"repositoryName": 5}, "NUMBER_VALUE cannot be converted to String"),
        ({"repositoryName": ["a"]}, "Start of list found where not expected"),
        ({"repositoryName": {"a": 1}}, "Start of structure or map found where not expected."),
        ({"repositoryName": True}, "TRUE_VALUE cannot be converted to String"),
        ({"repositoryName": "ok", "tags": {}}, "Start of structure or map found where not expected."),
        ({"repositoryName": "ok", "tags": ["a"]}, "Unexpected field type"),
        (
            {"repositoryName": "ok", "imageScanningConfiguration": {"scanOnPush": "true"}},
            "STRING_VALUE cannot be converted to Boolean",
        ),
        ({"repositoryName": "ok", "encryptionConfiguration": "AES256"}, "Unexpected field type"),
    ],
)
def test_a_member_of_the_wrong_type_is_rejected(wire: Wire, request_: dict[str, Any], message: str) -> None:
    assert wire.call("CreateRepository", request_).refusal == (400, "SerializationException", message)


def test_a_number_in_quotes_is_not_a_number(wire: Wire) -> None:
    refused = wire.call("DescribeRepositories", {"maxResults": "10"}).refusal

    message = "STRING_VALUE cannot be converted to Integer"
    assert refused == (400, "SerializationException", message)


def test_unknown_members_and_nulls_are_ignored(wire: Wire) -> None:
    request = {"maxResults": None, "registryId": None, "nextToken": None, "unknown": {"a": [1]}}

    assert wire.call("DescribeRepositories", request).status == 200


@pytest.mark.parametrize(
    ("operation", "limit"),
    [
        ("CreateRepository", 1 << 20),
        ("GetLifecyclePolicy", 1 << 20),
        ("PutImage", (8 << 20) + 65536),
        ("UploadLayerPart", (28 << 20) + 4096),
    ],
)
def test_a_body_larger_than_any_request_is_rejected(server: Server, wire: Wire, operation: str, limit: int) -> None:
    """It is rejected because of its announced length before it is sent, or in the middle of chunks without a length."""
    headers = wire.signer.headers(TARGET_PREFIX + operation, b"")
    refused = f"Request body is larger than the maximum of {limit} bytes"

    announced = raw_response(server, headers | {"content-length": str(limit + 1)}, b"")
    assert announced[0] == 413
    assert announced[1] == {"__type": "RequestEntityTooLargeException", "message": refused}
    if limit == 1 << 20:
        piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
        streamed = raw_response(server, headers | {"transfer-encoding": "chunked"}, piece * 17 + b"0\r\n\r\n")
        assert streamed == announced


def raw_response(server: Server, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
    """Status and JSON of the response to a request that is sent as it is, complete or not."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((server.host, server.port), timeout=60) as connection:
        connection.sendall(f"POST / HTTP/1.1\r\n{lines}\r\n".encode() + body)
        received = b""
        while b"}" not in received.partition(b"\r\n\r\n")[2]:
            piece = connection.recv(65536)
            assert piece, received
            received += piece
    head, _, content = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(content)


def test_a_truncated_body_is_never_accepted_as_complete(server: Server, wire: Wire) -> None:
    body = json.dumps({"repositoryName": "tests/broken-off"}).encode()
    headers = wire.signer.headers(TARGET_PREFIX + "CreateRepository", body) | {"content-length": str(len(body) + 1)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    with socket.create_connection((server.host, server.port), timeout=60) as connection:
        connection.sendall(f"POST / HTTP/1.1\r\n{lines}\r\n".encode() + body)

    refused = wire.call("DescribeRepositories", {"repositoryNames": ["tests/broken-off"]}).refusal
    assert refused.code == "RepositoryNotFoundException"


def test_a_body_that_stops_arriving_is_abandoned_after_the_body_timeout(fresh_server: StartServer) -> None:
    server = fresh_server(extra_args=["--body-timeout", "2s"])
    headers = Wire(server).signer.headers(TARGET, b"{}") | {"content-length": "2"}
    started = time.monotonic()

    with socket.create_connection((server.host, server.port), timeout=60) as connection:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        connection.sendall(f"POST / HTTP/1.1\r\n{lines}\r\n".encode() + b"{")
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - started > 1.5


def test_a_repeated_header_that_decides_is_rejected(server: Server, wire: Wire) -> None:
    headers = wire.signer.headers(TARGET, b"{}") | {"content-length": "2"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    with socket.create_connection((server.host, server.port), timeout=60) as connection:
        connection.sendall(f"POST / HTTP/1.1\r\n{lines}X-Amz-Target: {TARGET}\r\n\r\n{{}}".encode())
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_request_signed_for_another_host_cannot_be_replayed(wire: Wire) -> None:
    signed = replace(wire.signer, host="other.example").headers(TARGET, b"{}")

    assert sent(wire, signed | {"host": wire.signer.host}) == MISMATCH
