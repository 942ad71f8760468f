"""Descriptors in manifests: compared with what is stored when a manifest is pushed, also in a sparse manifest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.docker.oci.client import Client, World, registry_endpoint
from tests.support.images import OCI_INDEX, OCI_LAYER, Blob, image, index, layer


@pytest.fixture
def sparse(world: World) -> Iterator[World]:
    """The registry endpoint of a server that accepts sparse manifests."""
    limits = replace(world.services.limits, sparse_manifests=True)
    world.endpoint = registry_endpoint(replace(world.services, limits=limits))
    yield world
    world.endpoint = registry_endpoint(world.services)


def test_a_sparse_manifest_is_accepted_if_the_registry_allows_it(
    request: pytest.FixtureRequest, root: Client, repository: str
) -> None:
    pushed = image()
    path = f"/v2/{repository}/manifests/v1"
    assert root.push_manifest(repository, pushed.manifest, "v1").code == "MANIFEST_BLOB_UNKNOWN"

    request.getfixturevalue("sparse")

    assert root.push_manifest(repository, pushed.manifest, "v1").status == 201
    assert root.get(path).body == pushed.manifest.content


def changed(manifest: Blob, member: str, number: int | None, **values: object) -> Blob:
    """The manifest with other values in one descriptor: its config, or the layer or image of that number."""
    document = json.loads(manifest.content)
    descriptor = document[member] if number is None else document[member][number]
    descriptor.update(values)
    return Blob(json.dumps(document).encode(), manifest.media_type)


@pytest.mark.parametrize("difference", [-1, 1])
@pytest.mark.parametrize("docker", [True, False])
@pytest.mark.parametrize("place", [("config", None), ("layers", 0), ("layers", 1)])
def test_a_layer_of_another_size_than_its_descriptor_is_rejected(
    world: World, root: Client, repository: str, place: tuple[str, int | None], docker: bool, difference: int
) -> None:
    """Clients refuse such an image when they pull it (image-spec, descriptor.md, "size")."""
    pushed = image([layer(seed=1, docker=docker), layer(seed=2, docker=docker)], docker=docker)
    root.push(repository, pushed)
    member, number = place
    size = len(pushed.blobs[0 if number is None else number + 1].content)
    before = world.trace()

    wrong = changed(pushed.manifest, member, number, size=size + difference)
    answer = root.push_manifest(repository, wrong, "v1")

    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")
    assert f"a size of {size + difference} bytes, but {size} bytes are stored" in answer.body.decode()
    assert world.trace() == before


@pytest.mark.parametrize("docker", [True, False])
@pytest.mark.parametrize("values", [{"size": 0}, {"size": 10_000}, {"mediaType": OCI_INDEX}, {"mediaType": OCI_LAYER}])
def test_an_index_that_describes_its_images_wrongly_is_rejected(
    world: World, root: Client, repository: str, docker: bool, values: dict[str, object]
) -> None:
    children = [image(seed=1, docker=docker), image(seed=2, docker=docker)]
    for child in children:
        root.push(repository, child)
    before = world.trace()

    listed = changed(index(children, docker=docker).manifest, "manifests", 1, **values)
    answer = root.push_manifest(repository, listed, "v1")

    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")
    assert world.trace() == before


def test_an_index_may_list_images_of_both_formats_and_other_indexes(root: Client, repository: str) -> None:
    children = [image(seed=1), image(seed=2, docker=True)]
    children.append(index(children))
    for child in children:
        root.push(repository, child)

    assert root.push(repository, index(children), "v1").status == 201


def test_the_subject_of_an_image_is_not_compared(root: Client, repository: str) -> None:
    """It need not exist (distribution-spec, "Pushing Manifests with Subject")."""
    subject = image(seed=1)
    root.push(repository, subject)
    referrer = image(seed=2, extra={"subject": subject.manifest.descriptor | {"size": 1, "mediaType": OCI_INDEX}})

    assert root.push(repository, referrer).status == 201


def test_a_foreign_layer_is_compared_if_it_is_stored(root: Client, repository: str) -> None:
    foreign = Blob(b"elsewhere", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
    pushed = image([foreign])
    wrong = changed(pushed.manifest, "layers", 0, size=1)
    root.push_blob(repository, pushed.blobs[0].content)

    assert root.push_manifest(repository, wrong, "elsewhere").status == 201
    root.push_blob(repository, foreign.content)
    another = Blob(wrong.content + b" ", wrong.media_type)
    assert root.push_manifest(repository, another, "stored").code == "MANIFEST_INVALID"


def stored_size(world: World, manifest: Blob) -> int:
    work = "SELECT size FROM image WHERE digest = :digest"
    row = world.run(world.services.database.read(lambda tx: tx.one(work, digest=manifest.digest)))
    assert row is not None
    return int(row[0])


def test_the_size_of_an_image_counts_the_layers_that_are_stored(sparse: World, root: Client, repository: str) -> None:
    """A layer counts from its arrival on, with its own size; a foreign layer that is elsewhere does not count."""
    foreign = Blob(b"elsewhere", "application/vnd.oci.image.layer.nondistributable.v1.tar")
    first, late = layer(seed=1), layer(seed=2)
    pushed = image([first, late, foreign])
    config = pushed.blobs[0]
    for blob in (config, first):
        root.push_blob(repository, blob.content)
    manifest = changed(pushed.manifest, "layers", 1, size=2**62)
    root.push_manifest(repository, manifest, "v1")
    early = stored_size(sparse, manifest)

    root.push_blob(repository, late.content)

    assert early == len(config.content) + len(first.content)
    assert stored_size(sparse, manifest) == early + len(late.content)


@pytest.mark.usefixtures("sparse")
def test_a_sparse_manifest_describes_what_is_stored_rightly(root: Client, repository: str) -> None:
    child = image()
    root.push_blob(repository, child.blobs[0].content)
    root.push_manifest(repository, child.manifest, "child")

    wrong_config = changed(child.manifest, "config", None, size=1)
    wrong_child = changed(index([child]).manifest, "manifests", 0, size=1)

    assert root.push_manifest(repository, wrong_config, "v1").code == "MANIFEST_INVALID"
    assert root.push_manifest(repository, wrong_child, "v1").code == "MANIFEST_INVALID"
