"""`moorage explain`: the decision about a request, with the policy statements that led to it."""

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
    """`explain("--caller", …)` returns the exit status and the text."""

    def command(*words: str) -> tuple[int, str]:
        ended = CliRunner().invoke(main, ["explain", *words, "--data", str(server.data)])
        return ended.exit_code, ended.output

    return command


def test_an_allowed_action_is_explained_by_its_statement(
    explain: Callable[..., tuple[int, str]], new_user: NewUser, clients: Callable[..., Any], repository: str
) -> None:
    arn = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{repository}"
    name, user = new_user(allow("ecr:ListImages", resource=arn, Sid="Listing"))
    question = ("--action", "ecr:ListImages", "--resource")
    text = f"""\
allowed: {user_arn(name)} ecr:ListImages on {arn}
  by statement 1 (Sid "Listing", Allow) of the identity-based policy own
"""

    assert explain("--caller", name, *question, repository) == (0, text)
    assert explain("--caller", user_arn(name), *question, arn) == (0, text)
    assert clients("ecr", user).list_images(repositoryName=repository)["imageIds"] == []


def test_a_denial_names_what_is_missing_in_the_words_of_the_server(
    explain: Callable[..., tuple[int, str]], new_user: NewUser, clients: Callable[..., Any], repository: str
) -> None:
    name, user = new_user(allow("ecr:ListImages", resource="arn:aws:ecr:*:*:repository/elsewhere"))

    status, text = explain("--caller", name, "--action", "ecr:ListImages", "--resource", repository)
    refused = refusal(clients("ecr", user).list_images, repositoryName=repository)

    reason = "because no identity-based policy allows the ecr:ListImages action"
    assert status == 3
    assert text.endswith(f"\n  {reason}\n")
    assert refused.message.endswith(reason)


def test_sessions_roles_and_root_can_be_callers(
    explain: Callable[..., tuple[int, str]], new_role: Callable[..., str]
) -> None:
    role = new_role(trust({"AWS": ACCOUNT}), allow("ecr:DescribeRegistry"))
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/build-7"
    question = ("--action", "ecr:DescribeRegistry")

    assert explain("--caller", session, *question)[1].startswith(f"allowed: {session} ecr:DescribeRegistry on *\n")
    assert explain("--caller", f"arn:aws:iam::{ACCOUNT}:role/{role}", *question)[0] == 0
    status, text = explain("--caller", "root", *question)
    assert (status, text.splitlines()[1:]) == (0, ["  by being the root user of the account"])


def test_conditions_see_the_address_and_the_resource_names_another_account(
    explain: Callable[..., tuple[int, str]], new_user: NewUser
) -> None:
    inside = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    name, _ = new_user(allow("ecr:PutImage", Condition=inside))
    question = ("--caller", name, "--action", "ecr:PutImage", "--resource")

    assert explain(*question, "aa", "--source-ip", "10.1.2.3")[0] == 0
    assert explain(*question, "aa", "--source-ip", "11.1.2.3")[0] == 3
    foreign = explain(*question, "arn:aws:ecr:eu-west-1:222222222222:repository/aa", "--source-ip", "10.1.2.3")
    assert foreign[0] == 3
    assert "because no resource-based policy allows the ecr:PutImage action" in foreign[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--caller root --action ecr:PutImages", "'ecr:PutImages' is not an action such as ecr:PutImage"),
        ("--caller nobody --action ecr:PutImage", "there is no user 'nobody'"),
        ("--caller arn:aws:s3:::x --action ecr:PutImage", "is not the ARN of a user, a role or a session"),
        (f"--caller arn:aws:iam::{ACCOUNT}:role/none --action ecr:PutImage", "there is no role 'none'"),
        ("--caller root --action ecr:PutImage --resource arn:aws:s3:::x", "is not the ARN of a repository"),
        ("--caller root --account 999999999999 --action ecr:PutImage", "there is no account '999999999999'"),
    ],
)
def test_an_invalid_question_is_rejected(explain: Callable[..., tuple[int, str]], words: str, message: str) -> None:
    status, text = explain(*words.split())

    assert status == 1
    assert message in text


def test_a_policy_of_the_account_is_named(
    explain: Callable[..., tuple[int, str]], moorage: Moorage, new_user: NewUser
) -> None:
    name, _ = new_user()
    moorage("policy", "create", "explained", "-", stdin=json.dumps(allow("ecr:PutImage")))
    moorage("user", "attach", name, "explained")

    text = explain("--caller", name, "--action", "ecr:PutImage", "--resource", "a")[1]

    assert text.endswith("\n  by statement 1 (Allow) of the identity-based policy explained\n")
