"""The shapes of IAM in the query protocol: botocore writes each request and reads each response."""

from __future__ import annotations

import base64
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import QueryParser
from botocore.serialize import QuerySerializer
from hypothesis import given
from hypothesis import strategies as st

from moorage.aws.constraints import path_name
from moorage.aws.query import QueryRequest, response_xml
from moorage.aws.query_shapes import decode, response_json, result_xml
from moorage.aws.service_model import MODELS, SHAPES, Operation
from moorage.domain.errors import Validation
from tests.unit.aws.samples import sample

MODEL = MODELS["iam"]
BUILT = [operation for operation in MODEL.operations.values() if operation.input_shape]
OFFICIAL = ServiceModel(Loader().load_service_model("iam", "service-2"))


def form(operation: Operation, members: dict[str, Any]) -> QueryRequest:
    """A request as botocore writes it."""
    written = QuerySerializer().serialize_to_request(members, OFFICIAL.operation_model(operation.name))["body"]
    parameters = {name: str(value) for name, value in written.items()}
    return QueryRequest(parameters.pop("Action"), parameters.pop("Version"), parameters)


def as_read(shape_name: str, value: Any) -> Any:
    """A response as botocore returns it."""
    shape = SHAPES[shape_name]
    match shape.type:
        case "structure":
            return {name: as_read(shape.members[name], item) for name, item in value.items()}
        case "list":
            return [as_read(shape.member, item) for item in value]
        case "timestamp":
            return datetime.fromtimestamp(value, UTC)
        case "blob":
            return base64.b64decode(value)
    return value


@pytest.mark.parametrize("operation", BUILT, ids=lambda operation: operation.name)
def test_a_request_with_every_member_is_read_as_it_was_written(operation: Operation) -> None:
    members = sample(operation.input_shape)

    assert decode(operation, form(operation, members)) == members


@pytest.mark.parametrize("operation", BUILT, ids=lambda operation: operation.name)
def test_botocore_reads_a_response_with_every_member(operation: Operation) -> None:
    members = sample(operation.output_shape) if operation.output_shape else {}
    body = response_xml(MODEL.namespace, operation.name, result_xml(operation, members), "id")

    shape = OFFICIAL.operation_model(operation.name).output_shape
    parsed = QueryParser().parse({"body": body, "headers": {}, "status_code": 200}, shape)

    assert parsed.pop("ResponseMetadata")["RequestId"] == "id"
    assert parsed == (as_read(operation.output_shape, members) if operation.output_shape else {})


def test_a_response_in_json_has_the_names_of_the_xml() -> None:
    listed, deleted = (MODEL.operations[name] for name in ("ListUsers", "DeleteUser"))

    assert response_json(listed, {"Users": []}, "id") == {
        "ListUsersResponse": {"ListUsersResult": {"Users": []}, "ResponseMetadata": {"RequestId": "id"}}
    }
    assert response_json(deleted, {}, "id") == {"DeleteUserResponse": {"ResponseMetadata": {"RequestId": "id"}}}


@pytest.mark.parametrize("operation", BUILT, ids=lambda operation: operation.name)
def test_a_parameter_that_the_operation_does_not_have_is_refused(operation: Operation) -> None:
    request = form(operation, sample(operation.input_shape))
    for name in ("PermissionBoundary", "Tags.Key", ".", "Tags.member"):
        more = QueryRequest(operation.name, "", {**request.parameters, name: "x"})
        with pytest.raises(Validation):
            decode(operation, more)


@given(st.dictionaries(st.from_regex(r"[A-Za-z.0-9]{1,30}", fullmatch=True) | st.text(max_size=9), st.text(max_size=9)))
def test_any_parameters_are_members_or_a_refusal(parameters: dict[str, str]) -> None:
    operation = MODEL.operations["CreateUser"]
    with suppress(Validation):
        members = decode(operation, QueryRequest("CreateUser", "", {"UserName": "ann", **parameters}))

        assert members["UserName"]
        assert {path_name(name) for name in members} <= {"path", "userName", "permissionsBoundary", "tags"}
