"""Bodies of requests and responses: hostile JSON, blobs, absent members, errors."""

from __future__ import annotations

import base64
import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.aws.codec import decode, encode, encode_error
from moorage.aws.constraints import violations
from moorage.aws.service_model import OPERATIONS, SHAPES
from moorage.domain.errors import InvalidParameter, Refusal, Serialization, UnknownOperation
from moorage.domain.registry.errors import InvalidLayerPart, Kms, RepositoryNotFound
from tests.unit.aws.samples import sample

UPLOAD = OPERATIONS["UploadLayerPart"]
PUT_IMAGE = OPERATIONS["PutImage"]
OPERATION_LIST = sorted(OPERATIONS.values(), key=lambda operation: operation.name)
UPLOAD_ID = "12345678-1234-1234-1234-123456789012"


def upload_body(blob: bytes, **members: object) -> bytes:
    head = {"repositoryName": "team/app", "uploadId": UPLOAD_ID, "partFirstByte": 0, "partLastByte": 9} | members
    return msgspec.json.encode(head)[:-1] + b',"layerPartBlob": ' + blob + b"}"


# --- Hostile JSON ---------------------------------------------------------------------------------------------------

NOT_OBJECTS = [
    b"",
    b" ",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"5",
    b"{}{}",
    b"{'a':1}",
    b'{"a":NaN}',
    b'{"a":Infinity}',
    b'{"maxResults":1e999}',
    b'{"maxResults":' + b"9" * 5000 + b"}",
    b'{"repositoryName":"\\ud800"}',
    b'{"repositoryName":"\xff\xfe"}',
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\x00}\x00",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"filter":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
]


