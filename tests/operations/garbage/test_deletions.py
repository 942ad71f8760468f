"""Deleting a repository with many images: its name is free at once, and its images can be undeleted at any moment."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from moorage.core.registry import repositories
from moorage.domain.names import Registry
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.garbage import deleted_repositories
from moorage.metadata.garbage.deleted_repositories import IMAGES_AT_ONCE
from tests.api.ecr.pushing import begin, send_part
from tests.api.ecr.wire import refusal
from tests.conftest import StartServer
from tests.faults.durability.endpoints import endpoints_of
from tests.operations.garbage.registry import GarbageRegistry
from tests.support.databases import engine_of
from tests.support.images import Image, image, layer
from tests.support.waiting import wait_until

NewRepository = Callable[[str], str]

POINTS = ["D1:2", "D2:1"]
"""docs/promises.md: where the removal is killed."""


def push_many(registry: GarbageRegistry, repository: str, number: int = 2 * IMAGES_AT_ONCE + 10) -> list[Image]:
    """Push more images than one transaction removes, with the tags v0, v1 and so on.

    The first and the last have layers of their own. The others share one, so that a push is a single request.
    """
    shared, first, last = (layer(f"{repository} {name}".encode()) for name in ("shared", "first", "last"))
    pushed = [image([shared], extra={"annotations": {"number": str(each)}}) for each in range(number)]
    pushed[0], pushed[-1] = image([first]), image([last])
    for blob in (*pushed[0].blobs, *pushed[1].blobs, *pushed[-1].blobs):
        registry.docker.push_blob(repository, blob)
    for place, each in enumerate(pushed):
        put(registry, repository, each, f"v{place}")
    return pushed


def put(registry: GarbageRegistry, repository: str, pushed: Image, tag: str) -> None:
    headers = {"Content-Type": pushed.manifest.media_type}
    answer = registry.docker.put(f"/v2/{repository}/manifests/{tag}", pushed.manifest.content, headers)
    assert answer.status == 201, answer


def is_whole(registry: GarbageRegistry, repository: str, tag: str, pushed: Image) -> bool:
    """Whether a pull returns the image with all its layers."""
    manifest = registry.docker.get(f"/v2/{repository}/manifests/{tag}")
    blobs = [registry.docker.get(f"/v2/{repository}/blobs/{blob.digest}").body for blob in pushed.blobs]
    return manifest.body == pushed.manifest.content and blobs == [blob.content for blob in pushed.blobs]


def waiting(registry: GarbageRegistry) -> int:
    """How many deleted repositories are not removed yet."""
    return len(engine_of(registry.server.data).transact(deleted_repositories.ids))


def delete_without_a_job(registry: GarbageRegistry, name: str) -> None:
    """Delete a repository as the API does, and drop the job, so that what is left stays."""

    def delete(tx: Transaction) -> None:
        found = repositories.get(tx, Registry("000000000000", "us-east-1"), name)
        repositories.delete(tx, found, found.created_at, force=True)
        jobs.delete(tx, deleted_repositories.JOB, str(found.id))

    engine_of(registry.server.data).transact(delete)


def test_the_name_is_free_at_once_and_every_image_comes_back(
    registry: GarbageRegistry, new_repository: NewRepository
) -> None:
    repository = new_repository("a")
    pushed = push_many(registry, repository)
    last = len(pushed) - 1
    registry.ecr.delete_repository(repositoryName=repository, force=True)

    assert registry.docker.get(f"/v2/{repository}/manifests/v{last}").status == 404
    assert registry.docker.get(f"/v2/{repository}/tags/list").error_codes() == ["NAME_UNKNOWN"]
    assert repository not in registry.docker.get("/v2/_catalog?n=1000").json()["repositories"]
    listed = registry.run("undelete", repository, "--list").out
    assert {each.manifest.digest for each in pushed} <= set(listed.split())
    registry.ecr.create_repository(repositoryName=repository)
    assert registry.ecr.list_images(repositoryName=repository)["imageIds"] == []
    assert registry.run("undelete", repository, "v0").code == 0
    new = image([layer(b"new")])
    registry.docker.push(repository, new, "new")
    wait_until(lambda: waiting(registry) == 0)

    assert is_whole(registry, repository, "v0", pushed[0])
    assert is_whole(registry, repository, "new", new)
    for number in (IMAGES_AT_ONCE, 2 * IMAGES_AT_ONCE, last):
        assert registry.run("undelete", repository, pushed[number].manifest.digest).code == 0
        assert is_whole(registry, repository, f"v{number}", pushed[number])
    registry.collect()
    assert is_whole(registry, repository, f"v{last}", pushed[last])
    assert len(registry.run("undelete", repository, "--list").out.splitlines()) == len(pushed) - 4


def test_what_is_left_is_undeleted_once_each_and_a_collection_removes_the_rest(
    registry: GarbageRegistry, new_repository: NewRepository
) -> None:
    repository = new_repository("a")
    pushed = push_many(registry, repository)
    delete_without_a_job(registry, repository)
    assert waiting(registry) == 1
    registry.ecr.create_repository(repositoryName=repository)
    listed = registry.run("undelete", repository, "--list").out.splitlines()
    assert len(listed) == len(pushed)

    for number, each in enumerate(pushed[:3]):
        back = registry.run("undelete", repository, f"v{number}")
        assert back.out == f"Undeleted {each.manifest.digest}, tagged v{number}\n", back
        assert is_whole(registry, repository, f"v{number}", each)
    assert len(registry.run("undelete", repository, "--list").out.splitlines()) == len(pushed) - 3
    registry.collect()

    assert waiting(registry) == 0
    assert len(registry.run("undelete", repository, "--list").out.splitlines()) == len(pushed) - 3
    registry.collect(grace=0)
    assert registry.run("undelete", repository, "--list").out == ""
    assert is_whole(registry, repository, "v0", pushed[0])
    assert not registry.has_file(pushed[-1].blobs[-1])


def test_uploads_of_a_deleted_repository_have_ended(registry: GarbageRegistry, new_repository: NewRepository) -> None:
    repository, content = new_repository("a"), b"part"
    push_many(registry, repository)
    upload = begin(registry.ecr, repository)
    started = registry.docker.post(f"/v2/{repository}/blobs/uploads/").headers["Location"]
    delete_without_a_job(registry, repository)

    gone = refusal(lambda: send_part(registry.ecr, repository, upload, 0, content))
    assert gone.code == "RepositoryNotFoundException"
    assert registry.docker.patch(started, content).error_codes() == ["NAME_UNKNOWN"]
    registry.ecr.create_repository(repositoryName=repository)
    gone = refusal(lambda: send_part(registry.ecr, repository, upload, 0, content))
    assert gone.code == "UploadNotFoundException"
    assert registry.docker.patch(started, content).error_codes() == ["BLOB_UPLOAD_UNKNOWN"]


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_killed_between_slices_loses_nothing_and_another_one_goes_on(
    fresh_server: StartServer, point: str
) -> None:
    name, _, passing = point.partition(":")
    armed = {"MOORAGE_FAILPOINTS": f"{name}=kill:{passing}"}
    server = fresh_server(extra_env=armed, extra_args=["--workers", "1"])
    with endpoints_of(server) as endpoints:
        registry = GarbageRegistry(server, endpoints.ecr, endpoints.docker)
        registry.ecr.create_repository(repositoryName="team/a")
        pushed = push_many(registry, "team/a", 4 * IMAGES_AT_ONCE + 1)
        worker = server.workers()
        registry.ecr.delete_repository(repositoryName="team/a", force=True)
        wait_until(lambda: server.workers() != worker)
        server.kill()
        left = "SELECT count(*) FROM image UNION ALL SELECT count(*) FROM removed_image"
        assert registry.rows(left) == [(2 * IMAGES_AT_ONCE + 1,), (2 * IMAGES_AT_ONCE,)]

        server.start()
        registry.ecr.create_repository(repositoryName="team/a")
        assert registry.run("undelete", "team/a", "v0").code == 0
        ended = "UPDATE job SET due_at = 0 WHERE kind = :kind"
        engine_of(server.data).transact(lambda tx: tx.run(ended, kind=deleted_repositories.JOB))
        wait_until(lambda: waiting(registry) == 0)
        listed = registry.run("undelete", "team/a", "--list").out.splitlines()
        assert len(listed) == len(pushed) - 1
        for number in (IMAGES_AT_ONCE, len(pushed) - 1):
            assert registry.run("undelete", "team/a", f"v{number}").code == 0
            assert is_whole(registry, "team/a", f"v{number}", pushed[number])
        assert is_whole(registry, "team/a", "v0", pushed[0])
