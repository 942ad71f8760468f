"""What the collector removes, when, and what it leaves alone."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from moorage.domain.units import HOUR
from tests.api.ecr.pushing import begin, push, send_part, upload_layer
from tests.conftest import StartServer
from tests.faults.durability.doors import doors_of
from tests.operations.garbage.yard import Yard
from tests.support.databases import engine_of
from tests.support.images import Blob, Image, image, layer
from tests.support.waiting import PATIENCE_SECONDS

Place = Callable[[str], str]


def delete(yard: Yard, repository: str, one: Image) -> None:
    yard.ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": one.manifest.digest}])


def test_the_layers_of_a_deleted_image_go_after_the_grace_period_and_their_bytes_an_hour_later(
    yard: Yard, place: Place
) -> None:
    repository, one = place("a"), image([layer(seed=1)])
    push(yard.ecr, repository, one, "v1")
    delete(yard, repository, one)

    yard.collect()
    assert all(yard.sees(repository, blob) for blob in one.blobs)
    yard.later(23 * HOUR)
    yard.collect()
    assert all(yard.sees(repository, blob) for blob in one.blobs)
    yard.later(5 * HOUR)
    gone = yard.collect()
    assert f"{repository}@{one.manifest.digest}" in [found.name for found in gone if found.kind == "removed image"]
    assert {blob.digest for blob in one.blobs} <= {found.name for found in gone if found.kind == "blob"}
    assert not any(yard.sees(repository, blob) for blob in one.blobs)
    assert all(yard.has_file(blob) for blob in one.blobs)
    yard.later(HOUR)
    yard.collect()
    assert not any(yard.has_file(blob) for blob in one.blobs)
    assert yard.rows("SELECT 1 FROM removed_bytes") == []


def test_what_an_image_needs_stays_however_old_it_is(yard: Yard, place: Place) -> None:
    repository, shared = place("a"), layer(seed=2)
    kept, gone = image([shared]), image([shared, layer(seed=3)])
    for one in (kept, gone):
        push(yard.ecr, repository, one)
    delete(yard, repository, gone)

    yard.collect(grace=0)

    assert all(yard.sees(repository, blob) for blob in kept.blobs)
    assert not yard.sees(repository, gone.blobs[-1])
    assert not yard.has_file(gone.blobs[-1])


def test_a_layer_goes_from_one_repository_and_stays_in_the_one_whose_image_needs_it(yard: Yard, place: Place) -> None:
    needed, visible, one = place("needed"), place("visible"), image([layer(seed=4)])
    push(yard.ecr, needed, one)
    upload_layer(yard.ecr, visible, one.blobs[1].content)

    yard.collect(grace=0)

    assert yard.sees(needed, one.blobs[1])
    assert not yard.sees(visible, one.blobs[1])


def head(yard: Yard, repository: str, blob: Blob) -> None:
    assert yard.docker.head(f"/v2/{repository}/blobs/{blob.digest}").status == 200


def check(yard: Yard, repository: str, blob: Blob) -> None:
    answer = yard.ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[blob.digest])
    assert answer["layers"][0]["layerAvailability"] == "AVAILABLE"


def mount(yard: Yard, repository: str, blob: Blob) -> None:
    answer = yard.docker.post(f"/v2/{repository}/blobs/uploads/?mount={blob.digest}&from={repository}")
    assert answer.status == 201


def upload_again(yard: Yard, repository: str, blob: Blob) -> None:
    with pytest.raises(yard.ecr.exceptions.LayerAlreadyExistsException):
        upload_layer(yard.ecr, repository, blob.content)


def push_again(yard: Yard, repository: str, blob: Blob) -> None:
    yard.docker.push_blob(repository, blob)


@pytest.mark.parametrize("ask", [head, check, mount, upload_again, push_again])
def test_the_grace_period_begins_again_when_a_client_is_told_of_a_layer(
    yard: Yard, place: Place, ask: Callable[[Yard, str, Blob], None]
) -> None:
    repository, blob, other = place("a"), layer(seed=5), layer(seed=6)
    for one in (blob, other):
        upload_layer(yard.ecr, repository, one.content)
    yard.later()

    ask(yard, repository, blob)
    yard.collect()
    assert not yard.sees(repository, other)
    assert yard.sees(repository, blob)

    yard.later()
    yard.collect()
    assert not yard.sees(repository, blob)


def test_a_client_that_is_told_once_more_in_an_eighth_of_the_period_costs_no_write(yard: Yard, place: Place) -> None:
    repository, blob = place("a"), layer(seed=7)
    upload_layer(yard.ecr, repository, blob.content)
    told = "SELECT told_at FROM repository_layer l JOIN blob b ON b.id = l.blob_id WHERE b.digest = :digest"

    first = yard.rows(told, digest=blob.digest)
    head(yard, repository, blob)
    check(yard, repository, blob)
    assert yard.rows(told, digest=blob.digest) == first

    yard.later(4 * HOUR)
    head(yard, repository, blob)
    assert yard.rows(told, digest=blob.digest) > first


def test_a_dry_run_says_what_would_go_and_why_and_removes_nothing(yard: Yard, place: Place) -> None:
    repository, one, lonely = place("a"), image([layer(seed=8)]), layer(seed=9)
    push(yard.ecr, repository, one, "v1")
    delete(yard, repository, one)
    upload_layer(yard.ecr, repository, lonely.content)
    upload = begin(yard.ecr, repository)

    lines = yard.run("collect", "--dry-run", "--grace", "0", "--upload-life", "0").out.splitlines()

    assert f"removed image {repository}@{one.manifest.digest}: it was deleted long ago" in lines
    assert f"layer {repository}@{lonely.digest}: no image of the repository needs it" in lines
    assert any(line.startswith(f"blob {lonely.digest} (") and "no repository has it" in line for line in lines)
    assert f"upload {upload}: it was begun in {repository} and never completed" in lines
    assert lines[-1].startswith("Would remove: ")
    assert yard.sees(repository, lonely)
    send_part(yard.ecr, repository, upload, 0, b"goes on")

    said = yard.run("collect", "--grace", "0")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("Removed: ")
    assert not yard.has_file(lonely)
    assert yard.run("collect", "--grace", "0").out == "Nothing to remove.\n"


def test_an_upload_that_nobody_completes_goes_after_a_week_with_its_file(yard: Yard, place: Place) -> None:
    repository = place("a")
    upload = begin(yard.ecr, repository)
    send_part(yard.ecr, repository, upload, 0, b"half of a layer")

    yard.later(7 * 24 * HOUR - HOUR)
    yard.collect()
    assert yard.upload_file_exists(upload)
    yard.later(2 * HOUR)
    yard.collect()

    assert not yard.upload_file_exists(upload)
    assert yard.rows("SELECT 1 FROM upload WHERE id = :id", id=upload) == []


def test_the_layers_of_a_deleted_repository_go_and_those_that_another_one_has_stay(yard: Yard, place: Place) -> None:
    doomed, other, one, shared = place("doomed"), place("other"), image([layer(seed=10)]), image([layer(seed=11)])
    for repository, pushed in ((doomed, one), (doomed, shared), (other, shared)):
        push(yard.ecr, repository, pushed)
    yard.ecr.delete_repository(repositoryName=doomed, force=True)

    yard.collect()
    assert yard.has_file(one.blobs[1])
    yard.collect(grace=0)

    assert not yard.has_file(one.blobs[1])
    assert all(yard.sees(other, blob) for blob in shared.blobs)


def test_a_layer_that_comes_after_the_manifest_that_names_it_is_needed_by_it(fresh_server: StartServer) -> None:
    server = fresh_server(extra_args=["--workers", "1", "--sparse-manifests"])
    with doors_of(server) as doors:
        yard, late = Yard(server, doors.ecr, doors.docker), layer(seed=12)
        yard.ecr.create_repository(repositoryName="sparse")
        one = image([late])
        path = f"/v2/sparse/manifests/{one.manifest.digest}"
        media_type = {"Content-Type": one.manifest.media_type}
        assert yard.docker.put(path, one.manifest.content, media_type).status == 201
        for blob in one.blobs:
            yard.docker.push_blob("sparse", blob)

        yard.collect(grace=0)

        assert all(yard.sees("sparse", blob) for blob in one.blobs)


def test_the_server_collects_by_itself_and_says_so_in_its_log(fresh_server: StartServer) -> None:
    server = fresh_server(extra_args=["--workers", "1", "--grace-period", "0"])
    with doors_of(server) as doors:
        yard, blob = Yard(server, doors.ecr, doors.docker), layer(seed=13)
        yard.ecr.create_repository(repositoryName="self")
        upload_layer(yard.ecr, "self", blob.content)
        due = "UPDATE job SET due_at = 0 WHERE kind = 'collect-garbage' AND lease IS NULL AND due_at > 0"
        end = time.monotonic() + PATIENCE_SECONDS
        while '"kind":"bytes"' not in server.output() and time.monotonic() < end:
            engine_of(server.data).transact(lambda tx: tx.run(due))
            time.sleep(0.1)

        assert not yard.has_file(blob)
        assert not yard.sees("self", blob)
    assert f'"event":"collected","kind":"blob","count":1,"bytes":{len(blob.content)}' in server.output()


def test_a_time_that_is_none_is_refused_by_name(yard: Yard) -> None:
    wrong = yard.run("collect", "--grace", "a while")
    assert wrong.code == 2
    assert "must be a duration such as 90s, 30m, 24h or 7d, not 'a while'" in wrong.err
