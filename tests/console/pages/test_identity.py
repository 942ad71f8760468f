"""Users, roles, policies and identity providers, and the explanation of permissions."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.console.pages.test_policies import write
from tests.support.aws import aws_client
from tests.support.chromium import require_accessible, take_picture, watched_page
from tests.support.server import Server

ACCOUNT = "000000000000"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"

_numbers = itertools.count(1)


def policy(action: str, sid: str = "own") -> dict[str, Any]:
    """A policy with one statement."""
    statement = {"Sid": sid, "Effect": "Allow", "Action": action, "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def trust(sid: str = "anybody") -> dict[str, Any]:
    """A trust policy for the account."""
    statement = {"Sid": sid, "Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.fixture
def iam(server: Server) -> Iterator[Any]:
    with aws_client(server, "iam", endpoint=server.url) as client:
        yield client


@pytest.fixture
def name() -> str:
    """A name that no other test uses. It has a dot, as names of files have."""
    return f"pages-{next(_numbers)}.dot"


def choose(page: Page, row: str) -> None:
    """Select a row of a table."""
    page.get_by_role("radio", name=row, exact=True).check(force=True)


def confirm(page: Page, text: str, button: str = "Delete") -> None:
    """Type what a dialog asks for, and confirm."""
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name=button)).to_be_disabled()
    dialog.get_by_role("textbox").fill(text)
    require_accessible(page)
    dialog.get_by_role("button", name=button).click()


def test_a_user_is_created_and_deleted(signed_in: Page, iam: Any, name: str) -> None:
    signed_in.goto("/console/identity/users")
    signed_in.get_by_role("button", name="Create user").click()
    signed_in.get_by_role("dialog").get_by_role("textbox").fill(name)
    require_accessible(signed_in)
    signed_in.get_by_role("button", name="Create", exact=True).click()
    expect(signed_in.get_by_role("heading", name=name)).to_be_visible()
    require_accessible(signed_in)

    iam.attach_user_policy(UserName=name, PolicyArn=READ_ONLY)
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(policy("ecr:*")))
    iam.create_access_key(UserName=name)
    signed_in.goto("/console/identity/users")
    choose(signed_in, name)
    require_accessible(signed_in)
    take_picture(signed_in, "users")
    signed_in.get_by_role("button", name="Delete").click()
    confirm(signed_in, name)

    expect(signed_in.get_by_text(f"Deleted: {name}")).to_be_visible()
    assert name not in {user["UserName"] for user in iam.list_users()["Users"]}


def test_users_have_pages(signed_in: Page, iam: Any) -> None:
    names = [f"zz-many-{number:02}" for number in range(26)]
    for one in names:
        iam.create_user(UserName=one)
    signed_in.goto("/console/identity/users")
    expect(signed_in.get_by_role("row")).to_have_count(26)
    expect(signed_in.get_by_role("link", name=names[-1])).to_have_count(0)
    signed_in.get_by_role("button", name="Next page").click()
    expect(signed_in.get_by_role("link", name=names[-1])).to_be_visible()
    for one in names:
        iam.delete_user(UserName=one)


def test_the_secret_of_an_access_key_is_shown_once(signed_in: Page, iam: Any, name: str) -> None:
    iam.create_user(UserName=name)
    signed_in.goto(f"/console/identity/users/{name}/keys")
    signed_in.get_by_role("button", name="Create access key").click()
    dialog = signed_in.get_by_role("dialog")
    (key,) = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    expect(dialog.get_by_text(key["AccessKeyId"])).to_be_visible()
    secret = dialog.locator("bdi").nth(1).inner_text()
    require_accessible(signed_in)
    dialog.get_by_role("button", name="I have copied the secret").click()
    expect(dialog).to_have_count(0)
    assert len(secret) == 40
    assert secret not in signed_in.content()
    assert secret not in signed_in.evaluate("JSON.stringify({...sessionStorage, ...localStorage})")


def test_an_access_key_is_deactivated_and_deleted(signed_in: Page, iam: Any, name: str) -> None:
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    signed_in.goto(f"/console/identity/users/{name}/keys")
    expect(signed_in.get_by_text("Never")).to_be_visible()
    choose(signed_in, key)
    require_accessible(signed_in)
    signed_in.get_by_role("button", name="Deactivate").click()
    signed_in.get_by_role("dialog").get_by_role("button", name="Deactivate").click()
    expect(signed_in.get_by_text("Inactive")).to_be_visible()
    assert iam.list_access_keys(UserName=name)["AccessKeyMetadata"][0]["Status"] == "Inactive"

    signed_in.get_by_role("button", name="Delete").last.click()
    confirm(signed_in, key)
    expect(signed_in.get_by_text("The user has no access keys.")).to_be_visible()
    assert iam.list_access_keys(UserName=name)["AccessKeyMetadata"] == []


def test_a_user_gets_an_attached_and_an_inline_policy(signed_in: Page, iam: Any, name: str) -> None:
    iam.create_user(UserName=name)
    signed_in.goto(f"/console/identity/users/{name}")
    signed_in.get_by_role("button", name="Attach policies").click()
    signed_in.get_by_role("checkbox", name="AmazonEC2ContainerRegistryReadOnly").check(force=True)
    require_accessible(signed_in)
    signed_in.get_by_role("button", name="Attach", exact=True).click()
    expect(signed_in.get_by_role("link", name="AmazonEC2ContainerRegistryReadOnly")).to_be_visible()
    assert [each["PolicyArn"] for each in iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]] == [
        READ_ONLY
    ]

    signed_in.get_by_role("button", name="Create inline policy").click()
    signed_in.get_by_role("dialog").get_by_role("textbox").fill("own")
    signed_in.get_by_role("button", name="Create", exact=True).click()
    write(signed_in, json.dumps(policy("ecr:PutImage")))
    require_accessible(signed_in)
    signed_in.get_by_role("button", name="Save changes").click()
    expect(signed_in.get_by_text("Saved: Inline policy")).to_be_visible()
    assert iam.get_user_policy(UserName=name, PolicyName="own")["PolicyDocument"] == policy("ecr:PutImage")


def test_a_policy_that_iam_rejects_says_why_and_keeps_the_text(signed_in: Page, iam: Any, name: str) -> None:
    iam.create_user(UserName=name)
    signed_in.goto(f"/console/identity/users/{name}/policies/own")
    write(signed_in, json.dumps(policy("ecr:*") | {"Version": "2011-10-17"}))
    signed_in.get_by_role("button", name="Save changes").click()

    expect(signed_in.get_by_text("2011-10-17", exact=False).last).to_be_visible()
    expect(signed_in.get_by_role("button", name="Save changes")).to_be_enabled()
    assert iam.list_user_policies(UserName=name)["PolicyNames"] == []


def test_a_role_is_created_and_its_trust_policy_and_sessions_are_changed(signed_in: Page, iam: Any, name: str) -> None:
    signed_in.goto("/console/identity/roles")
    expect(signed_in.get_by_role("heading", name="Roles", exact=True)).to_be_visible()
    require_accessible(signed_in)
    signed_in.get_by_role("link", name="Create role").click()
    signed_in.get_by_label("Name", exact=True).fill(name)
    require_accessible(signed_in)
    signed_in.get_by_role("button", name="Create role").click()
    expect(signed_in.get_by_role("heading", name=name)).to_be_visible()

    signed_in.get_by_role("tab", name="Trust policy").click()
    write(signed_in, json.dumps(trust("changed")))
    require_accessible(signed_in)
    signed_in.get_by_role("button", name="Save changes").click()
    expect(signed_in.get_by_text("Saved: Trust policy")).to_be_visible()
    signed_in.get_by_role("tab", name="Settings").click()
    signed_in.get_by_label("Longest session, in minutes").fill("120")
    require_accessible(signed_in)
    signed_in.get_by_role("button", name="Save changes").click()
    expect(signed_in.get_by_text(f"Saved: {name}")).to_be_visible()

    role = iam.get_role(RoleName=name)["Role"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Sid"] == "changed"
    assert role["MaxSessionDuration"] == 7200


def test_a_policy_has_versions_and_is_deleted_with_them(signed_in: Page, iam: Any, name: str) -> None:
    arn = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(policy("ecr:ListImages")))["Policy"]["Arn"]
    signed_in.goto("/console/identity/policies?scope=Local")
    expect(signed_in.get_by_role("link", name=name)).to_be_visible()
    require_accessible(signed_in)
    signed_in.get_by_role("link", name=name).click()
    write(signed_in, json.dumps(policy("ecr:PutImage")))
    require_accessible(signed_in)
    signed_in.get_by_role("button", name="Save changes").click()
    expect(signed_in.get_by_text("Saved: Policy")).to_be_visible()
    signed_in.get_by_role("tab", name="Versions").click()
    choose(signed_in, "v1")
    require_accessible(signed_in)
    signed_in.get_by_role("button", name="Make it apply").click()
    expect(signed_in.get_by_text("Version v1 applies now")).to_be_visible()
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v1"
    signed_in.get_by_role("tab", name="Users and roles").click()
    expect(signed_in.get_by_text("No user or role has this policy.")).to_be_visible()
    require_accessible(signed_in)

    signed_in.get_by_role("button", name="Delete").click()
    confirm(signed_in, name)
    expect(signed_in.get_by_text(f"Deleted: {name}")).to_be_visible()
    assert name not in {each["PolicyName"] for each in iam.list_policies(Scope="Local")["Policies"]}


def test_a_policy_is_created_and_one_of_aws_is_only_shown(signed_in: Page, iam: Any, name: str) -> None:
    signed_in.goto("/console/identity/policies/-/create")
    signed_in.get_by_label("Name", exact=True).fill(name)
    require_accessible(signed_in)
    signed_in.get_by_role("button", name="Create policy").click()
    expect(signed_in.get_by_role("heading", name=name)).to_be_visible()
    assert iam.get_policy(PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/{name}")["Policy"]["PolicyName"] == name

    signed_in.goto(f"/console/identity/policies/{READ_ONLY.replace('/', '%2F')}")
    expect(signed_in.get_by_text("It cannot be changed.")).to_be_visible()
    expect(signed_in.get_by_role("button", name="Save changes")).to_have_count(0)


def test_a_provider_is_added_and_deleted(signed_in: Page, iam: Any, name: str) -> None:
    signed_in.goto("/console/identity/providers")
    signed_in.get_by_role("button", name="Add provider").click()
    signed_in.get_by_label("Issuer").fill(f"https://{name}.example.com")
    signed_in.get_by_label("Audiences", exact=True).fill("sts.amazonaws.com")
    signed_in.keyboard.press("Enter")
    require_accessible(signed_in)
    signed_in.get_by_role("button", name="Create", exact=True).click()
    expect(signed_in.get_by_text(f"Created: https://{name}.example.com")).to_be_visible()
    expect(signed_in.get_by_role("cell", name="sts.amazonaws.com")).to_be_visible()
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{name}.example.com"
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ClientIDList"] == ["sts.amazonaws.com"]

    choose(signed_in, f"{name}.example.com")
    require_accessible(signed_in)
    signed_in.get_by_role("button", name="Delete").click()
    confirm(signed_in, f"{name}.example.com")
    expect(signed_in.get_by_text(f"Deleted: {name}.example.com")).to_be_visible()
    assert arn not in {each["Arn"] for each in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]}


def test_a_permission_is_explained_with_the_statement_that_decides(signed_in: Page, iam: Any, name: str) -> None:
    iam.create_user(UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn=READ_ONLY)
    deny = policy("ecr:BatchGetImage", "NoPulls")
    deny["Statement"][0]["Effect"] = "Deny"
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(deny, indent=1))
    signed_in.goto("/console/identity/explain")
    signed_in.get_by_label("Name of the user").fill(name)
    signed_in.get_by_label("Resource").fill("team/app")
    signed_in.get_by_role("button", name="Explain", exact=True).click()

    expect(signed_in.get_by_text(f"{name} may not do all of this on team/app.")).to_be_visible()
    expect(signed_in.get_by_text('"Sid": "NoPulls"')).to_be_visible()
    expect(signed_in.get_by_text("AmazonEC2ContainerRegistryReadOnly").first).to_be_visible()
    require_accessible(signed_in)
    take_picture(signed_in, "explain")


def test_the_editor_of_permissions_explains_the_policy_of_the_repository(
    signed_in: Page, iam: Any, ecr: Any, repository: str, name: str
) -> None:
    iam.create_user(UserName=name)
    allow = {
        "Sid": "OnlyThisUser",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{name}"},
        "Action": "ecr:BatchDeleteImage",
    }
    text = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    ecr.set_repository_policy(repositoryName=repository, policyText=text)
    signed_in.goto(f"/console/repositories/{repository}/-/permissions")
    signed_in.get_by_label("Name of the user").fill(name)
    signed_in.get_by_role("radio", name="Delete images").check(force=True)
    signed_in.get_by_role("button", name="Explain", exact=True).click()

    expect(signed_in.get_by_text(f"{name} may do this on {repository}.")).to_be_visible()
    answer = signed_in.get_by_role("status").filter(has_text="Decided by the policy of the repository")
    expect(answer.get_by_text('"Sid": "OnlyThisUser"')).to_be_visible()
    require_accessible(signed_in)


def test_what_one_may_not_see_is_said_and_the_rest_is_shown(
    signed_in: Page, server: Server, iam: Any, name: str
) -> None:
    """A user that may see its own policies and not its keys."""
    iam.create_user(UserName=name)
    actions = ["iam:GetUser", "iam:ListAttachedUserPolicies"]
    own = policy("ecr:*")
    own["Statement"][0]["Action"] = actions
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(own))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    browser = signed_in.context.browser
    assert browser is not None
    with watched_page(browser, f"http://localhost:{server.port}") as page:
        page.goto("/console/")
        page.get_by_label("Access key ID").fill(key["AccessKeyId"])
        page.get_by_label("Secret access key").fill(key["SecretAccessKey"])
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Repositories", exact=True).wait_for()
        page.goto(f"/console/identity/users/{name}")

        expect(page.get_by_text("No policies are attached.")).to_be_visible()
        expect(page.get_by_text("The action iam:ListUserPolicies is not allowed for you here.")).to_be_visible()
        require_accessible(page)


def test_a_description_is_never_markup(signed_in: Page, iam: Any, name: str) -> None:
    text = '<img src=x onerror="document.title=1">'
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust()), Description=text)
    signed_in.goto("/console/identity/roles")

    expect(signed_in.get_by_role("cell", name=text)).to_be_visible()
    assert signed_in.locator("#content img").count() == 0
