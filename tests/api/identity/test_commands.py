"""`moorage policy`, `role` and `oidc`, and policies of users: their immediate effect, and their error messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.ecr.wire import ACCOUNT, refusal
from tests.api.identity.conftest import Credentials, Moorage, allow, trust
from tests.support.issuer import Issuer

NewUser = Callable[..., tuple[str, Credentials]]
POLICY, TRUST = json.dumps(allow("ecr:ListImages")), json.dumps(trust({"AWS": ACCOUNT}))


def test_a_policy_of_the_account_applies_at_once_to_all_its_users(
    moorage: Moorage, refused: Callable[..., str], clients: Callable[..., Any], new_user: NewUser, repository: str
) -> None:
    name, user = new_user()
    ecr = clients("ecr", user)
    arn = moorage("policy", "create", "listing", "-", stdin=POLICY).strip()
    assert arn == f"arn:aws:iam::{ACCOUNT}:policy/listing"
    assert refusal(ecr.list_images, repositoryName=repository).code == "AccessDeniedException"

    moorage("user", "attach", name, arn)
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []
    assert f"{arn}\t{name}\n" in moorage("policy", "list")
    elsewhere = allow("ecr:ListImages", resource=f"arn:aws:ecr:*:{ACCOUNT}:repository/elsewhere/*")
    moorage("policy", "update", "listing", "-", stdin=json.dumps(elsewhere))
    assert refusal(ecr.list_images, repositoryName=repository).code == "AccessDeniedException"
    assert json.loads(moorage("policy", "show", "listing")) == elsewhere
    assert refused("policy", "delete", "listing") == f"policy 'listing' is attached to {name}: detach it first"
    moorage("user", "detach", name, "listing")
    moorage("policy", "delete", "listing")
    assert "listing" not in moorage("policy", "list")


def test_an_inline_policy_is_stored_shown_and_deleted_with_its_user(
    moorage: Moorage, clients: Callable[..., Any], new_user: NewUser, repository: str
) -> None:
    name, user = new_user(allow("ecr:ListImages"))
    ecr = clients("ecr", user)
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []
    assert f"{name}\town (inline)\n" in moorage("user", "list")
    assert json.loads(moorage("user", "show-policy", name, "own")) == allow("ecr:ListImages")

    moorage("user", "delete-policy", name, "own")
    assert refusal(ecr.list_images, repositoryName=repository).code == "AccessDeniedException"
    moorage("user", "put-policy", name, "own", "-", stdin=POLICY)
    moorage("user", "delete", name)
    moorage("user", "create", name)
    assert f"{name}\t-\n" in moorage("user", "list")


def test_a_role_has_a_path_and_can_be_changed(moorage: Moorage) -> None:
    made = moorage("role", "create", "filed", "--path", "/ci/eu/", "--max-session", "7200", "--trust", "-", stdin=TRUST)
    moorage("role", "attach", "filed", "AmazonEC2ContainerRegistryPullOnly")
    moorage("role", "limit", "filed", "43200")
    moorage("role", "trust", "filed", "-", stdin=json.dumps(trust({"AWS": "222222222222"})))

    assert made == f"arn:aws:iam::{ACCOUNT}:role/ci/eu/filed\n"
    assert "filed\t43200\tAmazonEC2ContainerRegistryPullOnly\n" in moorage("role", "list")
    assert json.loads(moorage("role", "show", "filed")) == trust({"AWS": "222222222222"})
    moorage("role", "delete", "filed")
    assert "filed" not in moorage("role", "list")


@pytest.mark.parametrize(
    ("words", "stdin", "message"),
    [
        ("policy create new -", "{", "identity-based policy 'new': the policy is not valid JSON"),
        ("policy create a/b -", POLICY, "'a/b' is not a policy name: use 1 to 128 letters, digits and +=,.@_-"),
        ("policy create x - --account 999999999999", POLICY, "there is no account '999999999999'"),
        ("policy create AmazonEC2ContainerRegistryPullOnly -", POLICY, "is the name of an AWS managed policy"),
        ("policy create big -", POLICY + " " * 6144, "policy is longer than 6144 characters"),
        ("policy update none -", POLICY, "there is no policy 'none': see `moorage policy list`"),
        ("policy show none", "", "there is no policy 'none': see `moorage policy list`"),
        ("policy delete none", "", "there is no policy 'none': see `moorage policy list`"),
        ("policy delete AmazonEC2ContainerRegistryPullOnly", "", "is managed by AWS and cannot be deleted"),
        ("user attach root arn:aws:iam::222222222222:policy/x", "", "there is no policy 'x'"),
        ("user put-policy root p -", "[]", "identity-based policy 'p': the policy is not a JSON object"),
        ("user put-policy nobody p -", POLICY, "there is no user 'nobody': see `moorage user list`"),
        ("user show-policy root none", "", "user 'root' has no inline policy 'none'"),
        ("user delete-policy root none", "", "user 'root' has no inline policy 'none'"),
        ("role create r/x --trust -", TRUST, "'r/x' is not a role name: use 1 to 64 letters, digits and +=,.@_-"),
        ("role create r --path ci --trust -", TRUST, "'ci' is not a path: it must begin and end with /"),
        ("role create r --trust -", POLICY, "trust policy 'r': this policy cannot name the action"),
        ("role create r --max-session 60 --trust -", TRUST, "must be 3600 to 43200 seconds"),
        ("role show none", "", "there is no role 'none': see `moorage role list`"),
        ("role delete none", "", "there is no role 'none': see `moorage role list`"),
        ("role attach none x", "", "there is no role 'none': see `moorage role list`"),
        (
            "oidc put http://a.example --audience a --keys -",
            "{}",
            "'http://a.example' is not an issuer: use an https URL",
        ),
        ("oidc put https://a.example --audience a --keys -", "{}", "the keys of https://a.example: not a JWK set"),
        ("oidc delete https://none.example", "", "there is no identity provider 'https://none.example'"),
    ],
)
def test_a_command_that_cannot_succeed_reports_why(
    refused: Callable[..., str], words: str, stdin: str, message: str
) -> None:
    assert message in refused(*words.split(), stdin=stdin)


def test_an_identity_has_at_most_ten_attached_policies(
    moorage: Moorage, refused: Callable[..., str], new_user: NewUser
) -> None:
    name, _ = new_user()
    for number in range(11):
        moorage("policy", "create", f"tenth-{number}", "-", stdin=POLICY)
    for number in range(10):
        moorage("user", "attach", name, f"tenth-{number}")

    assert refused("user", "attach", name, "tenth-10") == f"user '{name}' has 10 attached policies, which is the limit"
    assert "tenth-10" not in moorage("user", "list")


def test_names_are_unique(moorage: Moorage, refused: Callable[..., str]) -> None:
    moorage("role", "create", "taken", "--trust", "-", stdin=TRUST)
    moorage("policy", "create", "taken", "-", stdin=POLICY)

    assert refused("role", "create", "taken", "--trust", "-", stdin=TRUST) == "role 'taken' already exists"
    assert refused("policy", "create", "taken", "-", stdin=POLICY) == "policy 'taken' already exists"


def test_issuers_are_listed_with_their_audiences(moorage: Moorage) -> None:
    listed = Issuer("https://listed.example.org")
    words = ("oidc", "put", listed.url, "--audience", "a", "--audience", "b", "--keys", "-")

    assert moorage(*words, stdin=listed.key_set()) == f"arn:aws:iam::{ACCOUNT}:oidc-provider/listed.example.org\n"
    assert "https://listed.example.org\ta, b\n" in moorage("oidc", "list")
