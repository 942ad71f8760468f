"""Simulations: the decisions of `moorage explain` over IAM."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.api.ecr.wire import ACCOUNT, refusal
from tests.api.iam.conftest import TRUST, document
from tests.support.server import Server

REPOSITORY = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/team/app"


def decisions(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["EvalActionName"], each["EvalDecision"]) for each in answer["EvaluationResults"]]


def sources(statements: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["SourcePolicyId"], each["SourcePolicyType"]) for each in statements]


def test_a_simulation_decides_as_the_command_explains(iam: Any, server: Server, name: str) -> None:
    iam.create_user(UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser")
    deny = document("ecr:PutImage", resource=REPOSITORY).replace("Allow", "Deny")
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=deny)
    arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    actions = ["ecr:PutImage", "ecr:BatchGetImage", "ecr:DeleteRepository", "iam:GetUser"]

    answer = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=actions[:3], ResourceArns=[REPOSITORY])

    assert decisions(answer) == list(zip(actions, ("explicitDeny", "allowed", "implicitDeny"), strict=False))
    denied, allowed, neither = (each["MatchedStatements"] for each in answer["EvaluationResults"])
    assert sources(denied) == [("own", "user")]
    assert sources(allowed) == [("AmazonEC2ContainerRegistryPowerUser", "aws-managed")]
    assert neither == []
    explained = server.moorage("explain", "--caller", name, "--action", "ecr:BatchGetImage", "--resource", REPOSITORY)
    assert explained.startswith("allowed")
    explained = server.moorage("explain", "--caller", "root", "--action", "iam:GetUser", "--resource", arn)
    assert explained.startswith(f"allowed: arn:aws:iam::{ACCOUNT}:root iam:GetUser on {arn}")
    more = iam.simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=actions[3:], ResourceArns=[arn], PolicyInputList=[document("iam:*")]
    )
    assert decisions(more) == [("iam:GetUser", "allowed")]


def test_circumstances_are_given_as_values_of_condition_keys(iam: Any, name: str) -> None:
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    policy = document("ecr:*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
    asked = {"PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:role/{name}", "ActionNames": ["ecr:PutImage"]}

    def decided(**values: str) -> str:
        entries = [
            {"ContextKeyName": key.replace("_", ":"), "ContextKeyValues": [value], "ContextKeyType": "string"}
            for key, value in values.items()
        ]
        return decisions(iam.simulate_principal_policy(**asked, ContextEntries=entries))[0][1]

    assert decided() == "implicitDeny"
    assert decided(aws_SourceIp="10.1.2.3") == "allowed"
    entries = [{"ContextKeyName": "aws:userid", "ContextKeyValues": ["x"], "ContextKeyType": "string"}]
    refused = refusal(iam.simulate_principal_policy, **asked, ContextEntries=entries)
    assert (refused.status, refused.code) == (400, "InvalidInput")


def test_a_custom_policy_is_simulated_for_nobody_even_by_the_root_user(iam: Any) -> None:
    answer = iam.simulate_custom_policy(
        PolicyInputList=[document("ecr:PutImage", resource=REPOSITORY)],
        ActionNames=["ecr:PutImage", "ecr:DeleteRepository"],
        ResourceArns=[REPOSITORY],
    )

    assert decisions(answer) == [("ecr:PutImage", "allowed"), ("ecr:DeleteRepository", "implicitDeny")]
    assert sources(answer["EvaluationResults"][0]["MatchedStatements"]) == [("PolicyInputList.1", "none")]


def test_a_simulation_says_where_the_statement_is_that_decided(iam: Any) -> None:
    """Lines and columns from 1, as IAM counts them; the end is after the last character."""
    other = '{"Effect": "Deny", "Action": "ecr:PutImage", "Resource": "*"}'
    statement = '{"Effect": "Allow",\n   "Action": "ecr:Get*", "Resource": "*"}'
    text = f'{{"Statement" : [\n {other},\n  {statement} ], "Version": "2012-10-17"}}'
    alone = json.loads(document("ecr:ListImages"))

    answer = iam.simulate_custom_policy(
        PolicyInputList=[text, json.dumps({**alone, "Statement": alone["Statement"][0]})],
        ActionNames=["ecr:GetLifecyclePolicy", "ecr:ListImages"],
    )

    first, second = (each["MatchedStatements"][0] for each in answer["EvaluationResults"])
    assert (first["StartPosition"], first["EndPosition"]) == ({"Line": 3, "Column": 3}, {"Line": 4, "Column": 42})
    assert second["StartPosition"] == {"Line": 1, "Column": 40}


def test_simulations_are_limited_and_have_pages(iam: Any, new_name: Callable[[], str]) -> None:
    asked = {
        "PolicyInputList": [document("ecr:*")],
        "ActionNames": ["ecr:PutImage", "ecr:ListImages", "ecr:BatchGetImage"],
    }
    pages = iam.get_paginator("simulate_custom_policy").paginate(**asked, PaginationConfig={"PageSize": 2})
    assert [decisions(page) for page in pages] == [
        [("ecr:PutImage", "allowed"), ("ecr:ListImages", "allowed")],
        [("ecr:BatchGetImage", "allowed")],
    ]

    many = asked | {"ResourceArns": [f"{REPOSITORY}-{number}" for number in range(334)]}
    assert refusal(iam.simulate_custom_policy, **many).code == "InvalidInput"
    for change in (
        {"ActionNames": ["s3:GetObject"]},
        {"ResourceArns": ["arn:aws:s3:::x"]},
        {"ResourcePolicy": "{}"},
        {"PolicyInputList": ["{}"]},
    ):
        assert refusal(iam.simulate_custom_policy, **asked | change).status == 400
    missing = f"arn:aws:iam::{ACCOUNT}:user/{new_name()}"
    assert refusal(iam.simulate_principal_policy, PolicySourceArn=missing, ActionNames=["ecr:*"]).code == "NoSuchEntity"
