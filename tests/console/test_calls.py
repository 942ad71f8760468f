"""Calls of the API with the session of a browser: the same answers and rights as with a signature."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.audit.conftest import Trail
from tests.console.client import Browser
from tests.console.test_sessions import ann
from tests.support.server import Server

__all__ = ["ann"]


@pytest.fixture
def trail(server: Server) -> Trail:
    return Trail(server.data / "audit.jsonl")


def test_a_call_has_the_answer_that_a_signed_one_has(root: Browser, ecr: Any) -> None:
    answer = root.call("CreateRepository", {"repositoryName": "console/one"})

    assert answer.status == 200, answer
    (found,) = ecr.describe_repositories(repositoryNames=["console/one"])["repositories"]
    assert answer.json()["repository"]["repositoryArn"] == found["repositoryArn"]
    assert answer.json()["repository"]["repositoryUri"] == f"{root.http.host}:{root.http.port}/console/one"


def test_a_refusal_is_that_of_the_api(root: Browser) -> None:
    answer = root.call("DescribeRepositories", {"repositoryNames": ["console/none"]})
    assert (answer.status, answer.json()["__type"]) == (400, "RepositoryNotFoundException")


def test_a_call_may_do_what_the_caller_may_and_no_more(server: Server, browser: Browser, ann: tuple[str, str]) -> None:
    server.moorage("user", "detach", "ann", "AmazonEC2ContainerRegistryFullAccess")
    browser.sign_in(*ann)

    answer = browser.call("CreateRepository", {"repositoryName": "console/two"})

    assert (answer.status, answer.json()["__type"]) == (400, "AccessDeniedException")
    assert "user/ann is not authorized to perform: ecr:CreateRepository" in answer.json()["message"]


def test_a_call_is_for_the_region_that_it_names(root: Browser) -> None:
    made = root.call("CreateRepository", {"repositoryName": "console/region"}, X_Moorage_Region="eu-west-1")
    assert ":eu-west-1:" in made.json()["repository"]["repositoryArn"]

    refused = root.call("DescribeRepositories", X_Moorage_Region="nowhere")
    assert (refused.status, "nowhere" in refused.json()["message"]) == (400, True)


def test_the_other_services_answer_too(root: Browser) -> None:
    secrets = root.call("", X_Amz_Target="secretsmanager.ListSecrets")
    assert (secrets.status, "SecretList" in secrets.json()) == (200, True)
    profiles = root.http.get(
        "/console/api/signing-profiles",
        {"Cookie": root.cookie, "X-Moorage-Build": root.build, "Sec-Fetch-Site": "same-origin"},
    )
    assert (profiles.status, "profiles" in profiles.json()) == (200, True)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": "https://elsewhere.example"}, id="the origin of another site"),
        pytest.param({"Origin": "null"}, id="an origin that the browser hides"),
        pytest.param({"Origin": ""}, id="no origin"),
        pytest.param({"Sec_Fetch_Site": "cross-site"}, id="another site according to the browser"),
        pytest.param({"Sec_Fetch_Site": "same-site"}, id="another host of this site"),
        pytest.param({"X_Moorage_Build": ""}, id="without the header that only own scripts can send"),
    ],
)
def test_a_request_of_another_site_is_refused(root: Browser, ecr: Any, headers: dict[str, str]) -> None:
    answer = root.call("CreateRepository", {"repositoryName": "console/forged"}, **headers)

    assert (answer.status, answer.json()["__type"]) == (403, "CrossSiteRequest")
    names = [each["repositoryName"] for each in ecr.describe_repositories()["repositories"]]
    assert "console/forged" not in names


def test_a_sign_in_or_sign_out_of_another_site_is_refused(server: Server, root: Browser) -> None:
    environment = server.environment
    given = {"accessKeyId": environment["AWS_ACCESS_KEY_ID"], "secretAccessKey": environment["AWS_SECRET_ACCESS_KEY"]}
    for method in ("POST", "DELETE"):
        answer = root.send(method, "/console/session", given, Origin="https://elsewhere.example")
        assert (answer.status, answer.json()["__type"]) == (403, "CrossSiteRequest")
    assert root.call("DescribeRepositories").status == 200


def test_pages_of_another_build_are_told_to_load_again(root: Browser) -> None:
    answer = root.call("DescribeRepositories", X_Moorage_Build="another")
    assert (answer.status, answer.json()["__type"]) == (409, "NewerBuild")


def test_a_signature_is_not_asked_for_and_not_looked_at(browser: Browser) -> None:
    answer = browser.call("DescribeRepositories", Authorization="AWS4-HMAC-SHA256 Credential=AKIA/x/y/ecr/aws4_request")
    assert answer.status == 401


def test_records_say_that_a_call_came_from_the_console(root: Browser, trail: Trail) -> None:
    root.call("CreateRepository", {"repositoryName": "console/audited"})

    record = trail.only()
    assert (record["eventName"], record["sessionCredentialFromConsole"]) == ("CreateRepository", "true")
    assert record["userIdentity"]["arn"] == "arn:aws:iam::000000000000:root"


def test_sign_ins_are_recorded_also_when_they_fail(
    server: Server, browser: Browser, ann: tuple[str, str], trail: Trail
) -> None:
    browser.sign_in(ann[0], "wrong")
    browser.sign_in(*ann)

    failed, signed_in = trail.records()
    assert (failed["eventName"], failed["responseElements"]) == ("ConsoleLogin", {"ConsoleLogin": "Failure"})
    assert failed["userIdentity"] == {"type": "Unknown"}
    assert (signed_in["eventSource"], signed_in["responseElements"]) == (
        "signin.amazonaws.com",
        {"ConsoleLogin": "Success"},
    )
    assert signed_in["userIdentity"]["userName"] == "ann"
    assert ann[1] not in server.data.joinpath("audit.jsonl").read_text()
