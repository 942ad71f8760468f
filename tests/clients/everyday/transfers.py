"""One image, pushed and pulled with each client. The bytes that arrive show what was pulled."""

from __future__ import annotations

import gzip
import json
import tarfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.api.ecr.pushing import push
from tests.clients.everyday.programs import TAKE_PLAIN_HTTP, Programs
from tests.support.images import (
    DOCKER_MANIFEST,
    OCI_MANIFEST,
    Image,
    digest,
    write_directory,
    write_docker_archive,
    write_layout,
)


class Pulled(NamedTuple):
    """The digests of an image's manifest, of its configuration, and of its layers before compression."""

    manifest: str
    configuration: str
    contents: tuple[str, ...]


class Desk(NamedTuple):
    """What a push or a pull needs. `folder` is for temporary files."""

    programs: Programs
    ecr: Any
    folder: Path


def from_blobs(manifest: bytes, read: Callable[[str], bytes]) -> Pulled:
    """An image whose blobs `read` returns by digest. A blob that does not match its digest fails the test."""
    named = json.loads(manifest)
    blobs = {row["digest"]: read(row["digest"]) for row in (named["config"], *named["layers"])}
    for name, content in blobs.items():
        assert digest(content) == name
    contents = tuple(digest(gzip.decompress(blobs[row["digest"]])) for row in named["layers"])
    return Pulled(digest(manifest), named["config"]["digest"], contents)


# --- Push: always under the tag v1 ---------------------------------------------------------------------------------


def push_with_docker(desk: Desk, repository: str, pushed: Image) -> None:
    """docker makes the manifest itself, in Docker's format."""
    name = desk.programs.reference(repository)
    desk.programs.run("docker", "load", "--input", str(write_docker_archive(desk.folder / "image.tar", pushed, name)))
    desk.programs.run("docker", "push", name)
    desk.programs.run("docker", "image", "rm", name)


def push_with_podman(desk: Desk, repository: str, pushed: Image) -> None:
    """podman makes the manifest itself, in the requested format."""
    name = desk.programs.reference(repository)
    form = "v2s2" if pushed.manifest.media_type == DOCKER_MANIFEST else "oci"
    archive = write_docker_archive(desk.folder / "image.tar", pushed, name)
    desk.programs.run("podman", "load", "--input", str(archive))
    desk.programs.run("podman", "push", TAKE_PLAIN_HTTP, "--format", form, name)
    desk.programs.run("podman", "image", "rm", name)


def push_with_skopeo(desk: Desk, repository: str, pushed: Image) -> None:
    source = write_directory(desk.folder / "directory", pushed)
    desk.programs.skopeo_copy(f"dir:{source}", desk.programs.image(repository))


def push_with_crane(desk: Desk, repository: str, pushed: Image) -> None:
    layout = write_layout(desk.folder / "layout", pushed)
    desk.programs.run("crane", "push", str(layout), desk.programs.reference(repository))


def push_with_the_api(desk: Desk, repository: str, pushed: Image) -> None:
    """InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload for each blob, then PutImage."""
    push(desk.ecr, repository, pushed, "v1")


PUSHERS: dict[str, Callable[[Desk, str, Image], None]] = {
    "docker": push_with_docker,
    "podman": push_with_podman,
    "skopeo": push_with_skopeo,
    "crane": push_with_crane,
    "api": push_with_the_api,
}

# --- Pull ----------------------------------------------------------------------------------------------------------


def pull_with_docker(desk: Desk, repository: str) -> Pulled:
    name, archive = desk.programs.reference(repository), desk.folder / "saved.tar"
    output = desk.programs.run("docker", "pull", name)
    assert "Already exists" not in output, "docker had the layers and did not request them"
    shown = json.loads(desk.programs.run("docker", "image", "inspect", name))[0]
    desk.programs.run("docker", "save", "--output", str(archive), name)
    desk.programs.run("docker", "image", "rm", name)
    (manifest,) = [each.partition("@")[2] for each in shown["RepoDigests"]]
    return Pulled(manifest, shown["Id"], _layers_of_archive(archive))


