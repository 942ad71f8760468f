"""GetCallerIdentity and GetSessionToken, and requests with the credentials of a session."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.ecr.conftest import KeyedUser
from tests.api.ecr.pushing import push
from tests.api.ecr.wire import ACCOUNT, Wire, client_of, refusal
from tests.support.databases import engine_of
from tests.support.images import image
from tests.support.server import Server


@pytest.fixture
def sts_of(server: Server) -> Callable[..., Any]:
    """Makes boto3's STS client with any credentials."""

    def client(key: str, secret: str, token: str | None = None) -> Any:
        return client_of(
            server,
            "sts",
            region="eu-west-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
        )

    return client


@pytest.fixture
def session(sts: Any) -> Any:
    """Credentials of a session of the root user."""
    return sts.get_session_token()["Credentials"]


def test_the_root_user_is_identified_by_the_account(sts: Any) -> None:
    answer = sts.get_caller_identity()

    answer.pop("ResponseMetadata")
    assert answer == {"UserId": ACCOUNT, "Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:root"}


def test_a_user_is_identified_by_name(sts_of: Callable[..., Any], reader: KeyedUser) -> None:
    answer = sts_of(reader.key, reader.secret).get_caller_identity()

    assert answer["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/{reader.name}"
    assert answer["Account"] == ACCOUNT
    assert answer["UserId"].startswith("AIDA")


def test_a_session_lasts_twelve_hours_by_default(sts: Any) -> None:
    for parameters, seconds in (
        ({}, 12 * 3600),
        ({"DurationSeconds": 900}, 900),
        ({"DurationSeconds": 129_600}, 129_600),
    ):
        credentials = sts.get_session_token(**parameters)["Credentials"]
        assert abs(credentials["Expiration"].timestamp() - time.time() - seconds) < 60
        assert credentials["AccessKeyId"].startswith("ASIA")
        assert len(credentials["AccessKeyId"]) == 20
        assert len(credentials["SecretAccessKey"]) == 40


@pytest.mark.parametrize("seconds", [899, 129_601, -1])
def test_a_session_lasts_15_minutes_to_36_hours(sts_of: Callable[..., Any], server: Server, seconds: int) -> None:
    sts = sts_of(server.environment["AWS_ACCESS_KEY_ID"], server.environment["AWS_SECRET_ACCESS_KEY"])

    refused = refusal(sts.get_session_token, DurationSeconds=seconds)

    assert (refused.status, refused.code) == (400, "ValidationError")
    assert "Member must have value between 900 and 129600" in refused.message


def test_a_session_has_the_permissions_of_its_user(
    session: Any, clients: Callable[..., Any], sts_of: Callable[..., Any], repository: str
) -> None:
    keys = (session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
    ecr = clients(key=keys[0], secret=keys[1], token=keys[2])

    push(ecr, repository, image(), "v1")

    assert len(ecr.list_images(repositoryName=repository)["imageIds"]) == 1
    assert sts_of(*keys).get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    token = ecr.get_authorization_token()["authorizationData"][0]
    assert token["expiresAt"] <= session["Expiration"].replace(microsecond=999_999)


def test_a_session_of_a_reader_can_only_read(
    reader: KeyedUser, sts_of: Callable[..., Any], clients: Callable[..., Any]
) -> None:
    session = sts_of(reader.key, reader.secret).get_session_token()["Credentials"]
    ecr = clients(key=session["AccessKeyId"], secret=session["SecretAccessKey"], token=session["SessionToken"])

    assert "repositories" in ecr.describe_repositories()
    assert refusal(ecr.create_repository, repositoryName="tests/by-session").code == "AccessDeniedException"


def test_a_session_cannot_create_another(session: Any, sts_of: Callable[..., Any]) -> None:
    sts = sts_of(session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])

    refused = refusal(sts.get_session_token)

    assert (refused.status, refused.code) == (403, "AccessDenied")
    assert refused.message.startswith(
        f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: sts:GetSessionToken"
    )


def test_the_parts_of_a_session_belong_together(
    session: Any, sts: Any, clients: Callable[..., Any], wire: Wire
) -> None:
    key, secret, token = session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"]
    other = sts.get_session_token()["Credentials"]
    unknown = (400, "UnrecognizedClientException", "The security token included in the request is invalid.")

    assert wire.call("DescribeRegistry", key=key, secret=secret).refusal == unknown
    assert wire.call("DescribeRegistry", key=key, secret=secret, token=other["SessionToken"]).refusal == unknown
    assert wire.call("DescribeRegistry", key=key, secret=secret, token=token[::-1]).refusal == unknown
    assert wire.call("DescribeRegistry", key=key, secret=secret, token="ÿ").refusal == unknown
    assert wire.call("DescribeRegistry", token=token).refusal == unknown
    wrong = wire.call("DescribeRegistry", key=key, secret=other["SecretAccessKey"], token=token).refusal
    assert (wrong.status, wrong.code) == (400, "InvalidSignatureException")


def test_a_session_ends_when_its_access_key_is_deleted(
    new_user: Callable[..., KeyedUser], sts_of: Callable[..., Any], clients: Callable[..., Any], server: Server
) -> None:
    person = new_user("AmazonEC2ContainerRegistryReadOnly")
    session = sts_of(person.key, person.secret).get_session_token()["Credentials"]
    ecr = clients(key=session["AccessKeyId"], secret=session["SecretAccessKey"], token=session["SessionToken"])
    ecr.describe_repositories()

    engine_of(server.data).transact(lambda tx: tx.run("UPDATE access_key SET active = 0 WHERE id = :id", id=person.key))

    assert refusal(ecr.describe_repositories) == (
        400,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    )


def test_other_actions_of_sts_are_rejected_by_name(sts: Any) -> None:
    refused = refusal(sts.get_federation_token, Name="somebody")

    assert (refused.status, refused.code) == (400, "InvalidAction")
    assert refused.message == "Could not find operation GetFederationToken for version 2011-06-15"


def test_a_wrong_secret_is_reported_in_the_words_of_sts(sts_of: Callable[..., Any], server: Server) -> None:
    wrong = refusal(sts_of(server.environment["AWS_ACCESS_KEY_ID"], "x" * 40).get_caller_identity)
    unknown = refusal(sts_of("AKIA" + "X" * 16, "x" * 40).get_caller_identity)

    assert (wrong.status, wrong.code) == (403, "SignatureDoesNotMatch")
    assert unknown == (403, "InvalidClientTokenId", "The security token included in the request is invalid.")
