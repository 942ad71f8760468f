"""Audit records: the caller, the action, the source and the outcome of each request."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from moorage.core.clock import system_clock
from moorage.core.events.audit import Audit
from moorage.http.messages import CallDetails
from tests.api.audit.conftest import Trail
from tests.api.ecr.conftest import KeyedUser, clients, moorage, new_user, wire  # noqa: F401 - fixtures
from tests.api.ecr.pushing import push, upload_layer
from tests.api.ecr.wire import Wire
from tests.support.http_client import Docker
from tests.support.images import artifact, image, layer
from tests.support.server import Server

ROOT = "arn:aws:iam::000000000000:root"


def test_a_change_through_the_api_is_recorded_as_cloudtrail_does(
    server: Server, ecr: Any, new_repository: Callable[[], str], trail: Trail
) -> None:
    name = new_repository()

    record = trail.only()

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record.pop("eventTime"))
    assert uuid.UUID(record.pop("eventID")).version == 4
    assert re.fullmatch(r"[0-9a-f-]{36}", record.pop("requestID"))
    assert "Boto3" in record.pop("userAgent")
    assert record == {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "Root",
            "principalId": "000000000000",
            "arn": ROOT,
            "accountId": "000000000000",
            "accessKeyId": server.environment["AWS_ACCESS_KEY_ID"],
        },
        "eventSource": "ecr.amazonaws.com",
        "eventName": "CreateRepository",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "127.0.0.1",
        "requestParameters": {"repositoryName": name},
        "responseElements": None,
        "readOnly": False,
        "resources": [{"ARN": f"arn:aws:ecr:us-east-1:000000000000:repository/{name}", "accountId": "000000000000"}],
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "000000000000",
        "eventCategory": "Management",
    }


def test_the_request_id_is_the_one_in_the_response(ecr: Any, trail: Trail, repository: str) -> None:
    answer = ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")

    record = trail.records()[-1]

    assert record["requestID"] == answer["ResponseMetadata"]["RequestId"]
    assert record["requestParameters"] == {"repositoryName": repository, "imageTagMutability": "IMMUTABLE"}


def test_a_denied_action_is_recorded_with_the_reason(
    trail: Trail,
    new_user: Callable[..., KeyedUser],  # noqa: F811 - a fixture
) -> None:
    person = new_user("AmazonEC2ContainerRegistryPullOnly")
    with pytest.raises(ClientError):
        person.ecr.create_repository(repositoryName="not/allowed")

    record = trail.only()

    assert record["userIdentity"] == {
        "type": "IAMUser",
        "principalId": record["userIdentity"]["principalId"],
        "arn": f"arn:aws:iam::000000000000:user/{person.name}",
        "accountId": "000000000000",
        "accessKeyId": person.key,
        "userName": person.name,
    }
    assert record["userIdentity"]["principalId"].startswith("AIDA")
    assert record["errorCode"] == "AccessDenied"
    assert record["errorMessage"].startswith(f"User: arn:aws:iam::000000000000:user/{person.name} is not authorized")
    assert record["requestParameters"] == {"repositoryName": "not/allowed"}


def test_refusals_of_every_kind_are_recorded(wire: Wire, repository: str, trail: Trail) -> None:  # noqa: F811 - a fixture
    wire.call("CreateRepository", {"repositoryName": repository})
    wire.call("CreateRepository", {"repositoryName": "UPPER"})
    wire.call("CreateRepository", b"no JSON")
    wire.call("CreateRepository", {"repositoryName": "forged"}, secret="x" * 40)
    wire.call("DeleteRepository", {"repositoryName": "not/there"})
    wire.call("StartImageScan", {"repositoryName": repository, "imageId": {"imageTag": "v1"}})

    records = trail.records()

    assert [(record["eventName"], record["errorCode"], record["userIdentity"]["type"]) for record in records] == [
        ("CreateRepository", "RepositoryAlreadyExistsException", "Root"),
        ("CreateRepository", "InvalidParameterException", "Root"),
        ("CreateRepository", "SerializationException", "Root"),
        ("CreateRepository", "InvalidSignatureException", "Unknown"),
        ("DeleteRepository", "RepositoryNotFoundException", "Root"),
        ("StartImageScan", "ImageNotFoundException", "Root"),
    ]
    assert [row["requestParameters"] for row in records[1:4]] == [None, None, None]


def test_an_arn_is_recorded_as_the_resource(ecr: Any, repository: str, trail: Trail) -> None:
    arn = f"arn:aws:ecr:us-east-1:000000000000:repository/{repository}"
    ecr.tag_resource(resourceArn=arn, tags=[{"Key": "team", "Value": "a"}])

    record = trail.records()[-1]

    assert record["eventName"] == "TagResource"
    assert record["resources"] == [{"ARN": arn, "accountId": "000000000000"}]
    assert record["requestParameters"]["tags"] == [{"Key": "team", "Value": "a"}]


def test_content_is_never_recorded(ecr: Any, repository: str, trail: Trail) -> None:
    pushed = image([layer(b"what is inside")])
    push(ecr, repository, pushed, "v1")
    upload_layer(ecr, repository, b"a layer in the clear")

    by_name = {record["eventName"]: record["requestParameters"] for record in trail.records()}

    assert set(by_name["UploadLayerPart"]) == {"repositoryName", "uploadId", "partFirstByte", "partLastByte"}
    assert by_name["PutImage"] == {"repositoryName": repository, "imageTag": "v1"}
    assert by_name["CompleteLayerUpload"]["layerDigests"]
    text = json.dumps(trail.records())
    assert "a layer in the clear" not in text
    assert "schemaVersion" not in text


class Large:
    """A request with a long header."""

    def __init__(self) -> None:
        self.id, self.client = "id", "127.0.0.1"

    def header(self, name: bytes) -> str | None:
        return name.decode() * 1000


def test_a_value_that_is_too_large_is_omitted_or_cut() -> None:
    records: list[bytes] = []

    parameters = {"repositoryName": "team/app", "policyText": "x" * 100_000}
    details = CallDetails("SetRepositoryPolicy", parameters=parameters)

    Audit(lambda record, dispensable: records.append(record), system_clock, "eu-west-1", reads=False).record_operation(
        Large(), details, None
    )

    (record,) = map(json.loads, records)
    assert record["requestParameters"] == {
        "omitted": True,
        "originalSize": 100_045,
        "reason": "requestParameters too large",
    }
    assert len(record["userAgent"]) == 1024


def test_a_docker_push_is_recorded_as_calls_of_the_api(http: Docker, repository: str, trail: Trail) -> None:
    pushed = artifact(b"a note")
    http.push(repository, pushed, "v1")

    records = trail.records()

    assert [record["eventName"] for record in records] == [
        *["InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload"] * 2,
        "PutImage",
    ]
    assert {record["userIdentity"]["invokedBy"] for record in records} == {"ecr.amazonaws.com"}
    assert {record["userIdentity"]["arn"] for record in records} == {ROOT}
    assert {record["resources"][0]["ARN"].rpartition("repository/")[2] for record in records} == {repository}
    sent, completed = records[1], records[2]
    assert sent["requestID"] == completed["requestID"]  # One PUT did both.
    assert sent["eventID"] != completed["eventID"]
    assert completed["requestParameters"]["layerDigests"] == [pushed.blobs[0].digest]
    assert records[-1]["requestParameters"] == {
        "repositoryName": repository,
        "imageTag": "v1",
        "imageManifestMediaType": pushed.manifest.media_type,
    }


def test_other_changes_at_the_registry_endpoint_are_recorded(
    http: Docker, new_repository: Callable[[], str], trail: Trail
) -> None:
    pushed, first, second = image(seed=3), new_repository(), new_repository()
    http.push(first, pushed, "v1")
    blob = pushed.blobs[0]
    start = len(trail.records())
    assert http.post(f"/v2/{second}/blobs/uploads/?mount={blob.digest}&from={first}").status == 201
    assert http.post(f"/v2/{second}/blobs/uploads/?digest={blob.digest}", blob.content).status == 201
    assert http.delete(f"/v2/{first}/manifests/v1").status == 202
    assert http.delete(f"/v2/{first}/manifests/{pushed.manifest.digest}").status == 202
    assert http.delete(f"/v2/{second}/blobs/{blob.digest}").status == 202

    records = trail.records()[start:]

    assert [record["eventName"] for record in records] == [
        "MountLayer",
        "InitiateLayerUpload",
        "UploadLayerPart",
        "CompleteLayerUpload",
        "BatchDeleteImage",
        "BatchDeleteImage",
        "BatchDeleteImage",
    ]
    assert records[4]["requestParameters"] == {"imageIds": [{"imageTag": "v1"}], "repositoryName": first}
    assert records[5]["requestParameters"]["imageIds"] == [{"imageDigest": pushed.manifest.digest}]


def test_refusals_at_the_registry_endpoint_are_recorded_unless_credentials_are_missing(
    server: Server,
    repository: str,
    trail: Trail,
    new_user: Callable[..., KeyedUser],  # noqa: F811 - a fixture
) -> None:
    """The first request of a Docker client has no credentials. The response requests them."""
    reader = new_user("AmazonEC2ContainerRegistryPullOnly")
    path, start = f"/v2/{repository}/manifests/v1", len(trail.records())
    stranger = Docker(server.host, server.port, None)
    forger = Docker(server.host, server.port, "x" * 40, user=reader.key)
    permitted = Docker(server.host, server.port, reader.secret, user=reader.key)
    answers = [client.put(path, b"{}").status for client in (stranger, forger, permitted)]

    records = trail.records()[start:]

    assert answers == [401, 401, 403]
    assert [(record["errorCode"], record["userIdentity"]["type"]) for record in records] == [
        ("NotAuthenticatedException", "Unknown"),
        ("AccessDenied", "IAMUser"),
    ]
    assert "x" * 40 not in json.dumps(records)


def test_reads_are_not_recorded_by_default(ecr: Any, http: Docker, repository: str, trail: Trail) -> None:
    pushed = push(ecr, repository, image(seed=4), "v1")
    start = len(trail.records())
    ecr.describe_images(repositoryName=repository)
    ecr.get_authorization_token()
    ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])
    assert http.get(f"/v2/{repository}/manifests/v1").status == 200
    assert http.get(f"/v2/{repository}/blobs/{pushed.blobs[0].digest}").status == 200
    assert http.get(f"/v2/{repository}/manifests/v2").status == 404

    assert trail.records()[start:] == []
