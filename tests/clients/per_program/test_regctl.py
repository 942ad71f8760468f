"""regctl: images, tags, manifests, blobs and referrers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api.ecr.pushing import push
from tests.clients.per_program.programs import Programs
from tests.support.images import digest, image, index, write_layout

pytestmark = pytest.mark.client

NOTE = "application/vnd.example.note"


def test_copies_an_image_from_a_layout_and_back(programs: Programs, ecr: Any, repository: str, tmp_path: Path) -> None:
    pushed = image(seed=1)
    layout = write_layout(tmp_path / "layout", pushed, "v1")

    programs.run("regctl", "image", "copy", f"ocidir://{layout}:v1", programs.name(repository))
    programs.run("regctl", "image", "copy", programs.name(repository), f"ocidir://{tmp_path / 'pulled'}:v1")

    assert ecr.list_images(repositoryName=repository)["imageIds"] == [
        {"imageDigest": pushed.manifest.digest, "imageTag": "v1"}
    ]
    for part in (pushed.manifest, *pushed.blobs):
        assert (tmp_path / "pulled" / "blobs" / part.digest.replace(":", "/")).read_bytes() == part.content


def test_copies_an_index_with_its_images_and_referrers_between_repositories(
    programs: Programs, ecr: Any, new_repository: Callable[[], str]
) -> None:
    source, target = new_repository(), new_repository()
    children = [push(ecr, source, image(seed=seed)) for seed in (1, 2)]
    family = push(ecr, source, index(children), "v1")
    note = push(ecr, source, image(seed=3, extra={"subject": family.manifest.descriptor}))

    programs.run("regctl", "image", "copy", "--referrers", programs.name(source), programs.name(target))

    copied = {each["imageDigest"] for each in ecr.list_images(repositoryName=target)["imageIds"]}
    assert copied == {item.manifest.digest for item in (*children, family, note)}


def test_lists_tags_in_pages_and_deletes_one(programs: Programs, ecr: Any, repository: str) -> None:
    """`tag delete` removes only the tag: the image keeps its other two."""
    push(ecr, repository, image(seed=1), "v1", "v2", "v3")
    listing = ("tag", "ls", "--limit", "2")
    name = f"{programs.host}/{repository}"

    first = programs.run("regctl", *listing, name).split()
    rest = programs.run("regctl", *listing, "--last", first[-1], name).split()
    programs.run("regctl", "tag", "delete", programs.name(repository, "v2"))

    assert (first, rest) == (["v1", "v2"], ["v3"])
    assert programs.run("regctl", "tag", "ls", name).split() == ["v1", "v3"]


def test_reads_manifests_and_blobs_as_they_were_pushed(programs: Programs, ecr: Any, repository: str) -> None:
    pushed = push(ecr, repository, image(seed=1), "v1")
    name = programs.name(repository)

    assert programs.run("regctl", "manifest", "get", "--format", "raw-body", name).encode() == pushed.manifest.content
    assert programs.run("regctl", "manifest", "head", name).strip() == pushed.manifest.digest
    config = programs.run("regctl", "blob", "get", f"{programs.host}/{repository}", pushed.blobs[0].digest)
    assert digest(config.encode()) == pushed.blobs[0].digest
    assert json.loads(programs.run("regctl", "image", "inspect", name))["architecture"] == "amd64"


def test_lists_referrers_of_an_image_by_type(programs: Programs, ecr: Any, repository: str, tmp_path: Path) -> None:
    push(ecr, repository, image(seed=1), "v1")
    name = programs.name(repository)
    note = tmp_path / "note.txt"
    note.write_text("a note\n")
    for kind in (NOTE, "application/vnd.example.other"):
        programs.run("regctl", "artifact", "put", "--artifact-type", kind, "--subject", name, "--file", note)

    everything = json.loads(programs.run("regctl", "artifact", "list", "--format", "body", name))["manifests"]
    filtered = ("--filter-artifact-type", NOTE, "--format", "body")
    notes = json.loads(programs.run("regctl", "artifact", "list", *filtered, name))["manifests"]

    assert {each["artifactType"] for each in everything} == {NOTE, "application/vnd.example.other"}
    [found] = notes
    assert programs.run("regctl", "artifact", "get", programs.name(repository, found["digest"])) == "a note\n"


def test_deletes_a_manifest(programs: Programs, ecr: Any, repository: str) -> None:
    pushed = push(ecr, repository, image(seed=1), "v1")

    programs.run("regctl", "manifest", "delete", programs.name(repository, pushed.manifest.digest))

    assert ecr.list_images(repositoryName=repository)["imageIds"] == []


def test_pages_through_the_catalogue(programs: Programs, new_repository: Callable[[], str]) -> None:
    made = {new_repository(), new_repository()}

    assert made <= set(programs.run("regctl", "repo", "ls", programs.host).split())
