"""buildah, and commands of skopeo and crane besides copying and listing."""

from __future__ import annotations

import gzip
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api.ecr.pushing import push
from tests.clients.per_program.programs import Programs
from tests.support.clients import unavailable
from tests.support.images import DOCKER_LIST, OCI_MANIFEST, image, index, layer

pytestmark = pytest.mark.client

PLAIN_HTTP = "--tls-verify=false"


def tags(ecr: Any, repository: str) -> list[str]:
    listed = ecr.list_images(repositoryName=repository)["imageIds"]
    return sorted(each["imageTag"] for each in listed if "imageTag" in each)


class TestBuildah:
    @pytest.fixture(autouse=True)
    def _as_root(self) -> None:
        if os.geteuid() != 0:
            unavailable("buildah without root needs a user namespace")

    @pytest.fixture
    def built(self, programs: Programs, tmp_path: Path) -> str:
        """The id of an image made from scratch, with one file."""
        (tmp_path / "Containerfile").write_text('FROM scratch\nCOPY hello /hello\nCMD ["/hello"]\n')
        (tmp_path / "hello").write_text("hello\n")
        build = ("build", "--isolation", "chroot", "--file", tmp_path / "Containerfile", tmp_path)
        return programs.run("buildah", *build).split()[-1]

    def test_builds_an_image_then_pushes_and_pulls_it(
        self, programs: Programs, ecr: Any, repository: str, built: str
    ) -> None:
        name = programs.name(repository)

        programs.run("buildah", "push", PLAIN_HTTP, built, f"docker://{name}")
        programs.run("buildah", "rmi", built)
        pulled = programs.run("buildah", "pull", PLAIN_HTTP, name).split()[-1]
        programs.run("buildah", "rmi", "--force", pulled)

        assert pulled == built
        assert tags(ecr, repository) == ["v1"]

    def test_pushes_a_manifest_list_with_its_images(
        self, programs: Programs, ecr: Any, repository: str, built: str
    ) -> None:
        family = f"localhost/{repository}"
        programs.run("buildah", "manifest", "create", family, built)

        programs.run(
            "buildah", "manifest", "push", PLAIN_HTTP, "--all", family, f"docker://{programs.name(repository)}"
        )
        programs.run("buildah", "manifest", "rm", family)
        programs.run("buildah", "rmi", "--force", built)

        details = ecr.describe_images(repositoryName=repository)["imageDetails"]
        kinds = {detail["imageManifestMediaType"]: detail.get("imageTags") for detail in details}
        assert kinds == {DOCKER_LIST: ["v1"], OCI_MANIFEST: None}


class TestSkopeo:
    def test_syncs_all_tags_of_a_repository_to_a_folder_and_back(
        self, programs: Programs, ecr: Any, new_repository: Callable[[], str], tmp_path: Path
    ) -> None:
        source, target = new_repository(), new_repository()
        pushed = push(ecr, source, image(seed=1), "v1", "latest")
        other = push(ecr, source, image(seed=2), "v2")
        there, name = tmp_path / "there", source.rpartition("/")[2]

        options = ("--src-tls-verify=false", "--src", "docker", "--dest", "dir")
        programs.run("skopeo", "sync", *options, f"{programs.host}/{source}", there)
        back = ("--dest-tls-verify=false", "--src", "dir", "--dest", "docker")
        ecr.create_repository(repositoryName=f"{target}/{name}")
        programs.run("skopeo", "sync", *back, there, f"{programs.host}/{target}")

        listed = ecr.list_images(repositoryName=f"{target}/{name}")["imageIds"]
        assert {(each["imageTag"], each["imageDigest"]) for each in listed} == {
            ("v1", pushed.manifest.digest),
            ("latest", pushed.manifest.digest),
            ("v2", other.manifest.digest),
        }

    def test_copies_a_whole_index(self, programs: Programs, ecr: Any, new_repository: Callable[[], str]) -> None:
        source, target = new_repository(), new_repository()
        children = [push(ecr, source, image(seed=seed)) for seed in (1, 2)]
        family = push(ecr, source, index(children), "v1")
        both = ("--src-tls-verify=false", "--dest-tls-verify=false", "--all", "--preserve-digests")

        programs.run("skopeo", "copy", *both, f"docker://{programs.name(source)}", f"docker://{programs.name(target)}")

        copied = {each["imageDigest"] for each in ecr.list_images(repositoryName=target)["imageIds"]}
        assert copied == {item.manifest.digest for item in (family, *children)}

    def test_deletes_by_digest(self, programs: Programs, ecr: Any, repository: str) -> None:
        pushed = push(ecr, repository, image(seed=1), "v1")
        push(ecr, repository, image(seed=2), "v2")

        programs.run("skopeo", "delete", PLAIN_HTTP, f"docker://{programs.name(repository, pushed.manifest.digest)}")

        assert tags(ecr, repository) == ["v2"]


class TestCrane:
    def test_appends_a_layer_and_exports_the_files(
        self, programs: Programs, ecr: Any, repository: str, tmp_path: Path
    ) -> None:
        push(ecr, repository, image([layer(b"one", seed=1)]), "v1")
        added = tmp_path / "layer.tar"
        added.write_bytes(gzip.decompress(layer(b"two", seed=2).content))
        target = programs.name(repository, "v2")

        programs.run("crane", "append", "--base", programs.name(repository), "--new_layer", added, "--new_tag", target)
        programs.run("crane", "export", target, tmp_path / "files.tar")

        with tarfile.open(tmp_path / "files.tar") as files:
            assert set(files.getnames()) == {"file-1", "file-2"}

    def test_changes_labels_and_flattens_layers(self, programs: Programs, ecr: Any, repository: str) -> None:
        push(ecr, repository, image([layer(seed=1), layer(seed=2)]), "v1")
        labelled, flat = programs.name(repository, "labelled"), programs.name(repository, "flat")

        programs.run("crane", "mutate", "--label", "team=docks", "--tag", labelled, programs.name(repository))
        programs.run("crane", "flatten", "--tag", flat, programs.name(repository))

        assert json.loads(programs.run("crane", "config", labelled))["config"]["Labels"] == {"team": "docks"}
        assert len(json.loads(programs.run("crane", "manifest", flat))["layers"]) == 1

    def test_puts_images_into_an_index(self, programs: Programs, ecr: Any, repository: str) -> None:
        first, second = (push(ecr, repository, image(seed=seed), f"v{seed}") for seed in (1, 2))
        names = [word for seed in (1, 2) for word in ("--manifest", programs.name(repository, f"v{seed}"))]

        programs.run("crane", "index", "append", *names, "--tag", programs.name(repository, "both"))

        listed = json.loads(programs.run("crane", "manifest", programs.name(repository, "both")))["manifests"]
        assert [each["digest"] for each in listed] == [first.manifest.digest, second.manifest.digest]

    def test_reads_a_blob(self, programs: Programs, ecr: Any, repository: str) -> None:
        pushed = push(ecr, repository, image(seed=1), "v1")

        read = programs.run("crane", "blob", programs.name(repository, pushed.blobs[0].digest))

        assert read.encode() == pushed.blobs[0].content
