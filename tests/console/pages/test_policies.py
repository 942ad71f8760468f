"""The editors of policies: permissions, and lifecycle policies with their preview."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Page, expect

from tests.support.chromium import require_accessible, take_picture
from tests.support.http_client import Docker
from tests.support.images import image

RULES = {
    "rules": [
        {
            "rulePriority": 1,
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 2},
            "action": {"type": "expire"},
        }
    ]
}
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "pull", "Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}],
}


def write(page: Page, text: str) -> None:
    """Replace the text of the JSON editor."""
    editor = page.locator(".cm-content")
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(text)


def test_a_policy_is_saved(signed_in: Page, ecr: Any, repository: str) -> None:
    signed_in.goto(f"/console/repositories/{repository}/-/permissions")
    write(signed_in, json.dumps(POLICY, indent=2))
    require_accessible(signed_in)
    take_picture(signed_in, "permissions")
    signed_in.get_by_role("button", name="Save changes").click()

    expect(signed_in.get_by_text("Saved: Policy of the repository")).to_be_visible()
    assert json.loads(ecr.get_repository_policy(repositoryName=repository)["policyText"]) == POLICY


def test_the_line_of_a_mistake_is_said(signed_in: Page, repository: str) -> None:
    signed_in.goto(f"/console/repositories/{repository}/-/permissions")
    statements = [{**POLICY["Statement"][0], "Sid": f"pull{number}"} for number in range(3)]  # type: ignore[dict-item]
    lines = json.dumps({**POLICY, "Statement": statements}, indent=2).splitlines()
    lines[13] = lines[13].replace('"Action"', '"Action')
    write(signed_in, "\n".join(lines))

    expect(signed_in.get_by_text("This is not JSON from line 14")).to_be_visible()
    expect(signed_in.get_by_role("button", name="Save changes")).to_be_disabled()


def test_of_two_people_who_edit_one_policy_the_second_is_told(signed_in: Page, ecr: Any, repository: str) -> None:
    signed_in.goto(f"/console/repositories/{repository}/-/permissions")
    write(signed_in, json.dumps(POLICY, indent=2))
    other = {**POLICY, "Statement": [{**POLICY["Statement"][0], "Sid": "theirs"}]}  # type: ignore[dict-item]
    ecr.set_repository_policy(repositoryName=repository, policyText=json.dumps(other))
    signed_in.get_by_role("button", name="Save changes").click()

    expect(signed_in.get_by_text("Somebody else has changed this")).to_be_visible()
    assert "theirs" in ecr.get_repository_policy(repositoryName=repository)["policyText"]
    signed_in.get_by_role("button", name="Save mine").click()
    expect(signed_in.get_by_text("Saved: Policy of the repository")).to_be_visible()


def test_a_lifecycle_policy_is_saved_after_its_preview(
    signed_in: Page, ecr: Any, docker: Docker, repository: str
) -> None:
    for number in range(4):
        docker.push(repository, image(seed=number), f"v{number}")
    signed_in.goto(f"/console/repositories/{repository}/-/lifecycle")
    write(signed_in, json.dumps(RULES, indent=2))
    signed_in.get_by_role("button", name="Run the preview").click()
    expect(signed_in.get_by_text("Images that expire: 2")).to_be_visible()
    require_accessible(signed_in)
    take_picture(signed_in, "lifecycle")
    assert len(ecr.list_images(repositoryName=repository)["imageIds"]) == 4
    signed_in.get_by_role("button", name="Save changes").click()

    expect(signed_in.get_by_text("Saved: Lifecycle policy")).to_be_visible()
    assert json.loads(ecr.get_lifecycle_policy(repositoryName=repository)["lifecyclePolicyText"]) == RULES
