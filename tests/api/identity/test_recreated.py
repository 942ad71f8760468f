"""A user or a role that is made anew under the name of a deleted one has nothing of what policies gave that one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.ecr.refusals import invalid
from tests.api.ecr.wire import ACCOUNT, refusal
from tests.api.identity.conftest import Credentials, Moorage, allow, exported, of_session, role_arn, trust, user_arn
from tests.api.identity.test_assuming_roles import Clients, NewRole, NewUser, assume, denied

LIST = "ecr:ListImages"


def allowing(principal: str, **more: Any) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": LIST, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def recreate(moorage: Moorage, name: str) -> Credentials:
    moorage("user", "delete", name)
    moorage("user", "create", name)
    return exported(moorage("key", "create", "--user", name))


def unique_id(clients: Clients, who: Credentials) -> str:
    return str(clients("sts", who).get_caller_identity()["UserId"]).partition(":")[0]


def test_a_repository_policy_does_not_mean_a_new_user_with_the_name(
    clients: Clients, new_user: NewUser, moorage: Moorage, repository: str, ecr: Any
) -> None:
    name, first = new_user()
    ask = {"repositoryName": repository}
    ecr.set_repository_policy(**ask, policyText=allowing(user_arn(name)))
    assert clients("ecr", first).list_images(**ask)["imageIds"] == []
    gone = unique_id(clients, first)

    second = recreate(moorage, name)

    assert refusal(clients("ecr", second).list_images, **ask).code == "AccessDeniedException"
    text = ecr.get_repository_policy(**ask)["policyText"]
    assert json.loads(text)["Statement"][0]["Principal"] == {"AWS": gone}
    again = refusal(ecr.set_repository_policy, **ask, policyText=text)
    assert again == invalid("PolicyText", "Principal not found")

    ecr.set_repository_policy(**ask, policyText=allowing(user_arn(name)))
    assert clients("ecr", second).list_images(**ask)["imageIds"] == []


def test_a_deny_of_a_deleted_user_does_not_mean_a_new_one(
    clients: Clients, new_user: NewUser, moorage: Moorage, repository: str, ecr: Any
) -> None:
    name, _ = new_user()
    ask = {"repositoryName": repository}
    text = allowing(user_arn(name)).replace("Allow", "Deny")
    ecr.set_repository_policy(**ask, policyText=text)

    second = recreate(moorage, name)
    moorage("user", "put-policy", name, "own", "-", stdin=json.dumps(allow(LIST)))

    assert clients("ecr", second).list_images(**ask)["imageIds"] == []


def test_a_registry_policy_does_not_mean_a_new_user_with_the_name(
    clients: Callable[..., Any], new_user: NewUser, moorage: Moorage, repository: str, ecr: Any
) -> None:
    name, first = new_user()
    ask = {"repositoryName": repository}
    ecr.put_registry_policy(policyText=allowing(user_arn(name), Resource="*"))
    try:
        assert clients("ecr", first).list_images(**ask)["imageIds"] == []

        second = recreate(moorage, name)

        assert refusal(clients("ecr", second).list_images, **ask).code == "AccessDeniedException"
        assert '"AWS" : "AIDA' in ecr.get_registry_policy()["policyText"]
    finally:
        ecr.delete_registry_policy()


def test_a_creation_template_does_not_mean_a_new_user_with_the_name(
    new_user: NewUser, moorage: Moorage, ecr: Any
) -> None:
    name, _ = new_user()
    template = {"prefix": "recreated", "appliedFor": ["REPLICATION"], "repositoryPolicy": allowing(user_arn(name))}
    ecr.create_repository_creation_template(**template)

    recreate(moorage, name)

    (found,) = ecr.describe_repository_creation_templates(prefixes=["recreated"])["repositoryCreationTemplates"]
    assert '"AWS" : "AIDA' in found["repositoryPolicy"]


def test_a_trust_policy_does_not_mean_a_new_user_with_the_name(
    clients: Clients, new_user: NewUser, new_role: NewRole, moorage: Moorage
) -> None:
    name, first = new_user()
    role = new_role(trust({"AWS": user_arn(name)}))
    assert assume(clients, first, role)
    gone = unique_id(clients, first)

    second = recreate(moorage, name)

    assert "because no" in denied(clients, second, role)
    assert gone in moorage("role", "show", role)
    moorage("role", "limit", role, "7200")
    moorage("role", "trust", role, "-", stdin=json.dumps(trust({"AWS": user_arn(name)})))
    assert assume(clients, second, role)


def test_a_repository_policy_does_not_mean_a_new_role_with_the_name(
    clients: Clients, new_role: NewRole, new_user: NewUser, moorage: Moorage, ecr: Any
) -> None:
    """Nor the sessions of the new role."""
    name, user = new_user()
    trusting = trust({"AWS": user_arn(name)})
    role = new_role(trusting)
    arns = {
        "tests/of-a-role": role_arn(role),
        "tests/of-a-session": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/build-7",
    }
    first = of_session(assume(clients, user, role))
    gone = unique_id(clients, first)
    for repository, arn in arns.items():
        ecr.create_repository(repositoryName=repository)
        ecr.set_repository_policy(repositoryName=repository, policyText=allowing(arn))
        assert clients("ecr", first).list_images(repositoryName=repository)["imageIds"] == []

    moorage("role", "delete", role)
    moorage("role", "create", role, "--trust", "-", stdin=json.dumps(trusting))

    second = clients("ecr", of_session(assume(clients, user, role)))
    for repository in arns:
        assert refusal(second.list_images, repositoryName=repository).code == "AccessDeniedException"
        assert gone in ecr.get_repository_policy(repositoryName=repository)["policyText"]


@pytest.mark.parametrize("missing", [user_arn("no-such"), role_arn("no-such"), "AIDA" + "A" * 16])
def test_a_trust_policy_names_only_principals_that_exist(
    refused: Callable[..., str], new_role: NewRole, missing: str
) -> None:
    text, everyone = json.dumps(trust({"AWS": missing})), trust({"AWS": "*"})

    assert refused("role", "create", "trusting", "--trust", "-", stdin=text) == (
        f"trust policy 'trusting': there is no principal {missing}"
    )
    role = new_role(everyone)
    assert "there is no principal" in refused("role", "trust", role, "-", stdin=text)
