"""The wire form of IAM: XML and JSON, parameters, errors before an operation, Regions and audit records."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from moorage.app import AWS_SERVICES
from moorage.aws.constraints import violations
from moorage.aws.query import FORM
from moorage.aws.service_model import MODELS
from moorage.aws.signing import RequestLine
from moorage.iam.operations import OPERATIONS
from tests.api.audit.conftest import Trail
from tests.api.audit.conftest import trail as trail  # noqa: PLC0414 - a fixture
from tests.api.ecr.wire import ACCOUNT, Answer
from tests.api.iam.conftest import TRUST, document, iam_client
from tests.api.services.raw import RawCaller, flattened, refusal_of
from tests.conftest import StartServer
from tests.support.server import Server

POST = RequestLine("POST", "/")


def call(server: Server, action: str, accept: str = "", **members: Any) -> Answer:
    form = {"Action": action, "Version": "2010-05-08", **dict(flattened(members))}
    headers = {"content-type": f"{FORM}; charset=utf-8"} | ({"accept": accept} if accept else {})
    return RawCaller(server).send(POST, urlencode(form).encode(), headers, "iam")


def test_xml_is_that_of_iam(iam: Any, server: Server, name: str) -> None:
    iam.create_user(UserName=name)
    answer = call(server, "ListUserPolicies", UserName=name)

    assert answer.headers["content-type"] == "text/xml"
    assert answer.body.decode() == (
        '<ListUserPoliciesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListUserPoliciesResult>'
        "<PolicyNames></PolicyNames><IsTruncated>false</IsTruncated></ListUserPoliciesResult><ResponseMetadata>"
        f"<RequestId>{answer.headers['x-amzn-requestid']}</RequestId></ResponseMetadata></ListUserPoliciesResponse>"
    )


def test_clients_that_accept_json_get_the_members_of_the_model(iam: Any, server: Server, name: str) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:policy/{name}"
    requests: dict[str, dict[str, Any]] = {
        "CreateUser": {"UserName": name, "Tags": [{"Key": "a", "Value": "b"}]},
        "CreateAccessKey": {"UserName": name},
        "CreateRole": {"RoleName": name, "AssumeRolePolicyDocument": TRUST, "Description": "d"},
        "CreatePolicy": {"PolicyName": name, "PolicyDocument": document("ecr:*")},
        "AttachUserPolicy": {"UserName": name, "PolicyArn": arn},
        "CreatePolicyVersion": {"PolicyArn": arn, "PolicyDocument": document("ecr:*")},
        "CreateOpenIDConnectProvider": {"Url": f"https://{name}.example", "ClientIDList": ["a"]},
        "GetOpenIDConnectProvider": {
            "OpenIDConnectProviderArn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{name}.example"
        },
        "GetAccessKeyLastUsed": {"AccessKeyId": server.environment["AWS_ACCESS_KEY_ID"]},
        "ListEntitiesForPolicy": {"PolicyArn": arn},
        "GetPolicyVersion": {"PolicyArn": arn, "VersionId": "v2"},
        "SimulateCustomPolicy": {"PolicyInputList": [document("ecr:*")], "ActionNames": ["ecr:PutImage"]},
        **{
            action: {"UserName": name}
            for action in ("GetUser", "ListAccessKeys", "ListAttachedUserPolicies", "ListUserTags")
        },
        **{action: {"RoleName": name} for action in ("GetRole", "ListRolePolicies", "ListInstanceProfilesForRole")},
        **{action: {"PolicyArn": arn} for action in ("GetPolicy", "ListPolicyVersions", "ListPolicyTags")},
        **{
            action: {}
            for action in ("ListUsers", "ListRoles", "ListPolicies", "ListOpenIDConnectProviders", "GetAccountSummary")
        },
        "ListAccountAliases": {},
    }
    for action, members in requests.items():
        answer = call(server, action, "application/json", **members)

        assert (answer.status, answer.headers["content-type"]) == (200, "application/json"), answer.body
        (response,) = answer.json().values()
        assert response["ResponseMetadata"] == {"RequestId": answer.headers["x-amzn-requestid"]}
        operation = MODELS["iam"].operations[action]
        if operation.output_shape:
            assert list(violations(operation.output_shape, response[f"{action}Result"])) == [], (action, response)
    error = call(server, "GetUser", "application/json", UserName="nobody")
    assert (error.status, error.json()["Error"]) == (
        404,
        {"Code": "NoSuchEntity", "Message": "The user with name nobody cannot be found.", "Type": "Sender"},
    )


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"Tag.member.1.Key": "a"}, "Value at 'Tag' failed to satisfy constraint: There is no such parameter"),
        (
            {"MaxItems": "many"},
            "Value 'many' at 'maxItems' failed to satisfy constraint: Member must be of type integer",
        ),
        ({"MaxItems": "0"}, "Value '0' at 'maxItems' failed to satisfy constraint: Member must have value greater"),
        ({"PathPrefix.member.1": "/"}, "at 'pathPrefix' failed to satisfy constraint: The parameter has no elements"),
        ({"a" * 201: "/"}, "There is no such parameter"),
        ({"PathPrefix": "/", "PathPrefix.a": "/"}, "cannot have both a value and elements"),
    ],
)
def test_wrong_parameters_are_named(server: Server, members: dict[str, str], text: str) -> None:
    body = urlencode({"Action": "ListUsers", **members}).encode()

    refused = refusal_of(RawCaller(server).send(POST, body, {"content-type": FORM}, "iam"))

    assert (refused.status, refused.code) == (400, "ValidationException")
    assert text in refused.message


@pytest.mark.parametrize("names", [["2"], ["1", "3"], ["01"], ["x"]])
def test_elements_are_numbered_from_1(server: Server, names: list[str]) -> None:
    form = {"Action": "UntagUser", "UserName": "x", **{f"TagKeys.member.{name}": "a" for name in names}}

    refused = refusal_of(RawCaller(server).send(POST, urlencode(form).encode(), {"content-type": FORM}, "iam"))

    assert refused.code == "ValidationException"
    assert "at 'tagKeys'" in refused.message


def test_requests_without_an_action_of_iam_are_refused_in_xml(server: Server) -> None:
    caller = RawCaller(server)
    form = {"content-type": FORM}

    missing = caller.send(POST, b"Version=2010-05-08", form, "iam")
    unknown = caller.send(POST, b"Action=Nothing&Version=2010-05-08", form, "iam")
    got = caller.send(RequestLine("GET", "/", "Action=ListUsers&Version=2010-05-08"), b"", {}, "iam")

    assert b"<Code>MissingAction</Code>" in missing.body
    assert b"Could not find operation Nothing for version 2010-05-08" in unknown.body
    assert (got.status, b"<Code>MissingAction</Code>" in got.body) == (400, True)
    assert caller.send(POST, b"a=" + b"x" * (1 << 20), form, "iam").status == 413
    too_many = b"&".join(b"a%d=1" % number for number in range(2001))
    assert b"<Code>MalformedQueryString</Code>" in caller.send(POST, too_many, form, "iam").body


def test_a_form_without_a_signature_can_name_iam(server: Server) -> None:
    """The requests of a console session do. Without a session they are not authenticated."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    try:
        connection.request(
            "POST",
            "/",
            "Action=ListUsers",
            {"content-type": FORM, "x-amz-target": "iam.ListUsers", "accept": "application/json"},
        )
        response = connection.getresponse()
        assert (response.status, json.loads(response.read())["Error"]["Code"]) == (403, "MissingAuthenticationToken")
    finally:
        connection.close()


