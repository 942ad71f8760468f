"""The whole story of a first push: in the browser, and with docker by the commands that the browser shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import StartServer
from tests.console.pages.test_policies import RULES, write
from tests.support.aws import aws_client
from tests.support.chromium import require_accessible, take_picture, watched_page
from tests.support.clients import require_client, run
from tests.support.dockerd import Dockerd
from tests.support.images import image, write_docker_archive
from tests.support.server import Server
from tests.support.vulnerabilities import DEBIAN, write_database
from tests.support.waiting import wait_until

NAME = "story/app"


@pytest.fixture
def server(fresh_server: StartServer, tmp_path: Path) -> Server:
    """A server that scans images, with a small database of vulnerabilities."""
    grype = require_client("grype")
    return fresh_server(
        extra_env={
            "MOORAGE_SCANNER": f"grype:{grype}",
            "MOORAGE_SCANNER_SHA256": hashlib.sha256(Path(grype).read_bytes()).hexdigest(),
            "MOORAGE_SCANNER_DATABASE": str(write_database(tmp_path / "db.tar.gz")),
        }
    )


@pytest.fixture
def ecr(server: Server) -> Iterator[Any]:
    with aws_client(server) as client:
        yield client


def test_from_sign_in_to_undelete(
    chromium: Browser, server: Server, dockerd: Dockerd, ecr: Any, tmp_path: Path
) -> None:
    with watched_page(chromium, f"http://localhost:{server.port}") as page:
        sign_in(page, server)
        create(page)
        push(page, server, dockerd, tmp_path)
        look_at_layers(page)
        look_at_findings(page)
        set_lifecycle_policy(page)
        delete(page)
        assert tags(ecr) == set()
        undelete(page)
        assert tags(ecr) == {"latest"}


def tags(ecr: Any) -> set[str]:
    return {
        image["imageTag"] for image in ecr.list_images(repositoryName=NAME, filter={"tagStatus": "TAGGED"})["imageIds"]
    }


def sign_in(page: Page, server: Server) -> None:
    page.goto("/console/")
    page.get_by_label("Access key ID").fill(server.environment["AWS_ACCESS_KEY_ID"])
    page.get_by_label("Secret access key").fill(server.environment["AWS_SECRET_ACCESS_KEY"])
    page.get_by_role("button", name="Sign in").click()


def create(page: Page) -> None:
    page.get_by_text("Create repository", exact=True).first.click()
    page.get_by_label("Name", exact=True).fill(NAME)
    page.get_by_label("Scan on push").click()
    page.get_by_role("button", name="Create repository").click()
    expect(page.get_by_text(f"Created the repository {NAME}")).to_be_visible()


def push(page: Page, server: Server, dockerd: Dockerd, folder: Path) -> None:
    """Push an image by the commands on the page, except for the one that builds the image."""
    pushed = image([DEBIAN], docker=True)
    archive = write_docker_archive(folder / "image.tar", pushed, f"{NAME}:latest")
    dockerd.docker("load", "--input", str(archive))
    page.goto(f"/console/repositories/{NAME}")
    page.get_by_role("button", name="View push commands").click()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    commands = [copied(page, what) for what in ("Copy Log the client in", "Copy Tag the image", "Copy Push the image")]
    environment = server.client_environment(folder) | {"DOCKER_HOST": dockerd.address}
    run(["sh", "-e", "-c", "\n".join(commands)], environment)
    page.keyboard.press("Escape")


def copied(page: Page, button: str) -> str:
    page.get_by_role("dialog").get_by_role("button", name=button).locator("visible=true").click()
    return str(page.evaluate("navigator.clipboard.readText()"))


def look_at_layers(page: Page) -> None:
    page.goto(f"/console/repositories/{NAME}")
    page.get_by_role("row").filter(has_text="latest").get_by_role("link").first.click()
    page.get_by_role("tab", name="Layers").click()
    expect(page.get_by_text("sha256:").first).to_be_visible()
    take_picture(page, "layers")


def look_at_findings(page: Page) -> None:
    """The scan began with the push; the page is loaded again until it has ended."""
    page.get_by_role("tab", name="Findings").click()

    def is_there() -> bool:
        page.get_by_role("button", name="Refresh").last.click()
        return page.get_by_text("CVE-2099-0001").first.is_visible()

    wait_until(is_there)
    expect(page.get_by_role("row").filter(has_text="CVE-2099-0001")).to_contain_text("openssl")
    require_accessible(page)
    take_picture(page, "findings")
    page.get_by_role("button", name="Informational").click()
    expect(page.get_by_text("CVE-2099-0001")).to_have_count(0)


def set_lifecycle_policy(page: Page) -> None:
    page.goto(f"/console/repositories/{NAME}/-/lifecycle")
    write(page, json.dumps(RULES))
    page.get_by_role("button", name="Run the preview").click()
    expect(page.get_by_text("The policy would change no image")).to_be_visible()
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Saved: Lifecycle policy")).to_be_visible()


def delete(page: Page) -> None:
    page.goto(f"/console/repositories/{NAME}")
    page.get_by_role("row").filter(has_text="latest").get_by_role("checkbox").check()
    page.get_by_role("button", name="Actions").last.click()
    page.get_by_role("menuitem", name="Delete").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("delete")
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Deleted: 1")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="latest")).to_have_count(0)


def undelete(page: Page) -> None:
    page.get_by_role("tab", name="Deleted images").click()
    row = page.get_by_role("row").filter(has_text="latest")
    require_accessible(page)
    row.get_by_role("radio").check()
    page.get_by_role("button", name="Undelete").click()
    expect(page.get_by_text("Undeleted: 1")).to_be_visible()
    expect(row).to_have_count(0)
