"""deleteReplication reaches what replication brought, and nothing that clients of the destination pushed.

ECR's documentation does not say what becomes of an image that both registries got from clients.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.ecr.pushing import push, put
from tests.api.ecr.replicating import NAME, Site, site
from tests.support.images import Image, image, index
from tests.support.server import Server


@pytest.fixture
def second(server: Server) -> Iterator[Site]:
    with site(server) as found:
        found.ecr.create_repository(repositoryName=NAME)
        yield found


@pytest.fixture
def target(server: Server) -> Iterator[Site]:
    with site(server) as found:
        found.ecr.create_repository(repositoryName=NAME)
        yield found


def delete(site: Site, *images: Image, tag: str | None = None) -> None:
    named = [{"imageDigest": each.manifest.digest} | ({"imageTag": tag} if tag else {}) for each in images]
    answer = site.ecr.batch_delete_image(repositoryName=NAME, imageIds=named)
    assert answer["failures"] == []


def archive(site: Site, one: Image) -> None:
    site.ecr.update_image_storage_class(
        repositoryName=NAME, imageId={"imageDigest": one.manifest.digest}, targetStorageClass="ARCHIVE"
    )


def wait_for_removals(source: Site, seed: int = 99) -> Image:
    """Wait until all earlier changes of the source have been replicated: entries are done in their order."""
    marker = push(source.ecr, NAME, image(seed=seed), f"marker-{seed}")
    source.wait(NAME, marker)
    return marker


def images(site: Site) -> dict[str, set[str]]:
    """The images of a site, without markers."""
    return {
        digest: tags for digest, tags in site.images(NAME).items() if not any(tag.startswith("marker") for tag in tags)
    }


def test_an_image_that_clients_of_the_destination_pushed_before_stays(source: Site, target: Site) -> None:
    source.replicate_to(target, deletions=True)
    one, other = push(target.ecr, NAME, image(seed=1), "theirs"), push(target.ecr, NAME, image(seed=2), "v2")
    push(source.ecr, NAME, one, "ours")
    push(source.ecr, NAME, other, "v2", "latest")
    source.wait(NAME, one, other)

    delete(source, one)
    delete(source, other, tag="v2")
    wait_for_removals(source)

    assert images(target) == {one.manifest.digest: {"theirs", "ours"}, other.manifest.digest: {"v2", "latest"}}


def test_a_replica_that_a_client_pushes_again_stays_with_its_tags(source: Site, target: Site) -> None:
    """The destination has no replication configuration of its own."""
    source.replicate_to(target, deletions=True)
    one = push(source.ecr, NAME, image(seed=1), "v1", "latest")
    source.wait(NAME, one)

    put(target.ecr, NAME, one, "mine")
    delete(source, one, tag="latest")
    delete(source, one)
    wait_for_removals(source)

    assert images(target) == {one.manifest.digest: {"v1", "latest", "mine"}}


def test_an_image_that_clients_pushed_is_not_archived(source: Site, target: Site) -> None:
    source.replicate_to(target, deletions=True)
    theirs, ours = push(target.ecr, NAME, image(seed=1), "v1"), image(seed=2)
    for each in (theirs, ours):
        push(source.ecr, NAME, each, "v1")
        source.wait(NAME, each)

    archive(source, theirs)
    archive(source, ours)
    wait_for_removals(source)

    details = target.ecr.describe_images(repositoryName=NAME, filter={"imageStatus": "ANY"})["imageDetails"]
    statuses = {each["imageDigest"]: each["imageStatus"] for each in details}
    assert (statuses[theirs.manifest.digest], statuses[ours.manifest.digest]) == ("ACTIVE", "ARCHIVED")


def test_an_image_that_an_index_of_the_destination_lists_stays(source: Site, target: Site) -> None:
    source.replicate_to(target, deletions=True)
    child = push(source.ecr, NAME, image(seed=1), "v1")
    source.wait(NAME, child)
    theirs = push(target.ecr, NAME, index([child]), "multi")

    delete(source, child)
    wait_for_removals(source)

    assert images(target) == {child.manifest.digest: {"v1"}, theirs.manifest.digest: {"multi"}}


def test_a_replica_stays_until_no_source_has_it(source: Site, second: Site, target: Site) -> None:
    """Two registries replicate the same image to one destination. A tag stays while one of them has it."""
    for each in (source, second):
        each.replicate_to(target, deletions=True)
        one = push(each.ecr, NAME, image(seed=1), "v1", each.region)
        each.wait(NAME, one)
    assert images(target) == {one.manifest.digest: {"v1", source.region, second.region}}

    put(second.ecr, NAME, one, "more")
    delete(second, one, tag="v1")
    delete(second, one, tag=second.region)
    wait_for_removals(second, 97)
    assert images(target) == {one.manifest.digest: {"v1", source.region, "more"}}

    delete(source, one)
    wait_for_removals(source, 98)
    assert one.manifest.digest in images(target)

    delete(second, one)
    wait_for_removals(second)
    assert images(target) == {}