def test_a_registry_in_another_region_serves_iam_of_us_east_1(fresh_server: StartServer) -> None:
    """IAM is global: clients sign for us-east-1 whichever Region they use."""
    server = fresh_server(extra_args=("--region", "eu-central-1"))
    for region in ("us-east-1", "eu-central-1"):
        iam = iam_client(server, region_name=region)
        iam.create_user(UserName=f"ann-{region}")
        assert iam.get_user(UserName=f"ann-{region}")["User"]["UserName"] == f"ann-{region}"


def test_changes_are_recorded_without_secrets(iam: Any, trail: Trail, name: str) -> None:
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    iam.get_user(UserName=name)
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.delete_user(UserName="nobody")

    created, made, refused = trail.records()

    assert (created["eventSource"], created["eventName"]) == ("iam.amazonaws.com", "CreateUser")
    assert created["requestParameters"] == {"userName": name}
    assert (made["eventName"], made["awsRegion"]) == ("CreateAccessKey", "us-east-1")
    assert (refused["eventName"], refused["errorCode"]) == ("DeleteUser", "NoSuchEntityException")
    assert key["SecretAccessKey"] not in trail.path.read_text()


def test_an_operation_that_is_not_there_is_named_with_the_command_to_use(
    server: Server, new_name: Callable[[], str]
) -> None:
    (api,) = (each for each in AWS_SERVICES if each.model.name == "iam")
    unbuilt = sorted(MODELS["iam"].operations.keys() - OPERATIONS.keys())
    assert all(api.advice(MODELS["iam"].operations[name]) for name in unbuilt)

    refused = refusal_of(call(server, "CreateGroup", GroupName=new_name()))

    assert refused.message == (
        "The operation iam:CreateGroup is not supported by this version of Moorage yet. Moorage has no groups: attach"
        " policies to users and roles (`moorage user attach`)."
    )
