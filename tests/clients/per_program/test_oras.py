"""oras: artifacts and their referrers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.api.ecr.pushing import push
from tests.clients.per_program.programs import Programs
from tests.support.images import digest, image

pytestmark = pytest.mark.client

PLAIN_HTTP = "--plain-http"
NOTE = "application/vnd.example.note"


@pytest.fixture
def note(tmp_path: Path) -> Path:
    """A file to push. oras requires names relative to its working folder, or an option that disables the check."""
    file = tmp_path / "note.txt"
    file.write_text("a note\n")
    return file


def test_pushes_a_file_and_pulls_it(programs: Programs, ecr: Any, repository: str, note: Path, tmp_path: Path) -> None:
    name = programs.name(repository)

    programs.run("oras", "push", PLAIN_HTTP, "--artifact-type", NOTE, "--disable-path-validation", name, note)
    note.unlink()
    programs.run("oras", "pull", PLAIN_HTTP, "--allow-path-traversal", "--output", tmp_path / "pulled", name)

    [detail] = ecr.describe_images(repositoryName=repository)["imageDetails"]
    assert detail["imageTags"] == ["v1"]
    assert detail["artifactMediaType"] == NOTE
    assert note.read_text() == "a note\n"


def test_attaches_to_an_image_and_discovers_it(
    programs: Programs, ecr: Any, repository: str, note: Path, tmp_path: Path
) -> None:
    pushed = push(ecr, repository, image(seed=1), "v1")
    name = programs.name(repository)
    attach = ("attach", PLAIN_HTTP, "--disable-path-validation", "--artifact-type")
    programs.run("oras", *attach, NOTE, name, note)
    programs.run("oras", *attach, "application/vnd.example.other", name, note)

    everything = json.loads(programs.run("oras", "discover", PLAIN_HTTP, "--format", "json", name))
    notes = json.loads(programs.run("oras", "discover", PLAIN_HTTP, "--format", "json", "--artifact-type", NOTE, name))

    assert {each["artifactType"] for each in everything["referrers"]} == {NOTE, "application/vnd.example.other"}
    [found] = notes["referrers"]
    manifest = json.loads(
        programs.run("oras", "manifest", "fetch", PLAIN_HTTP, programs.name(repository, found["digest"]))
    )
    assert manifest["subject"]["digest"] == pushed.manifest.digest
    # The referrers API exists, so oras does not push a referrers tag sha256-….
    assert programs.run("oras", "repo", "tags", PLAIN_HTTP, f"{programs.host}/{repository}").split() == ["v1"]


def test_fetches_manifests_and_blobs_as_they_were_pushed(programs: Programs, ecr: Any, repository: str) -> None:
    pushed = push(ecr, repository, image(seed=2), "v1")
    name = programs.name(repository)

    manifest = programs.run("oras", "manifest", "fetch", PLAIN_HTTP, name)
    described = json.loads(programs.run("oras", "manifest", "fetch", PLAIN_HTTP, "--descriptor", name))
    config = programs.run(
        "oras", "blob", "fetch", PLAIN_HTTP, "--output", "-", programs.name(repository, pushed.blobs[0].digest)
    )

    assert manifest.encode() == pushed.manifest.content
    assert described == pushed.manifest.descriptor
    assert digest(config.encode()) == pushed.blobs[0].digest


def test_tags_copies_and_deletes(programs: Programs, ecr: Any, new_repository: Any) -> None:
    """A copy with `--recursive` includes the referrers of the image."""
    source, target = new_repository(), new_repository()
    pushed = push(ecr, source, image(seed=3), "v1")
    signed = image(seed=4, extra={"subject": pushed.manifest.descriptor})
    push(ecr, source, signed)

    programs.run("oras", "tag", PLAIN_HTTP, programs.name(source), "stable")
    programs.run(
        "oras", "copy", "--recursive", "--from-plain-http", "--to-plain-http",
        programs.name(source, "stable"), programs.name(target),
    )  # fmt: skip
    programs.run("oras", "manifest", "delete", PLAIN_HTTP, "--force", programs.name(source, pushed.manifest.digest))

    assert images(ecr, target) == {pushed.manifest.digest: ["v1"], signed.manifest.digest: []}
    assert images(ecr, source) == {signed.manifest.digest: []}


def images(ecr: Any, repository: str) -> dict[str, list[str]]:
    """The tags of every image of a repository, by its digest."""
    details = ecr.describe_images(repositoryName=repository)["imageDetails"]
    return {detail["imageDigest"]: sorted(detail.get("imageTags", [])) for detail in details}


def test_pushes_a_blob_and_deletes_it(programs: Programs, repository: str, note: Path) -> None:
    name = programs.name(repository, digest(note.read_bytes()))
    programs.run("oras", "blob", "push", PLAIN_HTTP, name, note)

    programs.run("oras", "blob", "delete", PLAIN_HTTP, "--force", name)

    assert "not found" in programs.refused("oras", "blob", "fetch", PLAIN_HTTP, "--output", "-", name)
