"""Faults, rates and quirks of a lab."""

from __future__ import annotations

from http.client import IncompleteRead
from typing import Any

import pytest
from botocore.exceptions import ClientError

from moorage.http.bodies import RequestBody
from moorage.http.messages import Request, RequestHead
from moorage.lab.rates import AWS, Rates
from tests.api.ecr.wire import refusal
from tests.lab.conftest import Lab
from tests.support.aws import aws_client
from tests.support.http_client import Docker
from tests.support.images import image, layer

TEAM = "team/app"


def test_an_operation_is_throttled_as_aws_does_until_the_rule_ends(lab: Lab, ecr: Any) -> None:
    lab.call("POST", "faults", {"operation": "DescribeRepositories", "throttle": True, "count": 1, "retryAfter": 7})

    with pytest.raises(ClientError) as refused:
        ecr.describe_repositories()

    response = refused.value.response
    assert response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "7"
    assert ecr.describe_repositories()["repositories"] == []
    assert lab.call("GET", "faults")["faults"][0]["applied"] == 1


def test_sdks_retry_what_is_throttled(lab: Lab) -> None:
    lab.call("POST", "faults", {"operation": "DescribeRepositories", "throttle": True, "count": 2})

    with aws_client(lab.server, retries={"mode": "standard", "max_attempts": 5}) as ecr:
        answer = ecr.describe_repositories()

    assert answer["ResponseMetadata"]["RetryAttempts"] == 2


def test_a_docker_client_is_throttled_by_the_operation_of_the_api(lab: Lab, ecr: Any, http: Docker) -> None:
    ecr.create_repository(repositoryName=TEAM)
    lab.call("POST", "faults", {"operation": "PutImage", "throttle": True, "retryAfter": 3})

    answer = http.put(f"/v2/{TEAM}/manifests/v1", b"{}")

    assert (answer.status, answer.error_codes(), answer.headers["retry-after"]) == (429, ["TOOMANYREQUESTS"], "3")
    assert answer.json()["errors"][0]["message"] == "Rate exceeded"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_route_fails_with_a_status(lab: Lab, ecr: Any, http: Docker, status: int) -> None:
    ecr.create_repository(repositoryName=TEAM)
    lab.call("POST", "faults", {"route": "GET /v2/*/tags/list", "status": status, "retryAfter": 1})

    answer = http.get(f"/v2/{TEAM}/tags/list")

    assert (answer.status, answer.headers["retry-after"]) == (status, "1")
    assert http.get("/v2/").status == 200
    lab.call("DELETE", "faults")
    assert http.get(f"/v2/{TEAM}/tags/list").status == 200


def test_a_body_breaks_off(lab: Lab, ecr: Any, http: Docker) -> None:
    one = image([layer(300_000)])
    ecr.create_repository(repositoryName=TEAM)
    http.push(TEAM, one, "v1")
    lab.call("POST", "faults", {"operation": "GetDownloadUrlForLayer", "cut": 1000, "count": 1})
    path = f"/v2/{TEAM}/blobs/{one.blobs[-1].digest}"

    with pytest.raises(IncompleteRead) as broken:
        http.get(path)

    assert broken.value.partial == one.blobs[-1].content[:1000]
    assert http.get(path).body == one.blobs[-1].content


def test_a_rule_applies_to_a_share_of_the_requests(lab: Lab, ecr: Any) -> None:
    lab.call("POST", "faults", {"operation": "DescribeRepositories", "probability": 0.5, "status": 503})
    with aws_client(lab.server) as client:
        answers = [_status(client) for _ in range(64)]

    assert {200, 503} == set(answers)


