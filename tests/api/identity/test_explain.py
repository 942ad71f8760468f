"""`moorage explain`: the decision of a real request, with the statements that made it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from moorage.cli.main import main
from tests.api.ecr.wire import ACCOUNT, refusal
from tests.api.identity.conftest import Credentials, Moorage, allow, trust, user_arn
from tests.support.server import Server

NewUser = Callable[..., tuple[str, Credentials]]


@pytest.fixture(scope="session")
def explain(server: Server) -> Callable[..., tuple[int, str]]:
    """`explain("--caller", …)` gives exit status and text."""

    def command(*words: str) -> tuple[int, str]:
        ended = CliRunner().invoke(main, ["explain", *words, "--data", str(server.data)])
        return ended.exit_code, ended.output

    return command


def test_an_allowed_action_is_told_with_its_statement(
    explain: Callable[..., tuple[int, str]], new_user: NewUser, clients: Callable[..., Any], repository: str
) -> None:
    arn = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{repository}"
    name, user = new_user(allow("ecr:ListImages", resource=arn, Sid="Listing"))
    asked = ("--action", "ecr:ListImages", "--resource")
    told = f"""\
allowed: {user_arn(name)} ecr:ListImages on {arn}
  by statement 1 (Sid "Listing", Allow) of the identity-based policy own
"""

    assert explain("--caller", name, *asked, repository) == (0, told)
    assert explain("--caller", user_arn(name), *asked, arn) == (0, told)
    assert clients("ecr", user).list_images(repositoryName=repository)["imageIds"] == []


def test_a_denial_says_what_was_missing_as_the_server_does(
    explain: Callable[..., tuple[int, str]], new_user: NewUser, clients: Callable[..., Any], repository: str
) -> None:
    name, user = new_user(allow("ecr:ListImages", resource="arn:aws:ecr:*:*:repository/elsewhere"))

    status, told = explain("--caller", name, "--action", "ecr:ListImages", "--resource", repository)
    refused = refusal(clients("ecr", user).list_images, repositoryName=repository)

    reason = "because no identity-based policy allows the ecr:ListImages action"
    assert status == 3
    assert told.endswith(f"\n  {reason}\n")
    assert refused.message.endswith(reason)


def test_sessions_roles_and_root_are_callers_too(
    explain: Callable[..., tuple[int, str]], new_role: Callable[..., str]
) -> None:
    role = new_role(trust({"AWS": ACCOUNT}), allow("ecr:DescribeRegistry"))
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/build-7"
    asked = ("--action", "ecr:DescribeRegistry")

    assert explain("--caller", session, *asked)[1].startswith(f"allowed: {session} ecr:DescribeRegistry on *\n")
    assert explain("--caller", f"arn:aws:iam::{ACCOUNT}:role/{role}", *asked)[0] == 0
    status, told = explain("--caller", "root", *asked)
    assert (status, told.splitlines()[1:]) == (0, ["  by being the root user of the account"])


def test_conditions_see_the_address_and_the_resource_another_account(
    explain: Callable[..., tuple[int, str]], new_user: NewUser
) -> None:
    inside = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    name, _ = new_user(allow("ecr:PutImage", Condition=inside))
    asked = ("--caller", name, "--action", "ecr:PutImage", "--resource")

    assert explain(*asked, "aa", "--source-ip", "10.1.2.3")[0] == 0
    assert explain(*asked, "aa", "--source-ip", "11.1.2.3")[0] == 3
    other = explain(*asked, "arn:aws:ecr:eu-west-1:222222222222:repository/aa", "--source-ip", "10.1.2.3")
    assert other[0] == 3
    assert "because no resource-based policy allows the ecr:PutImage action" in other[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--caller root --action ecr:PutImages", "'ecr:PutImages' is not an ECR action such as ecr:PutImage"),
        ("--caller nobody --action ecr:PutImage", "there is no user 'nobody'"),
        ("--caller arn:aws:s3:::x --action ecr:PutImage", "is not the ARN of a user, a role or a session"),
        (f"--caller arn:aws:iam::{ACCOUNT}:role/none --action ecr:PutImage", "there is no role 'none'"),
        ("--caller root --action ecr:PutImage --resource arn:aws:s3:::x", "is not the ARN of a repository"),
        ("--caller root --account 999999999999 --action ecr:PutImage", "there is no account '999999999999'"),
    ],
)
def test_what_cannot_be_asked_is_told(explain: Callable[..., tuple[int, str]], words: str, message: str) -> None:
    status, told = explain(*words.split())

    assert status == 1
    assert message in told


def test_a_policy_of_the_account_is_named(
    explain: Callable[..., tuple[int, str]], moorage: Moorage, new_user: NewUser
) -> None:
    name, _ = new_user()
    moorage("policy", "create", "explained", "-", stdin=json.dumps(allow("ecr:PutImage")))
    moorage("user", "attach", name, "explained")

    told = explain("--caller", name, "--action", "ecr:PutImage", "--resource", "a")[1]

    assert told.endswith("\n  by statement 1 (Allow) of the identity-based policy explained\n")
