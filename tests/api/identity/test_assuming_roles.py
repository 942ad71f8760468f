"""AssumeRole: which callers a role trusts, and what its sessions can do at both endpoints."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.ecr.pushing import push
from tests.api.ecr.test_pull_times import pull_time, recorded_pull_time
from tests.api.ecr.wire import ACCOUNT, refusal
from tests.api.identity.conftest import Credentials, Moorage, allow, of_session, role_arn, trust, user_arn
from tests.support.aws import aws_client, docker_password
from tests.support.http_client import Docker
from tests.support.images import image
from tests.support.server import Server

Clients = Callable[..., Any]
NewUser = Callable[..., tuple[str, Credentials]]
NewRole = Callable[..., str]
READ = allow("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:ListImages", "ecr:GetAuthorizationToken")


def assume(clients: Clients, who: Credentials, role: str, **more: Any) -> Any:
    return clients("sts", who).assume_role(RoleArn=role_arn(role), RoleSessionName="build-7", **more)


def denied(clients: Clients, who: Credentials, role: str, **more: Any) -> str:
    """The message of the refusal."""
    refused = refusal(clients("sts", who).assume_role, RoleArn=role_arn(role), RoleSessionName="build-7", **more)
    assert (refused.status, refused.code) == (403, "AccessDenied")
    return refused.message


def test_a_signature_for_a_name_that_no_region_has_is_refused(server: Server) -> None:
    with aws_client(server, "sts", region="local") as sts:
        refused = refusal(sts.get_caller_identity)

    assert refused.message == "Credential should be scoped to a valid region, not 'local'."


def test_a_session_has_the_name_and_the_permissions_of_its_role(
    clients: Clients, new_user: NewUser, new_role: NewRole, repository: str, ecr: Any
) -> None:
    push(ecr, repository, image(), "v1")
    name, user = new_user(allow("ecr:CreateRepository"))
    role = new_role(trust({"AWS": user_arn(name)}), READ)

    answer = assume(clients, user, role)

    session = of_session(answer)
    assumed = answer["AssumedRoleUser"]
    assert assumed["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/build-7"
    assert assumed["AssumedRoleId"].startswith("AROA")
    assert assumed["AssumedRoleId"].endswith(":build-7")
    assert session["aws_access_key_id"].startswith("ASIA")
    assert abs(answer["Credentials"]["Expiration"].timestamp() - time.time() - 3600) < 60
    who = clients("sts", session).get_caller_identity()
    assert (who["Arn"], who["UserId"], who["Account"]) == (assumed["Arn"], assumed["AssumedRoleId"], ACCOUNT)
    assert clients("ecr", session).list_images(repositoryName=repository)["imageIds"] != []
    refused = refusal(clients("ecr", session).create_repository, repositoryName="tests/by-role")
    assert refused.code == "AccessDeniedException"
    assert refused.message.startswith(f"User: {assumed['Arn']} is not authorized to perform: ecr:CreateRepository")


def test_docker_clients_have_the_permissions_of_the_session_until_it_ends(
    clients: Clients, new_user: NewUser, new_role: NewRole, moorage: Moorage, server: Server, repository: str
) -> None:
    push(clients("ecr"), repository, image(), "v1")
    name, user = new_user()
    role = new_role(trust({"AWS": user_arn(name)}), READ)
    session = clients("ecr", of_session(assume(clients, user, role, DurationSeconds=900)))

    token = session.get_authorization_token()["authorizationData"][0]
    docker = Docker(server.host, server.port, docker_password(session))

    assert token["expiresAt"].timestamp() - time.time() < 910
    assert docker.get(f"/v2/{repository}/manifests/v1").status == 200
    assert docker.post(f"/v2/{repository}/blobs/uploads/").status == 403
    moorage("role", "delete", role)
    assert docker.get(f"/v2/{repository}/manifests/v1").status == 401
    assert refusal(session.list_images, repositoryName=repository).code == "UnrecognizedClientException"


def test_trust_in_the_own_account_leaves_the_decision_to_identity_policies(
    clients: Clients, new_user: NewUser, new_role: NewRole
) -> None:
    role = new_role(trust({"AWS": ACCOUNT}))
    _, without = new_user()
    _, allowed = new_user(allow("sts:AssumeRole", resource=role_arn(role)))

    assert assume(clients, allowed, role)["Credentials"]
    assert denied(clients, without, role).endswith("no identity-based policy allows the sts:AssumeRole action")


def test_an_identity_policy_without_trust_assumes_nothing(
    clients: Clients, new_user: NewUser, new_role: NewRole
) -> None:
    """A role that does not trust the caller and a role that does not exist give the same refusal."""
    name, user = new_user(allow("sts:*"))
    other, _ = new_user()
    role = new_role(trust({"AWS": user_arn(other)}))
    no = "is not authorized to perform: sts:AssumeRole on resource: {} because no resource-based policy allows the"

    for each in (role, "no-such-role"):
        message = f"User: {user_arn(name)} {no.format(role_arn(each))} sts:AssumeRole action"
        assert denied(clients, user, each) == message


def test_denies_count_on_both_sides(clients: Clients, new_user: NewUser, new_role: NewRole) -> None:
    deny = {"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*"}
    name, user = new_user({"Version": "2012-10-17", "Statement": [deny]})
    role = new_role(trust({"AWS": user_arn(name)}))
    assert denied(clients, user, role).endswith("with an explicit deny in an identity-based policy")

    name, user = new_user(allow("sts:AssumeRole"))
    both = trust({"AWS": ACCOUNT})
    both["Statement"].append({"Effect": "Deny", "Principal": {"AWS": user_arn(name)}, "Action": "sts:*"})
    assert denied(clients, user, new_role(both)).endswith("with an explicit deny in a resource-based policy")


def test_another_account_needs_both_sides(
    clients: Clients, new_user: NewUser, new_role: NewRole, other_account: str
) -> None:
    role = new_role(
        trust({"AWS": f"arn:aws:iam::{other_account}:root"}, Condition={"StringEquals": {"sts:ExternalId": "e-1"}})
    )
    _, without = new_user(account=other_account)
    _, allowed = new_user(allow("sts:AssumeRole"), account=other_account)

    assert denied(clients, without, role, ExternalId="e-1").endswith(
        "no identity-based policy allows the sts:AssumeRole action"
    )
    assert denied(clients, allowed, role).endswith("no resource-based policy allows the sts:AssumeRole action")
    assert denied(clients, allowed, role, ExternalId="e-2").endswith(
        "no resource-based policy allows the sts:AssumeRole action"
    )
    session = of_session(assume(clients, allowed, role, ExternalId="e-1"))
    assert clients("sts", session).get_caller_identity()["Account"] == ACCOUNT


def test_root_cannot_assume_a_role(sts: Any, new_role: NewRole) -> None:
    role = new_role(trust({"AWS": ACCOUNT}))

    refused = refusal(sts.assume_role, RoleArn=role_arn(role), RoleSessionName="me")

    assert refused == (403, "AccessDenied", "Roles may not be assumed by root accounts.")


def test_session_policies_only_remove_permissions(
    clients: Clients, new_user: NewUser, new_role: NewRole, moorage: Moorage, repository: str
) -> None:
    name, user = new_user()
    role = new_role(trust({"AWS": user_arn(name)}), allow("ecr:ListImages", "ecr:DescribeImages"))
    listing = json.dumps(allow("ecr:ListImages", "ecr:DeleteRepository"))

    answer = assume(clients, user, role, Policy=listing)
    assert 0 < answer["PackedPolicySize"] <= 100
    session = clients("ecr", of_session(answer))
    assert session.list_images(repositoryName=repository)["imageIds"] == []
    assert "no session policy allows" in refusal(session.describe_images, repositoryName=repository).message
    assert "no identity-based policy" in refusal(session.delete_repository, repositoryName=repository).message

    moorage("policy", "create", f"describing-{role}", "-", stdin=json.dumps(allow("ecr:DescribeImages")))
    arn = f"arn:aws:iam::{ACCOUNT}:policy/describing-{role}"
    session = clients("ecr", of_session(assume(clients, user, role, PolicyArns=[{"arn": arn}])))
    assert session.describe_images(repositoryName=repository)["imageDetails"] == []
    assert refusal(session.list_images, repositoryName=repository).code == "AccessDeniedException"
    moorage("policy", "delete", f"describing-{role}")
    assert refusal(session.describe_images, repositoryName=repository).code == "AccessDeniedException"


def test_a_chained_role_session_lasts_at_most_an_hour(clients: Clients, new_user: NewUser, new_role: NewRole) -> None:
    name, user = new_user()
    first = new_role(trust({"AWS": user_arn(name)}), allow("sts:AssumeRole"), "--max-session", "43200")
    second = new_role(trust({"AWS": role_arn(first)}), None, "--max-session", "43200")
    session = of_session(assume(clients, user, first, DurationSeconds=43_200))

    chained = assume(clients, session, second)
    refused = refusal(
        clients("sts", session).assume_role,
        RoleArn=role_arn(second),
        RoleSessionName="build-7",
        DurationSeconds=3601,
    )

    assert abs(chained["Credentials"]["Expiration"].timestamp() - time.time() - 3600) < 60
    assert (refused.status, refused.code) == (400, "ValidationError")
    assert "1 hour session limit for roles assumed by role chaining" in refused.message


def test_a_session_ends_with_its_access_key_and_with_its_role(
    clients: Clients, new_user: NewUser, new_role: NewRole, moorage: Moorage, repository: str
) -> None:
    name, user = new_user()
    role = new_role(trust({"AWS": user_arn(name)}), READ)
    session = clients("ecr", of_session(assume(clients, user, role)))
    assert session.list_images(repositoryName=repository)["imageIds"] == []

    moorage("key", "deactivate", user["aws_access_key_id"])
    assert refusal(session.list_images, repositoryName=repository).code == "UnrecognizedClientException"
    moorage("key", "activate", user["aws_access_key_id"])
    assert session.list_images(repositoryName=repository)["imageIds"] == []
    moorage("user", "delete", name)
    assert refusal(session.list_images, repositoryName=repository).code == "UnrecognizedClientException"


def test_a_role_that_is_created_again_has_none_of_the_old_sessions(
    clients: Clients, new_user: NewUser, new_role: NewRole, moorage: Moorage
) -> None:
    name, user = new_user()
    role = new_role(trust({"AWS": user_arn(name)}), READ)
    session = clients("sts", of_session(assume(clients, user, role)))

    moorage("role", "delete", role)
    moorage("role", "create", role, "--trust", "-", stdin=json.dumps(trust({"AWS": user_arn(name)})))

    assert refusal(session.get_caller_identity).code == "InvalidClientTokenId"


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"RoleSessionName": "x"}, "ValidationError", "roleSessionName"),
        ({"RoleSessionName": "a b"}, "ValidationError", "roleSessionName"),
        ({"RoleSessionName": ""}, "ValidationError", "Member must not be null"),
        ({"RoleArn": "arn:aws:iam::1:role/x"}, "ValidationError", "roleArn"),
        ({"DurationSeconds": 899}, "ValidationError", "between 900 and 43200"),
        ({"DurationSeconds": 43_201}, "ValidationError", "between 900 and 43200"),
        ({"DurationSeconds": 3601}, "ValidationError", "MaxSessionDuration set for this role"),
        ({"ExternalId": "é"}, "ValidationError", "externalId"),
        ({"Policy": "{}"}, "MalformedPolicyDocument", "Statement must be"),
        ({"Policy": "x" * 2049}, "MalformedPolicyDocument", "longer than 2048 characters"),
        ({"PolicyArns": [{"arn": f"arn:aws:iam::{ACCOUNT}:policy/none"}]}, "MalformedPolicyDocument", "no policy"),
        ({"PolicyArns": [{"arn": "AmazonEC2ContainerRegistryPullOnly"}]}, "MalformedPolicyDocument", "is not the ARN"),
        ({"PolicyArns": [{"arn": "arn:aws:iam::222222222222:policy/x"}]}, "MalformedPolicyDocument", "another account"),
        ({"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/x"}] * 11}, "ValidationError", "less than or equal to 10"),
        ({"Tags": [{"Key": "a", "Value": "b"}]}, "ValidationError", "Moorage does not support it"),
        ({"SerialNumber": "123456789", "TokenCode": "123456"}, "ValidationError", "Moorage does not support it"),
    ],
)
def test_an_invalid_request_for_a_role_is_rejected(
    clients: Clients, trusted: tuple[Credentials, str], changes: dict[str, Any], code: str, message: str
) -> None:
    user, role = trusted

    refused = refusal(
        clients("sts", user).assume_role, **{"RoleArn": role_arn(role), "RoleSessionName": "build-7"} | changes
    )

    assert (refused.status, refused.code) == (400, code)
    assert message in refused.message


@pytest.fixture(scope="module")
def trusted(new_user: NewUser, new_role: NewRole) -> tuple[Credentials, str]:
    """A user, and a role that trusts it."""
    name, user = new_user()
    return user, new_role(trust({"AWS": user_arn(name)}))


def test_pulls_of_a_session_do_not_change_the_pull_time_if_its_role_is_excluded(
    clients: Clients, new_user: NewUser, new_role: NewRole, repository: str
) -> None:
    """ECR user guide, "Pull time update exclusions"."""
    ecr = clients("ecr")
    for seed, tag in enumerate(["scanned", "used"]):
        push(ecr, repository, image(seed=seed), tag)
    name, user = new_user()
    role = new_role(trust({"AWS": user_arn(name)}), READ)
    session = clients("ecr", of_session(assume(clients, user, role)))

    ecr.register_pull_time_update_exclusion(principalArn=role_arn(role))
    session.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "scanned"}])
    ecr.deregister_pull_time_update_exclusion(principalArn=role_arn(role))
    session.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "used"}])

    recorded_pull_time(ecr, repository, "used")
    assert pull_time(ecr, repository, "scanned") is None
