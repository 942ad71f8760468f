"""Each constraint of the inputs of the further services, broken once at a real server, and values of a wrong type.

The requests are generated from the models. The texts are those that AWS's frameworks generate for their services
(kubernetes-sigs/cluster-api-provider-aws#1531 has one of Secrets Manager).
"""

from __future__ import annotations

import pytest

from moorage.app import AWS_SERVICES
from moorage.aws.service_model import MODELS, SHAPES, Operation
from moorage.aws.signing import RequestLine
from tests.api.services.raw import RawCaller, refusal_of
from tests.support.server import Server
from tests.unit.aws.samples import Broken, broken_requests, sample

SERVICES = [service.model.name for service in AWS_SERVICES if service.model.name != "ecr"]
BUILT = [operation for name in SERVICES for operation in MODELS[name].operations.values() if operation.input_shape]
IN_JSON = [operation for operation in BUILT if MODELS[operation.service].protocol != "query"]


@pytest.mark.parametrize("operation", BUILT, ids=lambda operation: operation.label)
def test_each_broken_constraint_is_named_with_its_path(server: Server, operation: Operation) -> None:
    for broken in broken_requests(operation):
        if _cannot_be_sent(operation, broken):
            continue
        refused = refusal_of(RawCaller(server).call(operation.service, operation.name, broken.request))

        assert (refused.status, refused.code) == (400, "ValidationException"), (broken, refused)
        text = f"at '{broken.parameter}' failed to satisfy constraint: {broken.constraint}"
        assert text in refused.message, broken
        if _is_secret(operation, broken.parameter) and "null" not in broken.constraint:
            assert f"Value {text}" in refused.message  # Without the value.


def _cannot_be_sent(operation: Operation, broken: Broken) -> bool:
    """Whether a request without a part of its path is another request, or a null in a query is none."""
    places = SHAPES[operation.input_shape].locations
    missing = [name for name, (place, _) in places.items() if place == "uri" and not broken.request.get(name)]
    return bool(missing) or (broken.parameter in places and broken.request.get(broken.parameter) == [])


def _is_secret(operation: Operation, parameter: str) -> bool:
    members = {name[:1].lower() + name[1:]: member for name, member in SHAPES[operation.input_shape].members.items()}
    return parameter in members and SHAPES[members[parameter]].sensitive


@pytest.mark.parametrize("operation", IN_JSON, ids=lambda operation: operation.label)
def test_a_value_of_the_wrong_type_is_a_serialization_error(server: Server, operation: Operation) -> None:
    shape = SHAPES[operation.input_shape]
    whole = sample(operation.input_shape)
    for name, member in shape.members.items():
        if name in shape.locations and SHAPES[member].type in ("string", "list"):
            continue  # Each text in a path or query is a string.
        wrong = "?" if name in shape.locations else {"wrong": [[]]}
        request = whole | {name: [wrong] if SHAPES[member].type in ("structure", "map") else wrong}
        refused = refusal_of(RawCaller(server).call(operation.service, operation.name, request))

        assert (refused.status, refused.code) == (400, "SerializationException"), (name, refused)


@pytest.mark.parametrize("operation", IN_JSON, ids=lambda operation: operation.label)
def test_a_request_that_is_signed_for_another_service_is_refused(server: Server, operation: Operation) -> None:
    request = sample(operation.input_shape)
    for other in ("ecr", "sts", "s3", *(name for name in SERVICES if name != operation.service)):
        if not MODELS[operation.service].target_prefix and other == "s3":
            continue  # Nothing but the signature names the service, so it is a request to S3.
        refused = refusal_of(RawCaller(server).call(operation.service, operation.name, request, signed_for=other))

        assert refused.code == "InvalidSignatureException", other
        assert refused.message == f"Credential should be scoped to correct service: '{operation.service}'."


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "moorage"])
def test_an_operation_that_is_not_built_is_named(server: Server, service: str) -> None:
    unbuilt = [each for each in MODELS[service].operations.values() if not each.input_shape]
    assert unbuilt

    for operation in unbuilt:
        request = dict.fromkeys(("profileName", "statementId", "jobId", "platformId"), "x")
        refused = refusal_of(RawCaller(server).call(service, operation.name, request))

        text = f"The operation {service}:{operation.name} is not supported by this version of Moorage yet"
        assert (refused.status, refused.code) == (400, "UnsupportedOperationException")
        assert refused.message == text or refused.message.startswith(f"{text}. ")  # With advice.


@pytest.mark.parametrize("body", [b"", b"[]", b'{"SecretId": "a", "SecretId": "b"}', b"\xff"])
def test_a_body_that_is_not_one_json_object_is_refused(server: Server, body: bytes) -> None:
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": "secretsmanager.DescribeSecret"}
    refused = refusal_of(RawCaller(server).send(RequestLine("POST", "/"), body, headers, "secretsmanager"))

    assert refused.code == "SerializationException"
