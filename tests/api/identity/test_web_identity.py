"""AssumeRoleWithWebIdentity: CI jobs log in without a stored secret, and invalid tokens are rejected."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from tests.api.ecr.wire import ACCOUNT, Refusal, refusal
from tests.api.identity.conftest import Moorage, allow, of_session, role_arn, trust
from tests.faults.durability.promises import check_p12_secrets_stay_secret
from tests.support.clients import program_environment, run
from tests.support.http_client import Docker
from tests.support.issuer import AUDIENCE, SUBJECT, Issuer
from tests.support.server import Server

NAME = "ci.example.org/tenant"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{NAME}"
ACTION = "sts:AssumeRoleWithWebIdentity"
ONLY_MAIN = {
    "StringEquals": {f"{NAME}:aud": AUDIENCE},
    "StringLike": {f"{NAME}:sub": "repo:octo/app:ref:refs/heads/main"},
}

NewRole = Callable[..., str]


@pytest.fixture(scope="module")
def anonymous_sts(server: Server) -> Any:
    """boto3's STS client without credentials."""
    return boto3.session.Session().client(
        "sts",
        region_name="us-east-1",
        endpoint_url=server.environment["AWS_ENDPOINT_URL_STS"],
        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}),
    )


@pytest.fixture(scope="module")
def role(issuer: Issuer, new_role: NewRole) -> str:
    """A role for jobs of the main branch."""
    return new_role(trust({"Federated": PROVIDER}, ACTION, Condition=ONLY_MAIN), allow("ecr:CreateRepository"))


def assume(anonymous_sts: Any, role: str, token: str, **more: Any) -> Any:
    return anonymous_sts.assume_role_with_web_identity(
        RoleArn=role_arn(role), RoleSessionName="job-1", WebIdentityToken=token, **more
    )


def refused(anonymous_sts: Any, role: str, token: str, **more: Any) -> Refusal:
    request = {"RoleArn": role_arn(role), "RoleSessionName": "job-1", "WebIdentityToken": token, **more}
    return refusal(anonymous_sts.assume_role_with_web_identity, **request)


@pytest.mark.parametrize("header", [{"alg": "RS256", "kid": "r1"}, {"alg": "ES256", "kid": "e1"}])
def test_a_job_with_a_token_of_its_issuer_gets_the_role(
    anonymous_sts: Any, clients: Callable[..., Any], issuer: Issuer, role: str, header: dict[str, str]
) -> None:
    answer = assume(anonymous_sts, role, issuer.token(header), DurationSeconds=900)

    assert answer["SubjectFromWebIdentityToken"] == SUBJECT
    assert (answer["Audience"], answer["Provider"]) == (AUDIENCE, issuer.url)
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/job-1"
    assert abs(answer["Credentials"]["Expiration"].timestamp() - time.time() - 900) < 60
    session = of_session(answer)
    assert clients("sts", session).get_caller_identity()["Arn"] == answer["AssumedRoleUser"]["Arn"]
    made = clients("ecr", session).create_repository(repositoryName=f"tests/by-job-{header['alg'].lower()}")
    assert made["repository"]["registryId"] == ACCOUNT
    assert refusal(clients("ecr", session).describe_repositories).code == "AccessDeniedException"


def test_the_aws_command_line_logs_in_with_a_token_only(
    server: Server, issuer: Issuer, new_role: NewRole, tmp_path: Path
) -> None:
    """As jobs on GitHub and GitLab do: two variables, and `aws ecr get-login-password` works."""
    role = new_role(trust({"Federated": PROVIDER}, ACTION, Condition=ONLY_MAIN), allow("ecr:*"))
    file = tmp_path / "token"
    file.write_text(issuer.token())
    given = {name: value for name, value in server.environment.items() if "KEY" not in name}
    job = {"AWS_ROLE_ARN": role_arn(role), "AWS_WEB_IDENTITY_TOKEN_FILE": str(file), "AWS_ROLE_SESSION_NAME": "job-2"}

    command = [sys.executable, "-m", "awscli", "ecr", "get-login-password"]
    password = run(command, program_environment(tmp_path, given | job))

    assert Docker(server.host, server.port, password.strip()).get("/v2/").status == 200


