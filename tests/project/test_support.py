"""The images that tests push are well formed and the same in every run."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from pathlib import Path

import pytest
from tests.support.clients import REQUIRE_CLIENTS, program_environment, require_client, run
from tests.support.images import (
    DOCKER_LIST,
    OCI_MANIFEST,
    digest,
    image,
    index,
    layer,
    write_docker_archive,
    write_layout,
)
from tests.support.ports import free_port


def test_a_layer_is_a_gzipped_tar_with_a_constant_digest() -> None:
    blob = layer(b"content", seed=1)

    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob.content))) as tar:
        assert tar.getnames() == ["file-1"]
    assert blob.diff_id == digest(gzip.decompress(blob.content))
    assert blob == layer(b"content", seed=1)
    assert layer(500, seed=1).digest != layer(500, seed=2).digest


def test_an_image_describes_its_blobs() -> None:
    pushed = image([layer(seed=1), layer(seed=2)], {"author": "somebody"}, extra={"annotations": {"a": "b"}})

    manifest = json.loads(pushed.manifest.content)
    assert manifest["mediaType"] == pushed.manifest.media_type == OCI_MANIFEST
    assert [manifest["config"], *manifest["layers"]] == [blob.descriptor for blob in pushed.blobs]
    assert json.loads(pushed.blobs[0].content)["author"] == "somebody"
    assert manifest["annotations"] == {"a": "b"}


def test_an_index_lists_its_images_by_architecture() -> None:
    images = [image(seed=1, docker=True), image(seed=2, docker=True)]

    manifest = json.loads(index(images, docker=True).manifest.content)

    assert manifest["mediaType"] == DOCKER_LIST
    assert [row["digest"] for row in manifest["manifests"]] == [each.manifest.digest for each in images]
    assert [row["platform"]["architecture"] for row in manifest["manifests"]] == ["amd64", "arm64"]


@pytest.mark.client
def test_skopeo_reads_the_layout_that_tests_push_from(tmp_path: Path) -> None:
    pushed = image(seed=1)
    layout = write_layout(tmp_path / "layout", pushed, "v1")

    shown = run([require_client("skopeo"), "inspect", f"oci:{layout}:v1"], program_environment(tmp_path))

    assert json.loads(shown)["Digest"] == pushed.manifest.digest


@pytest.mark.client
def test_skopeo_reads_the_archive_that_docker_loads(tmp_path: Path) -> None:
    pushed = image(seed=1, docker=True)
    archive = write_docker_archive(tmp_path / "image.tar", pushed, "team/app:v1")

    shown = run([require_client("skopeo"), "inspect", f"docker-archive:{archive}"], program_environment(tmp_path))

    assert json.loads(shown)["RepoTags"] == []
    assert len(json.loads(shown)["Layers"]) == 1


def test_a_missing_client_is_named_and_fails_where_clients_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REQUIRE_CLIENTS, "0")
    with pytest.raises(pytest.skip.Exception, match="no-such-program is not installed"):
        require_client("no-such-program")

    monkeypatch.setenv(REQUIRE_CLIENTS, "1")
    with pytest.raises(pytest.fail.Exception, match="no-such-program is not installed"):
        require_client("no-such-program")


def test_a_program_does_not_see_the_settings_of_the_user_who_runs_the_tests(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("MOORAGE_DATA", "mine")

    environment = program_environment(tmp_path, {"AWS_REGION": "eu-west-1"})

    assert "mine" not in environment.values()
    assert environment["AWS_REGION"] == "eu-west-1"
    assert environment["HOME"] == str(tmp_path) != os.environ.get("HOME")


def test_every_server_gets_its_own_port() -> None:
    assert len({free_port() for _ in range(20)}) == 20
