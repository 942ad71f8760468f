"""The images of a repository, and the page of one image."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.chromium import require_accessible, take_picture
from tests.support.http_client import Docker
from tests.support.images import image


def test_images_are_shown_with_tags_and_sizes(signed_in: Page, docker: Docker, repository: str) -> None:
    for number in range(3):
        docker.push(repository, image(seed=number), f"v{number}")
    signed_in.goto(f"/console/repositories/{repository}")

    for number in range(3):
        expect(signed_in.get_by_role("row").filter(has_text=f"v{number}")).to_be_visible()
    require_accessible(signed_in)
    take_picture(signed_in, "images")


def test_the_page_of_an_image_shows_layers_configuration_and_manifest(
    signed_in: Page, docker: Docker, repository: str
) -> None:
    pushed = image(seed=1)
    docker.push(repository, pushed, "v1")
    address = f"/console/repositories/{repository}/-/images/{pushed.manifest.digest}"
    signed_in.goto(address)
    expect(signed_in.get_by_text("application/vnd.oci.image.manifest.v1+json")).to_be_visible()
    require_accessible(signed_in)
    take_picture(signed_in, "image")

    reasons = signed_in.get_by_role("table", name="Why is this here?")
    expect(reasons.get_by_text("It is an image, and nobody has deleted it.")).to_be_visible()

    signed_in.get_by_role("tab", name="Layers").click()
    expect(signed_in.get_by_text(pushed.blobs[-1].digest[:19]).first).to_be_visible()
    require_accessible(signed_in)
    signed_in.get_by_role("button", name=f"Why is the layer {pushed.blobs[-1].digest} here?").click()
    expect(signed_in.get_by_role("dialog").get_by_text("An image has it as a layer.")).to_be_visible()
    require_accessible(signed_in)
    signed_in.get_by_role("dialog").get_by_role("button", name="Close").click()
    signed_in.get_by_role("tab", name="Manifest").click()
    expect(signed_in.get_by_text("schemaVersion").first).to_be_visible()
    require_accessible(signed_in)


def test_an_image_is_deleted(signed_in: Page, ecr: Any, docker: Docker, repository: str) -> None:
    docker.push(repository, image(seed=1), "v1")
    signed_in.goto(f"/console/repositories/{repository}")
    signed_in.get_by_role("row").filter(has_text="v1").get_by_role("checkbox").check()
    signed_in.get_by_role("button", name="Actions").last.click()
    signed_in.get_by_role("menuitem", name="Delete").click()
    dialog = signed_in.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("delete")
    dialog.get_by_role("button", name="Delete").click()

    expect(signed_in.get_by_text("There are no images here")).to_be_visible()
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []


def test_an_image_is_archived_and_found_by_the_filter(
    signed_in: Page, ecr: Any, docker: Docker, repository: str
) -> None:
    docker.push(repository, image(seed=1), "v1")
    signed_in.goto(f"/console/repositories/{repository}")
    signed_in.get_by_role("row").filter(has_text="v1").get_by_role("checkbox").check()
    signed_in.get_by_role("button", name="Actions").last.click()
    signed_in.get_by_role("menuitem", name="Archive", exact=True).click()
    expect(signed_in.get_by_text("Done for images: 1")).to_be_visible()
    signed_in.get_by_role("button", name="Archived").click()

    expect(signed_in.get_by_role("row").filter(has_text="v1")).to_be_visible()
    (found,) = ecr.describe_images(repositoryName=repository, filter={"imageStatus": "ARCHIVED"})["imageDetails"]
    assert found["imageStatus"] == "ARCHIVED"


@pytest.mark.parametrize("tag", ["v" * 128, "_-_.under-score"])
def test_long_and_unusual_tags_are_shown_whole(signed_in: Page, docker: Docker, repository: str, tag: str) -> None:
    docker.push(repository, image(seed=1), tag)
    signed_in.goto(f"/console/repositories/{repository}")

    expect(signed_in.get_by_text(tag)).to_be_visible()
    width = signed_in.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width <= 0


def test_text_that_looks_like_markup_is_shown_as_text(signed_in: Page, docker: Docker, repository: str) -> None:
    markup = "<img src=x onerror=document.title='taken'>"
    pushed = image(seed=1, extra={"annotations": {"title": markup}})
    docker.push(repository, pushed, "v1")
    signed_in.goto(f"/console/repositories/{repository}/-/images/{pushed.manifest.digest}")

    expect(signed_in.get_by_text(markup)).to_be_visible()
    assert "taken" not in signed_in.title()