def test_conditions_see_the_claims(anonymous_sts: Any, issuer: Issuer, role: str) -> None:
    other = refused(anonymous_sts, role, issuer.token(sub="repo:octo/app:ref:refs/heads/feature"))

    assert other == (403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
    assert refused(anonymous_sts, "no-such-role", issuer.token()) == other
    # If a token has an authorized party, that is the value of the `aud` key (IAM user guide, keys for OIDC federation).
    assert refused(anonymous_sts, role, issuer.token(azp="someone")) == other


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (lambda issuer: issuer.token({"alg": "none"}), "InvalidIdentityToken"),
        (lambda issuer: issuer.token({"alg": "HS256", "kid": "r1"}), "InvalidIdentityToken"),
        (lambda issuer: issuer.token({"alg": "RS256", "kid": "unknown"}), "InvalidIdentityToken"),
        (lambda _: Issuer(f"https://{NAME}").token(), "InvalidIdentityToken"),
        (lambda issuer: issuer.token(iss="https://evil.example.org"), "InvalidIdentityToken"),
        (lambda issuer: issuer.token(iss=f"{issuer.url}/"), "InvalidIdentityToken"),
        (lambda issuer: issuer.token(aud="another"), "InvalidIdentityToken"),
        (lambda issuer: issuer.token(aud=[]), "InvalidIdentityToken"),
        (lambda issuer: issuer.token(exp=int(time.time()) - 1), "ExpiredTokenException"),
        (lambda issuer: issuer.token(nbf=int(time.time()) + 300), "InvalidIdentityToken"),
        (lambda issuer: issuer.token(sub="x" * 20_000), "InvalidIdentityToken"),
        (lambda _: "no token", "InvalidIdentityToken"),
    ],
)
def test_an_invalid_token_is_rejected(
    anonymous_sts: Any, issuer: Issuer, role: str, token: Callable[[Issuer], str], code: str
) -> None:
    answer = refused(anonymous_sts, role, token(issuer))

    assert (answer.status, answer.code) == (400, code)


def test_an_issuer_is_trusted_only_in_accounts_that_know_it(
    anonymous_sts: Any, moorage: Moorage, issuer: Issuer, other_account: str
) -> None:
    arn = f"arn:aws:iam::{other_account}:role/theirs"
    believing = trust({"Federated": f"arn:aws:iam::{other_account}:oidc-provider/{NAME}"}, ACTION)
    moorage("role", "create", "theirs", "--trust", "-", "--account", other_account, stdin=json.dumps(believing))

    answer = refusal(
        anonymous_sts.assume_role_with_web_identity,
        RoleArn=arn,
        RoleSessionName="job-1",
        WebIdentityToken=issuer.token(),
    )

    assert answer == (
        400,
        "InvalidIdentityToken",
        f"No OpenIDConnect provider found in your account for {issuer.url}",
    )


def test_a_role_that_trusts_users_accepts_no_token(anonymous_sts: Any, issuer: Issuer, new_role: NewRole) -> None:
    for each in (
        new_role(trust({"AWS": ACCOUNT}, "sts:*")),
        new_role(trust({"Federated": PROVIDER}, "sts:AssumeRole")),
        new_role(trust({"Federated": f"{PROVIDER}/other"}, ACTION)),
    ):
        assert refused(anonymous_sts, each, issuer.token()).code == "AccessDenied"


def test_new_keys_of_an_issuer_replace_the_old_ones(anonymous_sts: Any, moorage: Moorage, new_role: NewRole) -> None:
    before, after = Issuer("https://rotating.example.org"), Issuer("https://rotating.example.org")
    put = ("oidc", "put", before.url, "--audience", AUDIENCE, "--keys", "-")
    arn = moorage(*put, stdin=before.key_set()).strip()
    role = new_role(trust({"Federated": arn}, ACTION))
    assert assume(anonymous_sts, role, before.token())["Credentials"]

    moorage(*put, stdin=after.key_set())
    assert refused(anonymous_sts, role, before.token()).code == "InvalidIdentityToken"
    assert assume(anonymous_sts, role, after.token())["Credentials"]

    moorage("oidc", "delete", before.url)
    assert refused(anonymous_sts, role, after.token()).message.startswith("No OpenIDConnect provider")


def test_the_only_unsigned_action_is_this_one(server: Server) -> None:
    anonymous = Docker(server.host, server.port, None)
    form = {"content-type": "application/x-www-form-urlencoded"}

    for action in ("GetCallerIdentity", "GetSessionToken", "AssumeRole", ""):
        body = urlencode({"Action": action, "Version": "2011-06-15"}).encode()
        answer = anonymous.post("/", body, form)
        assert (answer.status, b"MissingAuthenticationToken" in answer.body) == (403, True), action


def test_tokens_are_never_written_to_files(anonymous_sts: Any, server: Server, issuer: Issuer, role: str) -> None:
    """Neither the tokens of jobs, valid or not, nor the session tokens that they get (promise P12)."""
    good, bad = issuer.token(), issuer.token(aud="another")
    answer = assume(anonymous_sts, role, good)["Credentials"]
    refused(anonymous_sts, role, bad)
    time.sleep(0.5)  # Longer than the buffer of the log.

    check_p12_secrets_stay_secret(server, [good, bad, answer["SecretAccessKey"], answer["SessionToken"]])
