"""Audit records of roles: accepted and rejected AssumeRole calls, and the calls of role sessions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from tests.api.audit.conftest import Trail
from tests.api.ecr.wire import ACCOUNT, refusal
from tests.api.identity.conftest import (  # noqa: F401 - fixtures
    Credentials,
    allow,
    clients,
    moorage,
    new_role,
    new_user,
    of_session,
    role_arn,
    trust,
    user_arn,
)


def test_assuming_a_role_and_the_calls_of_its_session_are_recorded(
    clients: Callable[..., Any],  # noqa: F811 - a fixture
    new_user: Callable[..., tuple[str, Credentials]],  # noqa: F811 - a fixture
    new_role: Callable[..., str],  # noqa: F811 - a fixture
    repository: str,
    trail: Trail,
) -> None:
    name, user = new_user()
    role = new_role(trust({"AWS": user_arn(name)}), allow("ecr:PutImageTagMutability"))
    answer = clients("sts", user).assume_role(RoleArn=role_arn(role), RoleSessionName="build-7")
    session = clients("ecr", of_session(answer))
    session.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")

    assumed, done = trail.records()

    assert (assumed["eventSource"], assumed["eventName"]) == ("sts.amazonaws.com", "AssumeRole")
    assert assumed["userIdentity"]["userName"] == name
    assert assumed["requestParameters"]["roleArn"] == role_arn(role)
    assert assumed["requestParameters"]["roleSessionName"] == "build-7"
    who = done["userIdentity"]
    assert (who["type"], who["arn"]) == ("AssumedRole", f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/build-7")
    assert who["principalId"] == answer["AssumedRoleUser"]["AssumedRoleId"]
    assert re.fullmatch(r"[0-9TZ:-]+", who["sessionContext"]["attributes"]["creationDate"])
    assert who["sessionContext"]["sessionIssuer"] == {
        "type": "Role",
        "principalId": who["principalId"].partition(":")[0],
        "arn": role_arn(role),
        "accountId": ACCOUNT,
        "userName": role,
    }
    text = json.dumps([assumed, done])
    assert answer["Credentials"]["SessionToken"] not in text
    assert answer["Credentials"]["SecretAccessKey"] not in text


def test_a_refused_role_is_recorded_with_the_reason(
    clients: Callable[..., Any],  # noqa: F811 - a fixture
    new_user: Callable[..., tuple[str, Credentials]],  # noqa: F811 - a fixture
    new_role: Callable[..., str],  # noqa: F811 - a fixture
    trail: Trail,
) -> None:
    (_, user), (other, _) = new_user(), new_user()
    role = new_role(trust({"AWS": user_arn(other)}))
    refusal(clients("sts", user).assume_role, RoleArn=role_arn(role), RoleSessionName="build-7")
    token = "header.payload.signature-that-nobody-made"
    refusal(
        clients("sts").assume_role_with_web_identity,
        RoleArn=role_arn(role),
        RoleSessionName="build-7",
        WebIdentityToken=token,
    )

    denied, forged = trail.records()

    assert (denied["eventName"], denied["errorCode"]) == ("AssumeRole", "AccessDenied")
    assert (forged["eventName"], forged["userIdentity"]) == ("AssumeRoleWithWebIdentity", {"type": "Unknown"})
    assert forged["errorCode"]
    assert token not in json.dumps(forged)
