"""Who may use a secret: identity policies by ARN, wildcards and tags, and what the denied learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.ecr.wire import refusal
from tests.api.services.calls import ACCOUNT, Person, allow, client_of, person_with
from tests.support.server import Server


@pytest.fixture
def secret_of_the_team(secrets: Any, name: str) -> str:
    arn: str = secrets.create_secret(Name=name, SecretString="1", Tags=[{"Key": "team", "Value": "a"}])["ARN"]
    return arn


OF_TEAM_A = {"StringEquals": {"aws:ResourceTag/team": "a"}}
OF_TEAM_B = {"StringEquals": {"secretsmanager:ResourceTag/team": "b"}}
ALL_OF_HERE = "arn:aws:secretsmanager:*:*:secret:ecr-pullthroughcache/*"


@pytest.mark.parametrize(
    ("statement", "is_allowed"),
    [
        (lambda arn: allow("secretsmanager:GetSecretValue", resource=arn), True),
        (lambda arn: allow("secretsmanager:Get*", resource=f"{arn[:-7]}-??????"), True),
        (lambda _: allow("secretsmanager:*", resource=ALL_OF_HERE), True),
        (lambda _: allow("secretsmanager:*", Condition=OF_TEAM_A), True),
        (lambda _: allow("secretsmanager:*", Condition=OF_TEAM_B), False),
        (lambda arn: allow("secretsmanager:DescribeSecret", resource=arn), False),
        (lambda arn: allow("secretsmanager:GetSecretValue", resource=f"{arn}x"), False),
        (lambda _: allow("ecr:*"), False),
    ],
)
def test_identity_policies_decide_who_reads_a_secret(
    server: Server, secret_of_the_team: str, statement: Callable[[str], dict[str, Any]], is_allowed: bool
) -> None:
    person = person_with(server, statement(secret_of_the_team))
    get = client_of(server, "secretsmanager", person).get_secret_value

    if is_allowed:
        assert get(SecretId=secret_of_the_team)["SecretString"] == "1"
        return
    assert refusal(get, SecretId=secret_of_the_team) == denied(person, "GetSecretValue", secret_of_the_team)


def denied(person: Person, operation: str, resource: str) -> tuple[int, str, str]:
    action = f"secretsmanager:{operation}"
    text = (
        f"User: arn:aws:iam::{ACCOUNT}:user/{person.name} is not authorized to perform: {action} on resource: "
        f"{resource} because no identity-based policy allows the {action} action"
    )
    return 400, "AccessDeniedException", text


def test_a_denied_caller_does_not_learn_which_secrets_exist(server: Server, secret_of_the_team: str) -> None:
    person = person_with(server, allow("secretsmanager:*", Condition={"StringEquals": {"aws:ResourceTag/team": "z"}}))
    client = client_of(server, "secretsmanager", person)

    for name in (secret_of_the_team.rpartition(":")[2][:-7], "ecr-pullthroughcache/none"):
        arn = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:{name}-??????"
        assert refusal(client.describe_secret, SecretId=name) == denied(person, "DescribeSecret", arn)


def test_a_registry_policy_gives_nobody_a_secret(server: Server, secret_of_the_team: str) -> None:
    """A secret of another account needs a resource policy of the secret, which Moorage does not have."""
    exports = server.moorage("account", "create", "555555555555").splitlines()
    key, secret = (line.partition("=")[2] for line in exports if line.startswith("export "))
    stranger = Person("root", key, secret)

    refused = refusal(client_of(server, "secretsmanager", stranger).get_secret_value, SecretId=secret_of_the_team)

    assert refused.code == "AccessDeniedException"
    assert refused.message.endswith("because no resource-based policy allows the secretsmanager:GetSecretValue action")


def test_tags_at_the_creation_need_the_permission_to_tag(server: Server, name: str) -> None:
    person = person_with(server, allow("secretsmanager:CreateSecret"))
    client = client_of(server, "secretsmanager", person)
    arn = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:{name}-??????"

    refused = refusal(client.create_secret, Name=name, Tags=[{"Key": "a", "Value": "b"}])

    assert refused == denied(person, "TagResource", arn)
    assert client.create_secret(Name=name)["Name"] == name


def test_explain_names_the_statement_for_a_secret(server: Server, secret_of_the_team: str) -> None:
    person = person_with(server, allow("secretsmanager:GetSecretValue", Sid="Readers"))
    words = ("explain", "--caller", person.name, "--action", "secretsmanager:GetSecretValue")

    text = server.moorage(*words, "--resource", secret_of_the_team)

    assert "Readers" in text