def pull_with_podman(desk: Desk, repository: str) -> Pulled:
    name, archive = desk.programs.reference(repository), desk.folder / "saved.tar"
    desk.programs.run("podman", "pull", TAKE_PLAIN_HTTP, name)
    shown = json.loads(desk.programs.run("podman", "image", "inspect", name))[0]
    desk.programs.run("podman", "save", "--format", "docker-archive", "--output", str(archive), name)
    desk.programs.run("podman", "image", "rm", name)
    return Pulled(shown["Digest"], f"sha256:{shown['Id']}", _layers_of_archive(archive))


def pull_with_skopeo(desk: Desk, repository: str) -> Pulled:
    folder = desk.folder / "pulled"
    desk.programs.skopeo_copy(desk.programs.image(repository), f"dir:{folder}")
    return from_blobs((folder / "manifest.json").read_bytes(), lambda name: (folder / name[7:]).read_bytes())


def pull_with_crane(desk: Desk, repository: str) -> Pulled:
    folder = desk.folder / "pulled"
    desk.programs.run("crane", "pull", "--format=oci", desk.programs.reference(repository), str(folder))

    def read(name: str) -> bytes:
        return (folder / "blobs" / "sha256" / name[7:]).read_bytes()

    (listed,) = json.loads((folder / "index.json").read_bytes())["manifests"]
    return from_blobs(read(listed["digest"]), read)


def pull_with_the_api(desk: Desk, repository: str) -> Pulled:
    """BatchGetImage, then a GET of each blob's URL from GetDownloadUrlForLayer, without other headers."""
    answer = desk.ecr.batch_get_image(
        repositoryName=repository,
        imageIds=[{"imageTag": "v1"}],
        acceptedMediaTypes=[DOCKER_MANIFEST, OCI_MANIFEST],
    )
    (found,) = answer["images"]

    def read(name: str) -> bytes:
        url = desk.ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=name)["downloadUrl"]
        with urllib.request.urlopen(url, timeout=60) as response:
            return bytes(response.read())

    pulled = from_blobs(found["imageManifest"].encode(), read)
    assert pulled.manifest == found["imageId"]["imageDigest"]
    return pulled


PULLERS: dict[str, Callable[[Desk, str], Pulled]] = {
    "docker": pull_with_docker,
    "podman": pull_with_podman,
    "skopeo": pull_with_skopeo,
    "crane": pull_with_crane,
    "api": pull_with_the_api,
}


# --- Pull an index with its images ----------------------------------------------------------------------------------


def skopeo_pulls_all(desk: Desk, repository: str, manifest: bytes, children: set[str]) -> None:
    folder = desk.folder / "skopeo"
    desk.programs.skopeo_copy(desk.programs.image(repository), f"dir:{folder}", "--all")
    assert (folder / "manifest.json").read_bytes() == manifest
    for child in children:
        _is_whole((folder / f"{child[7:]}.manifest.json").read_bytes(), child, folder)


def crane_pulls_all(desk: Desk, repository: str, manifest: bytes, children: set[str]) -> None:
    folder = desk.folder / "crane"
    desk.programs.run("crane", "pull", "--format=oci", desk.programs.reference(repository), str(folder))
    blobs = folder / "blobs" / "sha256"
    assert (blobs / digest(manifest)[7:]).read_bytes() == manifest
    for child in children:
        _is_whole((blobs / child[7:]).read_bytes(), child, blobs)


def _is_whole(manifest: bytes, name: str, blobs: Path) -> None:
    assert digest(manifest) == name
    named = json.loads(manifest)
    for blob in (named["config"], *named["layers"]):
        assert digest((blobs / blob["digest"][7:]).read_bytes()) == blob["digest"]


def podman_pulls_another_architecture(desk: Desk, repository: str, child: Image, architecture: str) -> None:
    name = desk.programs.reference(repository)
    desk.programs.run("podman", "pull", TAKE_PLAIN_HTTP, f"--arch={architecture}", name)
    shown = json.loads(desk.programs.run("podman", "image", "inspect", name))[0]
    desk.programs.run("podman", "image", "rm", name)
    assert shown["Architecture"] == architecture
    assert shown["RootFS"]["Layers"] == [child.blobs[1].diff_id]


def _layers_of_archive(path: Path) -> tuple[str, ...]:
    """The digests of the layers in an archive. `docker save` and `podman save` write them without compression."""
    with tarfile.open(path) as tar:

        def read(name: str) -> bytes:
            member = tar.extractfile(name)
            assert member is not None, name
            return member.read()

        (described,) = json.loads(read("manifest.json"))
        return tuple(digest(read(name)) for name in described["Layers"])
