"""Undeleted images, and the explanations of `moorage why`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from moorage.domain.units import HOUR
from tests.api.ecr.pushing import push, put, upload_layer
from tests.operations.garbage.registry import GarbageRegistry
from tests.support.images import Image, image, index, layer

NewRepository = Callable[[str], str]


def delete(registry: GarbageRegistry, repository: str, *images: Image) -> None:
    ids = [{"imageDigest": each.manifest.digest} for each in images]
    assert registry.ecr.batch_delete_image(repositoryName=repository, imageIds=ids)["failures"] == []


def pulled(registry: GarbageRegistry, repository: str, reference: str) -> str:
    """The digest of the image that a pull returns, with all its layers. Empty if there is no image."""
    answer = registry.docker.get(f"/v2/{repository}/manifests/{reference}")
    if answer.status != 200:
        return ""
    manifest = answer.json()
    for named in [*manifest.get("layers", []), *filter(None, [manifest.get("config")])]:
        assert registry.docker.get(f"/v2/{repository}/blobs/{named['digest']}").status == 200
    return str(answer.headers["Docker-Content-Digest"])


def test_an_image_is_undeleted_by_digest_or_tag_with_its_tags_and_layers(
    registry: GarbageRegistry, new_repository: NewRepository
) -> None:
    repository, pushed = new_repository("a"), image([layer(seed=101)])
    push(registry.ecr, repository, pushed, "v1", "v2")
    for reference in (pushed.manifest.digest, "v2"):
        delete(registry, repository, pushed)
        registry.later(23 * HOUR)
        registry.collect()
        assert pulled(registry, repository, "v1") == ""

        back = registry.run("undelete", repository, reference)

        assert (back.code, back.out) == (0, f"Undeleted {pushed.manifest.digest}, tagged v1, v2\n"), back
        assert [pulled(registry, repository, name) for name in ("v1", "v2")] == [pushed.manifest.digest] * 2
        registry.later()
        registry.collect()
        assert pulled(registry, repository, "v1") == pushed.manifest.digest


def test_after_the_grace_period_nothing_can_be_undeleted(
    registry: GarbageRegistry, new_repository: NewRepository
) -> None:
    repository, pushed = new_repository("a"), image([layer(seed=102)])
    push(registry.ecr, repository, pushed, "v1")
    delete(registry, repository, pushed)
    registry.collect(grace=0)

    refused = registry.run("undelete", repository, "v1")

    assert refused.code == 1
    assert refused.err == f"Error: {repository} has no deleted image v1 that can be undeleted\n"


def test_an_index_is_undeleted_with_the_images_that_it_lists(
    registry: GarbageRegistry, new_repository: NewRepository
) -> None:
    repository, children = new_repository("a"), [image([layer(seed=103)]), image([layer(seed=104)])]
    for child in children:
        push(registry.ecr, repository, child)
    listing = index(children)
    put(registry.ecr, repository, listing, "multi")
    delete(registry, repository, listing, *children)

    assert registry.run("undelete", repository, "multi").code == 0

    assert pulled(registry, repository, "multi") == listing.manifest.digest
    assert [pulled(registry, repository, each.manifest.digest) for each in children] == [
        each.manifest.digest for each in children
    ]


def test_a_tag_that_names_another_image_by_now_stays(registry: GarbageRegistry, new_repository: NewRepository) -> None:
    repository, old, new = new_repository("a"), image([layer(seed=105)]), image([layer(seed=106)])
    push(registry.ecr, repository, old, "latest", "old")
    delete(registry, repository, old)
    push(registry.ecr, repository, new, "latest")

    said = registry.run("undelete", repository, "old").out

    assert said == f"Undeleted {old.manifest.digest}, tagged old; tags of other images now: latest\n"
    assert pulled(registry, repository, "latest") == new.manifest.digest


def test_images_of_a_deleted_repository_are_undeleted_once_it_exists_again(
    registry: GarbageRegistry, new_repository: NewRepository
) -> None:
    repository, pushed = new_repository("a"), image([layer(seed=107)])
    push(registry.ecr, repository, pushed, "v1")
    registry.ecr.delete_repository(repositoryName=repository, force=True)
    registry.collect()

    assert "does not exist in the registry" in registry.run("undelete", repository, "v1").err
    assert pushed.manifest.digest in registry.run("undelete", "--list").out
    registry.ecr.create_repository(repositoryName=repository)
    listed = registry.run("undelete", repository, "--list").out
    assert listed.startswith(f"{repository}\t{pushed.manifest.digest}\tv1\tdeleted 20")
    registry.run("undelete", repository, "v1")

    assert pulled(registry, repository, "v1") == pushed.manifest.digest
    assert registry.run("undelete", repository, "--list").out == ""


def why(registry: GarbageRegistry, name: str) -> list[str]:
    said = registry.run("why", name)
    assert said.code == 0, said
    return [line.partition(", until ")[0] for line in said.out.splitlines()]


def test_why_lists_everything_that_needs_a_blob_or_an_image(
    registry: GarbageRegistry, new_repository: NewRepository
) -> None:
    repository, other, shared = new_repository("a"), new_repository("b"), layer(seed=108)
    kept, gone = image([shared]), image([shared, layer(seed=109)])
    push(registry.ecr, repository, kept, "v1")
    push(registry.ecr, repository, gone)
    upload_layer(registry.ecr, other, shared.content)
    delete(registry, repository, gone)
    listing = index([kept])
    put(registry.ecr, repository, listing, "multi")
    place_a, place_b = f"000000000000/us-east-1/{repository}", f"000000000000/us-east-1/{other}"

    held = why(registry, shared.digest)
    assert held[:3] == [
        f"{place_a}\timage {kept.manifest.digest} references it, tagged v1",
        f"{place_b}\tno image references it, but its grace period is not over",
        f"{place_a}\tdeleted image {gone.manifest.digest} references it",
    ]
    assert held[3].startswith("store\tstored as blobs/sha256/")
    assert why(registry, kept.manifest.digest) == [
        f"{place_a}\tan image, tagged v1; images stay until they are deleted",
        f"{place_a}\tindex {listing.manifest.digest} lists it, so it cannot be deleted",
    ]
    assert why(registry, gone.manifest.digest) == [
        f"{place_a}\ta deleted image: `moorage undelete --data {registry.server.data}` brings it back"
    ]
    registry.later()
    registry.collect()
    assert why(registry, gone.blobs[-1].digest)[0].startswith("store\tthe row of blobs/sha256/")
    assert registry.run("why", "sha256:" + 64 * "0").code == 3


def test_why_shows_when_a_grace_period_ends(registry: GarbageRegistry, new_repository: NewRepository) -> None:
    repository, gone, unused = new_repository("a"), image([layer(seed=110)]), layer(seed=111)
    push(registry.ecr, repository, gone)
    delete(registry, repository, gone)
    upload_layer(registry.ecr, repository, unused.content)

    assert hours_until_end(registry, gone.manifest.digest) == 24
    assert hours_until_end(registry, gone.blobs[-1].digest, "deleted image") == 24
    assert hours_until_end(registry, unused.digest, "no image references it") == 27


def hours_until_end(registry: GarbageRegistry, name: str, reason: str = "") -> int:
    """The rounded number of hours until the end that `moorage why` reports with this reason."""
    lines = registry.run("why", name).out.splitlines()
    end = next(line.partition(", until ")[2] for line in lines if reason in line)
    return round((datetime.fromisoformat(end) - datetime.now(UTC)).total_seconds() / 3600)


def test_an_image_beyond_the_quota_is_not_undeleted(registry: GarbageRegistry, new_repository: NewRepository) -> None:
    repository, first, second = new_repository("a"), image([layer(seed=120)]), image([layer(seed=121)])
    push(registry.ecr, repository, first, "v1")
    push(registry.ecr, repository, second, "v2")
    delete(registry, repository, first)
    quota = {"MOORAGE_QUOTA": "images-per-repository=1"}

    refused = registry.run("undelete", repository, "v1", extra=quota)

    assert refused.code == 1
    assert "exceeded a service limit for your account: 1 images per repository" in refused.err
    assert pulled(registry, repository, "v1") == ""
    delete(registry, repository, second)
    assert registry.run("undelete", repository, "v1", extra=quota).code == 0
    assert pulled(registry, repository, "v1") == first.manifest.digest
