"""Errors before an operation is reached, in the protocol of the service: unknown names, large bodies, no signature."""

from __future__ import annotations

import http.client

import pytest

from moorage.aws.signing import RequestLine
from tests.api.services.raw import JSON, RawCaller, refusal_of
from tests.support.server import Server


@pytest.mark.parametrize("line", [RequestLine("GET", "/signing-profiles/a/b/c"), RequestLine("PATCH", "/tags/x")])
def test_an_unknown_path_of_a_rest_service_is_an_unknown_operation(server: Server, line: RequestLine) -> None:
    refused = refusal_of(RawCaller(server).send(line, b"", {}, "signer"))

    assert (refused.status, refused.code) == (404, "UnknownOperationException")


def test_an_unknown_target_of_a_json_service_is_an_unknown_operation(server: Server) -> None:
    headers = {"content-type": JSON, "x-amz-target": "secretsmanager.GetSecret"}

    answer = RawCaller(server).send(RequestLine("POST", "/"), b"{}", headers, "secretsmanager")

    assert (answer.status, answer.json()) == (400, {"__type": "UnknownOperationException"})


@pytest.mark.parametrize(
    ("line", "headers", "service"),
    [
        (RequestLine("POST", "/signing-jobs/with-payload"), {}, "signer"),
        (
            RequestLine("POST", "/"),
            {"content-type": JSON, "x-amz-target": "secretsmanager.PutSecretValue"},
            "secretsmanager",
        ),
    ],
)
def test_a_body_of_more_than_1_mib_is_refused(
    server: Server, line: RequestLine, headers: dict[str, str], service: str
) -> None:
    refused = refusal_of(RawCaller(server).send(line, b" " * ((1 << 20) + 1), headers, service))

    assert (refused.status, refused.code) == (413, "RequestEntityTooLargeException")


def test_a_request_without_a_signature_is_for_no_rest_service(server: Server) -> None:
    """Only the signature says for which service a path is. Nothing is revealed of what is there."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    try:
        connection.request("GET", "/signing-profiles/release")
        assert connection.getresponse().status == 404
    finally:
        connection.close()