@pytest.mark.parametrize("body", NOT_OBJECTS, ids=lambda body: repr(body[:24]))
@pytest.mark.parametrize("operation", ["ListImages", "UploadLayerPart", "DescribeRegistry"])
def test_a_body_that_is_not_a_json_object_is_refused(operation: str, body: bytes) -> None:
    with pytest.raises(Refusal):
        decode(OPERATIONS[operation], body)


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("InitiateLayerUpload", b'{"repositoryName": "first", "repositoryName": "second"}'),
        ("InitiateLayerUpload", b'{"repositoryName": "first", "RepositoryName": "second"}'),
        ("InitiateLayerUpload", b'{"repositoryName": "first", "unknown": 1, "unknown": 1}'),
        ("TagResource", b'{"resourceArn": "x", "tags": [{"Key": "a", "key": "b", "Value": "c"}]}'),
        ("UploadLayerPart", upload_body(b'"AAEC", "layerPartBlob": "AAEC"')),
        ("UploadLayerPart", upload_body(b'"AAEC", "layerPartBlob": "AAECAAECAAEC"')),
        ("UploadLayerPart", upload_body(b'"AAEC", "LayerPartBlob": "AAEC"')),
        ("UploadLayerPart", upload_body(b'"AAEC", "uploadId": "AAEC"')),
    ],
)
def test_a_member_that_occurs_twice_is_refused(operation: str, body: bytes) -> None:
    with pytest.raises(Serialization):
        decode(OPERATIONS[operation], body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
def test_any_json_gives_a_request_or_a_refusal(data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(OPERATION_LIST))
    members = list(SHAPES[operation.input_shape].members)
    request = sample(operation.input_shape)
    if members:
        request[data.draw(st.sampled_from(members))] = data.draw(JSON)
    with contextlib.suppress(InvalidParameter, Serialization):
        decode(operation, msgspec.json.encode(request))


@given(st.binary(max_size=200))
def test_any_bytes_give_a_request_or_a_refusal(body: bytes) -> None:
    for operation in (PUT_IMAGE, UPLOAD):
        with pytest.raises(Refusal):
            decode(operation, body)


# --- Blobs ----------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=300))
def test_a_blob_is_returned_unchanged(content: bytes) -> None:
    assert decode(UPLOAD, upload_body(b'"' + base64.b64encode(content) + b'"'))["layerPartBlob"] == content


@given(st.binary(max_size=60))
def test_a_blob_may_contain_json_escapes(content: bytes) -> None:
    r"""PHP writes "/" as "\/", Gson "=" as "\u003d": the same string in JSON."""
    text = base64.b64encode(content).replace(b"/", b"\\/").replace(b"=", b"\\u003d").replace(b"A", b"\\u0041")

    assert decode(UPLOAD, upload_body(b'"' + text + b'"'))["layerPartBlob"] == content


@pytest.mark.parametrize(
    "blob",
    [
        b"AAE",
        b"A",
        b"AAEC!",
        b"AA EC",
        b"AAEC\\n",
        b"AA==AA==",
        b"=",
        b"AA=A",
        b"AAEC====",
        b"AA-_",
        "AAÉC".encode(),
        b"\\u00e9",
    ],
)
def test_junk_in_base64_is_refused(blob: bytes) -> None:
    with pytest.raises(
        InvalidParameter, match="'layerPartBlob' failed to satisfy constraint: 'Member must be valid base64'"
    ):
        decode(UPLOAD, upload_body(b'"' + blob + b'"'))


@pytest.mark.parametrize("blob", [b"5", b"true", b"[]", b'["AAEC"]', b"{}", b'"\\ud800"', b'"\xff"', b"-"])
def test_a_blob_of_another_json_type_is_a_serialization_error(blob: bytes) -> None:
    with pytest.raises(Serialization):
        decode(UPLOAD, upload_body(blob))


@pytest.mark.parametrize(
    "body", [upload_body(b"null"), upload_body(b'"AAEC"').replace(b"layerPartBlob", b"somethingElse")]
)
def test_a_blob_that_is_null_or_absent_is_missing(body: bytes) -> None:
    with pytest.raises(
        InvalidParameter, match="'layerPartBlob' failed to satisfy constraint: 'Member must not be null'"
    ):
        decode(UPLOAD, body)


def test_a_part_has_at_most_20_mib() -> None:
    largest = base64.b64encode(bytes(20_971_520))

    assert len(decode(UPLOAD, upload_body(b'"' + largest + b'"'))["layerPartBlob"]) == 20_971_520
    with pytest.raises(InvalidParameter, match="less than or equal to 20971520"):
        decode(UPLOAD, upload_body(b'"' + base64.b64encode(bytes(20_971_521)) + b'"'))


# --- Responses ------------------------------------------------------------------------------------------------------


def test_a_response_omits_none_at_any_depth() -> None:
    response = {"imageIds": [{"imageTag": None, "imageDigest": "sha256:00"}], "nextToken": None, "failures": []}

    body = encode(response)

    assert body == b'{"imageIds":[{"imageDigest":"sha256:00"}],"failures":[]}'


def test_a_manifest_with_the_word_null_is_kept_byte_for_byte() -> None:
    response = {"image": {"imageManifest": '{"a": null}\n'}}

    assert msgspec.json.decode(encode(response)) == response
    assert msgspec.json.decode(encode({**response, "more": None})) == response


def test_times_are_numbers_of_seconds() -> None:
    response = {"authorizationData": [{"expiresAt": 1563223656.25}]}

    assert encode(response) == b'{"authorizationData":[{"expiresAt":1563223656.25}]}'


def test_a_response_of_the_output_shape_has_no_violations() -> None:
    upload = {"uploadId": UPLOAD_ID, "partSize": 10485760}
    token = {"authorizationData": [{"authorizationToken": "QVdTOg==", "expiresAt": 1.5e9, "proxyEndpoint": None}]}

    assert list(violations(OPERATIONS["InitiateLayerUpload"].output_shape, upload)) == []
    assert list(violations(OPERATIONS["GetAuthorizationToken"].output_shape, token)) == []
    assert list(violations(OPERATIONS["TagResource"].output_shape, {})) == []


@pytest.mark.parametrize(
    ("operation", "response", "violation"),
    [
        ("InitiateLayerUpload", {"uploadID": "x"}, "uploadID: the model has no such member"),
        (
            "InitiateLayerUpload",
            {"uploadId": UPLOAD_ID, "partSize": "10485760"},
            "partSize: a long cannot be '10485760'",
        ),
        ("InitiateLayerUpload", {"partSize": True}, "partSize: a long cannot be True"),
        ("InitiateLayerUpload", [], "InitiateLayerUploadResponse: a structure cannot be []"),
        ("ListTagsForResource", {"tags": [{"key": "a"}]}, "tags.1.member.Key: Member must not be null"),
        (
            "BatchCheckLayerAvailability",
            {"layers": [{"layerAvailability": "HERE"}]},
            "layers.1.member.layerAvailability: Member must satisfy enum value set: [ARCHIVED, AVAILABLE, UNAVAILABLE]",
        ),
        (
            "ListImageReferrers",
            {"referrers": [{"digest": "d", "mediaType": "m", "size": 1, "annotations": {"a": 1}}]},
            "referrers.1.member.annotations.a.value: a string cannot be 1",
        ),
    ],
)
def test_violations_of_a_response_are_named(operation: str, response: Any, violation: str) -> None:
    assert violation in violations(OPERATIONS[operation].output_shape, response)


# --- Errors ---------------------------------------------------------------------------------------------------------


def test_an_error_has_type_and_message() -> None:
    body = encode_error(RepositoryNotFound(repository="team/app", registry="123456789012"))

    assert msgspec.json.decode(body) == {
        "__type": "RepositoryNotFoundException",
        "message": "The repository with name 'team/app' does not exist in the registry with id '123456789012'",
    }


def test_an_error_carries_the_members_of_its_shape() -> None:
    members = {"registryId": "123456789012", "lastValidByteReceived": 0, "uploadId": None}

    body = msgspec.json.decode(encode_error(InvalidLayerPart(received=0, reason="late", members=members)))

    assert body == {
        "__type": "InvalidLayerPartException",
        "message": "late",
        "registryId": "123456789012",
        "lastValidByteReceived": 0,
    }
    assert msgspec.json.decode(encode_error(Kms(reason="no", members={"kmsError": "k"})))["kmsError"] == "k"


def test_an_unknown_operation_has_only_its_type() -> None:
    assert encode_error(UnknownOperation()) == b'{"__type":"UnknownOperationException"}'