def _status(client: Any) -> int:
    try:
        return int(client.describe_repositories()["ResponseMetadata"]["HTTPStatusCode"])
    except ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({}, "a rule needs an effect"),
        ({"status": 200}, "status must be from 500 to 599"),
        ({"throttle": True, "status": 500}, "one of throttle, status and cut"),
        ({"operation": "PutImage", "route": "GET /", "throttle": True}, "not both"),
        ({"route": "everything", "throttle": True}, "route must be"),
        ({"probability": 0, "throttle": True}, "probability must be"),
        ({"count": 0, "throttle": True}, "count must be"),
        ({"delay": 1e9}, "delay must be"),
        ({"cut": -1}, "must be 0 or more"),
        ({"throttle": "yes"}, "Expected `bool`"),
        ({"throtle": True}, "unknown field `throtle`"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(lab: Lab, rule: Any, message: str) -> None:
    status, text = lab.refusal("POST", "faults", rule)

    assert status == 400
    assert message in text
    assert lab.call("GET", "faults") == {"faults": []}


def test_the_number_of_rules_is_bounded(lab: Lab) -> None:
    for _ in range(100):
        lab.call("POST", "faults", {"operation": "None", "throttle": True})

    assert lab.refusal("POST", "faults", {"throttle": True}) == (400, "a lab has at most 100 rules")


def test_the_rates_of_aws_throttle_pushes_beyond_ten_per_second(lab: Lab, ecr: Any, http: Docker) -> None:
    ecr.create_repository(repositoryName=TEAM)
    one = image()
    http.push(TEAM, one, "v0")
    lab.call("PUT", "settings", {"rates": "aws"})
    manifest = one.manifest.content.decode()

    codes = [_code(ecr, manifest, f"v{number}") for number in range(1, 200)]

    assert codes[:10] == [""] * 10
    assert "ThrottlingException" in codes
    assert ecr.describe_repositories()["repositories"]


def _code(ecr: Any, manifest: str, tag: str) -> str:
    try:
        ecr.put_image(repositoryName=TEAM, imageManifest=manifest, imageTag=tag)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def test_a_rate_is_that_of_one_operation_in_one_region(lab: Lab) -> None:
    """The buckets themselves, with a clock that stands still."""
    now = 0.0
    rates = Rates(as_aws=True, region="us-east-1", clock=lambda: now)

    allowed = [rates.allow(_request("PutImage", "us-east-1")) for _ in range(12)]

    assert allowed == [True] * AWS["PutImage"] + [False] * 2
    assert rates.allow(_request("PutImage", "eu-west-1"))
    assert rates.allow(_request("BatchGetImage", "us-east-1"))
    now = 0.1
    assert [rates.allow(_request("PutImage", "us-east-1")) for _ in range(2)] == [True, False]


def _request(operation: str, region: str) -> Any:
    headers = [
        (b"host", b"localhost"),
        (b"x-amz-target", f"AmazonEC2ContainerRegistry_V20150921.{operation}".encode()),
        (b"authorization", f"AWS4-HMAC-SHA256 Credential=AKIA/20300101/{region}/ecr/aws4_request".encode()),
    ]
    body: Any = None
    return Request(RequestHead("POST", b"/", headers), RequestBody(body, 0), "id")


def test_quirks_of_ecr_s_registry_endpoint_are_a_switch(lab: Lab, ecr: Any, http: Docker) -> None:
    one = image()
    ecr.create_repository(repositoryName=TEAM)
    http.push(TEAM, one, "v1")

    def answers() -> tuple[Any, ...]:
        location = http.post(f"/v2/{TEAM}/blobs/uploads/").headers["location"]
        patches = [http.patch(location, b"x" * 10), http.patch(location, b"y" * 10)]
        manifest, tags = http.get(f"/v2/{TEAM}/manifests/v1"), http.get(f"/v2/{TEAM}/tags/list")
        return (
            [(patch.status, patch.headers["range"]) for patch in patches],
            manifest.headers["docker-content-digest"],
            http.head(f"/v2/{TEAM}/manifests/v1").headers["docker-content-digest"],
            tags.headers["content-type"].split(";")[0],
        )

    digest = one.manifest.digest
    assert answers() == ([(202, "0-9"), (202, "0-19")], digest, digest, "application/json")
    lab.call("PUT", "settings", {"ecrQuirks": True})
    assert answers() == ([(201, "0-9"), (201, "0-9")], None, digest, "text/plain")


def test_settings_that_do_not_exist_are_refused(lab: Lab) -> None:
    assert lab.refusal("PUT", "settings", {"rates": "gcp"}) == (400, "rates must be aws or empty")
    assert lab.refusal("PUT", "settings", {"rate": "aws"})[0] == 400


def test_a_delay_is_beside_other_requests(lab: Lab, ecr: Any) -> None:
    lab.call("POST", "faults", {"operation": "DescribeRepositories", "delay": 0.01, "count": 1})

    assert ecr.describe_repositories()["repositories"] == []
    assert refusal(ecr.describe_repositories, repositoryNames=["none"]).code == "RepositoryNotFoundException"
