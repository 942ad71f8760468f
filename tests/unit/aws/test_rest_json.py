"""AWS's REST protocol: routes, members in path, query and body, their types, and hostile forms of each."""

from __future__ import annotations

import json
from typing import Any

import pytest

from moorage.aws.rest_json import RestRequest, Routes, decode
from moorage.aws.service_model import MODELS
from moorage.domain.errors import Serialization, UnknownOperation, Validation

MODEL = MODELS["signer"]
ROUTES = Routes(MODEL)
ARN = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/release"


def decoded(method: str, target: str, body: bytes = b"") -> tuple[str, dict[str, Any]]:
    path, _, query = target.encode().partition(b"?")
    operation = ROUTES.operation_at(method, path)
    return operation.name, decode(operation, RestRequest(method, path, query, {}), body)


@pytest.mark.parametrize("operation", MODEL.operations.values(), ids=lambda operation: operation.name)
def test_each_operation_is_found_by_its_method_and_path(operation: Any) -> None:
    path = operation.path.replace("{resourceArn}", ARN.replace(":", "%3A").replace("/", "%2F")).replace("{", "x")

    assert ROUTES.operation_at(operation.method, path.replace("}", "").encode()) == operation


def test_a_fixed_segment_goes_before_a_label() -> None:
    assert ROUTES.operation_at("POST", b"/signing-jobs/with-payload").name == "SignPayload"
    assert ROUTES.operation_at("GET", b"/signing-jobs/with-payload").name == "DescribeSigningJob"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("PATCH", "/signing-profiles/a"),
        ("get", "/signing-profiles"),
        ("GET", "/signing-profiles/a/b/c"),
        ("GET", "/Signing-Profiles"),
        ("GET", "/tags/arn:aws:signer:us-east-1:000000000000:/signing-profiles/release"),
    ],
)
def test_any_other_request_is_an_unknown_operation(method: str, path: str) -> None:
    with pytest.raises(UnknownOperation):
        ROUTES.operation_at(method, path.encode())


def test_members_come_from_path_query_and_body() -> None:
    assert decoded("GET", "/signing-profiles/release?profileOwner=000000000000") == (
        "GetSigningProfile",
        {"profileName": "release", "profileOwner": "000000000000"},
    )
    assert decoded("DELETE", "/tags/arn%3Aaws%3As?tagKeys=a&tagKeys=b") == (
        "UntagResource",
        {"resourceArn": "arn:aws:s", "tagKeys": ["a", "b"]},
    )
    body = json.dumps({"reason": "x", "jobId": "of the body", "unknown": 1}).encode()
    assert decoded("PUT", "/signing-jobs/of-the-path/revoke", body) == (
        "RevokeSignature",
        {"jobId": "of-the-path", "reason": "x"},
    )


def test_texts_outside_the_body_have_the_types_of_the_model() -> None:
    query = "includeCanceled=true&maxResults=25&statuses=Active&statuses=Revoked"
    _, listed = decoded("GET", f"/signing-profiles?{query}")
    assert listed == {"includeCanceled": True, "maxResults": 25, "statuses": ["Active", "Revoked"]}

    asked = (
        f"/revocations?signatureTimestamp=2026-01-31T12%3A00%3A00.5Z&platformId=p&profileVersionArn={ARN}"
        f"&jobArn={ARN}&certificateHashes=00&certificateHashes=11"
    )
    _, members = decoded("GET", asked)
    assert members["signatureTimestamp"] == 1769860800.5
    assert members["certificateHashes"] == ["00", "11"]


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/signing-profiles?includeCanceled=True", b""),
        ("GET", "/signing-profiles?maxResults=1e1", b""),
        ("GET", "/signing-profiles?maxResults=+1", b""),
        ("GET", "/signing-profiles?maxResults=1_0", b""),
        ("GET", "/signing-profiles?maxResults=" + "9" * 5000, b""),
        ("GET", "/signing-profiles?maxResults=1&maxResults=2", b""),
        ("GET", "/signing-profiles?nextToken=%ff", b""),
        ("GET", "/signing-profiles?" + "&".join(["a=b"] * 301), b""),
        ("GET", "/signing-profiles/%ff", b""),
        ("GET", "/revocations?signatureTimestamp=2026-01-31", b""),
        ("GET", "/revocations?signatureTimestamp=2026-13-31T12:00:00Z", b""),
        ("GET", "/revocations?signatureTimestamp=1769860800", b""),
        ("PUT", "/signing-profiles/release", b"[]"),
        ("PUT", "/signing-profiles/release", b'{"platformId": "a", "platformId": "b"}'),
        ("PUT", "/signing-profiles/release", b'{"platformId": "a", "PlatformId": "b"}'),
        ("PUT", "/signing-profiles/release", b'{"tags": [], "platformId": "a"}'),
        ("POST", "/signing-jobs/with-payload", b'{"payload": 5, "profileName": "release", "payloadFormat": "x"}'),
    ],
)
def test_a_wrong_type_or_form_is_a_serialization_error(method: str, target: str, body: bytes) -> None:
    with pytest.raises(Serialization):
        decoded(method, target, body)


def test_several_broken_constraints_are_listed() -> None:
    with pytest.raises(Validation) as refused:
        decoded("GET", "/signing-profiles/x?profileOwner=1")

    assert str(refused.value) == (
        "2 validation errors detected: "
        "Value 'x' at 'profileName' failed to satisfy constraint: Member must have length greater than or equal to 2; "
        "Value '1' at 'profileOwner' failed to satisfy constraint: Member must have length greater than or equal to 12"
    )


def test_a_bad_key_or_value_is_reported_at_its_map() -> None:
    keys = "Map keys must satisfy constraint: [Member must have length less than or equal to 128, "
    for tags, text in (
        ({"a": "x" * 257}, "Map value must satisfy constraint: [Member must have length less than or equal to 256]"),
        ({"a": None}, "Map value must satisfy constraint: [Member must not be null]"),
        ({"aws:x": "y"}, keys),
    ):
        with pytest.raises(Validation) as refused:
            decoded("POST", "/tags/x", json.dumps({"tags": tags}).encode())

        assert f"Value at 'tags' failed to satisfy constraint: {text}" in str(refused.value)
