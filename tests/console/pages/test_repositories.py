"""The list of repositories, and the forms that create, change and delete one."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.chromium import require_accessible, take_picture
from tests.support.server import Server


def search(page: Page, prefix: str) -> None:
    page.goto("/console/repositories")
    page.get_by_placeholder("Find repositories whose name begins with").fill(prefix)


def test_repositories_are_found_by_the_beginning_of_their_names(signed_in: Page, ecr: Any) -> None:
    for name in ("found/one", "found/two", "other/three"):
        ecr.create_repository(repositoryName=name)
    search(signed_in, "found/")

    expect(signed_in.get_by_role("link", name="found/two")).to_be_visible()
    expect(signed_in.get_by_role("link", name="other/three")).to_have_count(0)
    require_accessible(signed_in)
    take_picture(signed_in, "repositories")


def test_a_list_shows_pages_of_the_server(signed_in: Page, server: Server, ecr: Any) -> None:
    for number in range(60):
        ecr.create_repository(repositoryName=f"paged/{number:03}")
    signed_in.goto("/console/repositories")
    names = signed_in.get_by_role("rowheader").get_by_role("link")
    expect(names.nth(5)).to_be_visible()
    first = names.first.inner_text()
    assert names.count() < 60

    signed_in.get_by_role("button", name="Next page").click()
    expect(names.first).not_to_have_text(first)
    signed_in.get_by_role("button", name="Previous page").click()
    expect(names.first).to_have_text(first)


def test_a_repository_is_created_with_its_settings(signed_in: Page, ecr: Any) -> None:
    signed_in.get_by_role("link", name="Create repository").or_(
        signed_in.get_by_role("button", name="Create repository")
    ).click()
    signed_in.get_by_label("Name", exact=True).fill("created/app")
    signed_in.get_by_role("radio", name="Immutable", exact=True).click()
    signed_in.get_by_label("Scan on push").click()
    signed_in.get_by_role("button", name="Add tag").click()
    signed_in.get_by_role("textbox", name="Key").fill("team")
    signed_in.get_by_role("textbox", name="Value").fill("harbour")
    require_accessible(signed_in)
    take_picture(signed_in, "create-repository")
    signed_in.get_by_role("button", name="Create repository").click()

    expect(signed_in.get_by_text("Created the repository created/app")).to_be_visible()
    (made,) = ecr.describe_repositories(repositoryNames=["created/app"])["repositories"]
    assert made["imageTagMutability"] == "IMMUTABLE"
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}
    tags = ecr.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"]
    assert tags == [{"Key": "team", "Value": "harbour"}]


def test_a_name_that_ecr_refuses_is_refused_in_the_form(signed_in: Page) -> None:
    signed_in.goto("/console/repositories/-/create")
    signed_in.get_by_label("Name", exact=True).fill("Not Allowed")

    expect(signed_in.get_by_text("Each part must begin and end with a lowercase letter or a digit")).to_be_visible()
    expect(signed_in.get_by_role("button", name="Create repository")).to_be_disabled()


def test_settings_are_changed(signed_in: Page, ecr: Any, repository: str) -> None:
    signed_in.goto(f"/console/repositories/{repository}/-/edit")
    signed_in.get_by_role("radio", name="Immutable", exact=True).click()
    require_accessible(signed_in)
    signed_in.get_by_role("button", name="Save changes").click()
    signed_in.wait_for_url(f"**/{repository}*")
    signed_in.wait_for_function("!location.pathname.endsWith('/edit')")

    (changed,) = ecr.describe_repositories(repositoryNames=[repository])["repositories"]
    assert changed["imageTagMutability"] == "IMMUTABLE"


def test_push_commands_have_the_address_of_this_server(signed_in: Page, server: Server, repository: str) -> None:
    signed_in.goto(f"/console/repositories/{repository}")
    signed_in.get_by_role("button", name="View push commands").click()

    dialog = signed_in.get_by_role("dialog")
    expect(dialog.get_by_text(f"docker push localhost:{server.port}/{repository}:latest")).to_be_visible()
    expect(dialog.get_by_text(f"--endpoint-url http://localhost:{server.port}")).to_be_visible()
    require_accessible(signed_in)
    take_picture(signed_in, "push-commands")


def test_a_repository_is_deleted_after_its_name_was_typed(signed_in: Page, ecr: Any, repository: str) -> None:
    signed_in.goto(f"/console/repositories/{repository}")
    signed_in.get_by_role("button", name="Actions").first.click()
    signed_in.get_by_role("menuitem", name="Delete").click()
    dialog = signed_in.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Delete")).to_be_disabled()
    dialog.get_by_role("textbox").fill(repository)
    dialog.get_by_role("button", name="Delete").click()

    expect(signed_in.get_by_text(f"Deleted the repository {repository}")).to_be_visible()
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.describe_repositories(repositoryNames=[repository])


def test_what_somebody_may_not_see_is_said_on_that_part_of_the_page(page: Page, server: Server) -> None:
    server.moorage("user", "create", "visitor")
    key = server.moorage("key", "create", "--user", "visitor").replace("export ", "").split()
    page.goto("/console/")
    page.get_by_label("Access key ID").fill(key[0].partition("=")[2])
    page.get_by_label("Secret access key").fill(key[1].partition("=")[2])
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_text("You do not have permission")).to_be_visible()
    expect(page.get_by_text("ecr:DescribeRepositories")).to_be_visible()
    expect(page.get_by_role("link", name="Repositories").first).to_be_visible()
