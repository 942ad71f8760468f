"""Collections: what is removed and when, and what is kept."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from moorage.domain.units import DAY, HOUR
from tests.api.ecr.pushing import begin, push, send_part, send_two_bytes, upload_layer
from tests.conftest import StartServer
from tests.faults.durability.endpoints import endpoints_of
from tests.operations.garbage.registry import GarbageRegistry
from tests.support.databases import engine_of
from tests.support.images import Blob, Image, image, layer
from tests.support.waiting import PATIENCE_SECONDS

NewRepository = Callable[[str], str]


def delete(registry: GarbageRegistry, repository: str, pushed: Image) -> None:
    registry.ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": pushed.manifest.digest}])


def test_layers_of_a_deleted_image_are_removed_after_the_grace_period_and_their_bytes_an_hour_later(
    registry: GarbageRegistry, new_repository: NewRepository
) -> None:
    repository, pushed = new_repository("a"), image([layer(seed=1)])
    push(registry.ecr, repository, pushed, "v1")
    delete(registry, repository, pushed)

    registry.collect()
    assert all(registry.sees(repository, blob) for blob in pushed.blobs)
    registry.later(23 * HOUR)
    registry.collect()
    assert all(registry.sees(repository, blob) for blob in pushed.blobs)
    registry.later(5 * HOUR)
    gone = registry.collect()
    assert f"{repository}@{pushed.manifest.digest}" in [found.name for found in gone if found.kind == "deleted image"]
    assert {blob.digest for blob in pushed.blobs} <= {found.name for found in gone if found.kind == "blob"}
    assert not any(registry.sees(repository, blob) for blob in pushed.blobs)
    assert all(registry.has_file(blob) for blob in pushed.blobs)
    registry.later(HOUR)
    registry.collect()
    assert not any(registry.has_file(blob) for blob in pushed.blobs)
    assert registry.rows("SELECT 1 FROM removed_bytes") == []


def test_what_an_image_needs_stays_at_any_age(registry: GarbageRegistry, new_repository: NewRepository) -> None:
    repository, shared = new_repository("a"), layer(seed=2)
    kept, gone = image([shared]), image([shared, layer(seed=3)])
    for each in (kept, gone):
        push(registry.ecr, repository, each)
    delete(registry, repository, gone)

    registry.collect(grace=0)

    assert all(registry.sees(repository, blob) for blob in kept.blobs)
    assert not registry.sees(repository, gone.blobs[-1])
    assert not registry.has_file(gone.blobs[-1])


def test_a_layer_is_removed_from_one_repository_and_stays_where_an_image_needs_it(
    registry: GarbageRegistry, new_repository: NewRepository
) -> None:
    needed, visible, pushed = new_repository("needed"), new_repository("visible"), image([layer(seed=4)])
    push(registry.ecr, needed, pushed)
    upload_layer(registry.ecr, visible, pushed.blobs[1].content)

    registry.collect(grace=0)

    assert registry.sees(needed, pushed.blobs[1])
    assert not registry.sees(visible, pushed.blobs[1])


def head(registry: GarbageRegistry, repository: str, blob: Blob) -> None:
    assert registry.docker.head(f"/v2/{repository}/blobs/{blob.digest}").status == 200


def check(registry: GarbageRegistry, repository: str, blob: Blob) -> None:
    answer = registry.ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[blob.digest])
    assert answer["layers"][0]["layerAvailability"] == "AVAILABLE"


def mount(registry: GarbageRegistry, repository: str, blob: Blob) -> None:
    answer = registry.docker.post(f"/v2/{repository}/blobs/uploads/?mount={blob.digest}&from={repository}")
    assert answer.status == 201


def upload_again(registry: GarbageRegistry, repository: str, blob: Blob) -> None:
    with pytest.raises(registry.ecr.exceptions.LayerAlreadyExistsException):
        upload_layer(registry.ecr, repository, blob.content)


def push_again(registry: GarbageRegistry, repository: str, blob: Blob) -> None:
    registry.docker.push_blob(repository, blob)


@pytest.mark.parametrize("ask", [head, check, mount, upload_again, push_again])
def test_the_grace_period_restarts_when_a_layer_is_reported_to_a_client(
    registry: GarbageRegistry, new_repository: NewRepository, ask: Callable[[GarbageRegistry, str, Blob], None]
) -> None:
    repository, blob, other = new_repository("a"), layer(seed=5), layer(seed=6)
    for each in (blob, other):
        upload_layer(registry.ecr, repository, each.content)
    registry.later()

    ask(registry, repository, blob)
    registry.collect()
    assert not registry.sees(repository, other)
    assert registry.sees(repository, blob)

    registry.later()
    registry.collect()
    assert not registry.sees(repository, blob)


def test_reporting_a_layer_again_within_an_eighth_of_the_period_writes_nothing(
    registry: GarbageRegistry, new_repository: NewRepository
) -> None:
    repository, blob = new_repository("a"), layer(seed=7)
    upload_layer(registry.ecr, repository, blob.content)
    query = "SELECT told_at FROM repository_layer l JOIN blob b ON b.id = l.blob_id WHERE b.digest = :digest"

    first = registry.rows(query, digest=blob.digest)
    head(registry, repository, blob)
    check(registry, repository, blob)
    assert registry.rows(query, digest=blob.digest) == first

    registry.later(4 * HOUR)
    head(registry, repository, blob)
    assert registry.rows(query, digest=blob.digest) > first


def test_a_dry_run_lists_garbage_with_its_reasons_and_removes_nothing(
    registry: GarbageRegistry, new_repository: NewRepository
) -> None:
    repository, pushed, lonely = new_repository("a"), image([layer(seed=8)]), layer(seed=9)
    push(registry.ecr, repository, pushed, "v1")
    delete(registry, repository, pushed)
    upload_layer(registry.ecr, repository, lonely.content)
    upload = begin(registry.ecr, repository)
    send_two_bytes(registry.ecr, repository, upload)

    lines = registry.run("collect", "--dry-run", "--grace", "0", "--upload-life", "0").out.splitlines()

    assert f"deleted image {repository}@{pushed.manifest.digest}: its grace period is over" in lines
    assert f"layer {repository}@{lonely.digest}: no image of the repository references it" in lines
    assert any(
        line.startswith(f"blob {lonely.digest} (") and "it is not a layer of any repository" in line for line in lines
    )
    (found,) = (line for line in lines if line.startswith(f"upload {upload} ("))
    assert found.endswith(f": it was started in {repository}, but not completed")
    assert lines[-1].startswith("Would remove: ")
    assert registry.sees(repository, lonely)
    send_part(registry.ecr, repository, upload, 2, b"goes on")

    said = registry.run("collect", "--grace", "0")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("Removed: ")
    assert not registry.has_file(lonely)
    assert registry.run("collect", "--grace", "0").out == "Nothing to remove.\n"


def test_an_unfinished_upload_is_removed_after_a_week_with_its_file(
    registry: GarbageRegistry, new_repository: NewRepository
) -> None:
    repository = new_repository("a")
    upload = begin(registry.ecr, repository)
    send_two_bytes(registry.ecr, repository, upload)

    registry.later(7 * 24 * HOUR - HOUR)
    registry.collect()
    assert registry.upload_file_exists(upload)
    registry.later(2 * HOUR)
    registry.collect()

    assert not registry.upload_file_exists(upload)
    assert registry.rows("SELECT 1 FROM upload WHERE id = :id", id=upload) == []


def test_layers_of_a_deleted_repository_are_removed_unless_another_one_has_them(
    registry: GarbageRegistry, new_repository: NewRepository
) -> None:
    doomed, other, sample, shared = (
        new_repository("doomed"),
        new_repository("other"),
        image([layer(seed=10)]),
        image([layer(seed=11)]),
    )
    for repository, pushed in ((doomed, sample), (doomed, shared), (other, shared)):
        push(registry.ecr, repository, pushed)
    registry.ecr.delete_repository(repositoryName=doomed, force=True)

    registry.collect()
    assert registry.has_file(sample.blobs[1])
    registry.collect(grace=0)

    assert not registry.has_file(sample.blobs[1])
    assert all(registry.sees(other, blob) for blob in shared.blobs)


def test_a_layer_that_is_uploaded_after_its_manifest_is_needed_by_it(fresh_server: StartServer) -> None:
    server = fresh_server(extra_args=["--workers", "1", "--sparse-manifests"])
    with endpoints_of(server) as endpoints:
        registry, late = GarbageRegistry(server, endpoints.ecr, endpoints.docker), layer(seed=12)
        registry.ecr.create_repository(repositoryName="sparse")
        pushed = image([late])
        path = f"/v2/sparse/manifests/{pushed.manifest.digest}"
        media_type = {"Content-Type": pushed.manifest.media_type}
        assert registry.docker.put(path, pushed.manifest.content, media_type).status == 201
        for blob in pushed.blobs:
            registry.docker.push_blob("sparse", blob)

        registry.collect(grace=0)

        assert all(registry.sees("sparse", blob) for blob in pushed.blobs)


def test_the_server_collects_by_itself_and_logs_it(fresh_server: StartServer) -> None:
    server = fresh_server(extra_args=["--workers", "1", "--grace-period", "0"])
    with endpoints_of(server) as endpoints:
        registry, blob = GarbageRegistry(server, endpoints.ecr, endpoints.docker), layer(seed=13)
        registry.ecr.create_repository(repositoryName="self")
        upload_layer(registry.ecr, "self", blob.content)
        due = "UPDATE job SET due_at = 0 WHERE kind = 'collect-garbage' AND lease IS NULL AND due_at > 0"
        end = time.monotonic() + PATIENCE_SECONDS
        while '"kind":"bytes"' not in server.output() and time.monotonic() < end:
            engine_of(server.data).transact(lambda tx: tx.run(due))
            time.sleep(0.1)

        assert not registry.has_file(blob)
        assert not registry.sees("self", blob)
    assert f'"event":"collected","kind":"blob","count":1,"bytes":{len(blob.content)}' in server.output()


def test_an_invalid_time_is_rejected_by_name(registry: GarbageRegistry) -> None:
    wrong = registry.run("collect", "--grace", "a while")
    assert wrong.code == 2
    assert "must be a duration such as 90s, 30m, 24h or 7d, not 'a while'" in wrong.err


def test_garbage_of_a_time_when_the_clock_was_ahead_is_collected_as_other_garbage(
    registry: GarbageRegistry, new_repository: NewRepository
) -> None:
    """Ten years ahead: every time that delays a collection is limited by the next one."""
    repository, pushed, unused = new_repository("a"), image([layer(seed=20)]), layer(seed=21)
    push(registry.ecr, repository, pushed)
    delete(registry, repository, pushed)
    upload_layer(registry.ecr, repository, unused.content)
    upload = begin(registry.ecr, repository)
    send_two_bytes(registry.ecr, repository, upload)
    registry.later(-3650 * DAY)

    assert registry.collect() == []
    assert registry.sees(repository, unused)
    for passed in (8 * DAY, 2 * DAY, 2 * HOUR):
        registry.later(passed)
        registry.collect()

    assert not registry.has_file(unused)
    assert not any(registry.has_file(blob) for blob in pushed.blobs)
    assert not registry.upload_file_exists(upload)
