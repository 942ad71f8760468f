"""Pushes fill a disk up to its reserve: they are rejected, and everything that frees space works without other help."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.ecr.pushing import push, put_refused
from tests.api.ecr.wire import refusal
from tests.faults.durability.endpoints import Endpoints, endpoints_of
from tests.faults.durability.test_full_disk import MIB, check_refused_at_both_endpoints, layer_of
from tests.support.aws import aws_client
from tests.support.disks import small_disk
from tests.support.http_client import Answer, Docker
from tests.support.images import OCI_MANIFEST, Image, image
from tests.support.server import Server
from tests.support.waiting import wait_until

REPOSITORY = "team/app"
DISK = 48
RESERVE = 16 * MIB


@pytest.fixture(params=["one disk", "a disk of layers"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server whose layers are on a small disk, alone or with the database."""
    with small_disk(DISK) as disk:
        alone = request.param == "a disk of layers"
        started = Server((tmp_path if alone else disk) / "data", log=tmp_path / "server.log")
        if alone:
            started.settings = {**started.settings, "MOORAGE_BLOBS": str(disk)}
        started.start(extra_env=started.settings, extra_args=["--lifecycle-delay", "0"])
        yield started
        started.stop()


def free(endpoints: Endpoints) -> int:
    """Free bytes of the disk of layers."""
    status = os.statvfs(endpoints.server.settings.get("MOORAGE_BLOBS", endpoints.server.data))
    return status.f_bavail * status.f_frsize


def fill_by_upload(endpoints: Endpoints) -> str:
    """Send chunks to one upload until none is accepted; returns the upload's location."""
    location = endpoints.docker.post(f"/v2/{REPOSITORY}/blobs/uploads/").headers["Location"]
    size = 2 * MIB
    while size:
        answer = endpoints.docker.patch(location, bytes(size))
        if answer.status != 202:
            check_unavailable(answer)
            size //= 2
    return str(location)


def check_unavailable(answer: Answer) -> None:
    assert (answer.status, answer.error_codes()) == (503, ["UNAVAILABLE"]), answer
    assert int(answer.headers["Retry-After"]) > 0


def by_cancelling(endpoints: Endpoints, upload: str, _: Image) -> None:
    assert endpoints.docker.delete(upload).status == 204


def by_deleting_the_image(endpoints: Endpoints, _: str, pushed: Image) -> None:
    image_id = {"imageDigest": pushed.manifest.digest}
    assert endpoints.ecr.batch_delete_image(repositoryName=REPOSITORY, imageIds=[image_id])["failures"] == []


def by_deleting_a_manifest(endpoints: Endpoints, _: str, pushed: Image) -> None:
    assert endpoints.docker.delete(f"/v2/{REPOSITORY}/manifests/{pushed.manifest.digest}").status == 202


def by_deleting_the_repository(endpoints: Endpoints, _: str, __: Image) -> None:
    endpoints.ecr.delete_repository(repositoryName=REPOSITORY, force=True)


def by_a_lifecycle_policy(endpoints: Endpoints, _: str, __: Image) -> None:
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1}
    policy = {"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]}
    endpoints.ecr.put_lifecycle_policy(repositoryName=REPOSITORY, lifecyclePolicyText=json.dumps(policy))
    wait_until(lambda: len(endpoints.image_ids(REPOSITORY)) == 1)


WAYS_OUT = [
    by_cancelling,
    by_deleting_the_image,
    by_deleting_a_manifest,
    by_deleting_the_repository,
    by_a_lifecycle_policy,
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("make_room", WAYS_OUT, ids=lambda way: way.__name__)
def test_pushes_end_at_the_reserve_and_what_frees_space_works(
    server: Server, make_room: Callable[[Endpoints, str, Image], None]
) -> None:
    with endpoints_of(server) as endpoints:
        endpoints.ecr.create_repository(repositoryName=REPOSITORY)
        pushed = push(endpoints.ecr, REPOSITORY, image([layer_of(8 * MIB, 1)]), "v1")
        push(endpoints.ecr, REPOSITORY, image([layer_of(MIB, 2)]), "v2")

        upload = fill_by_upload(endpoints)

        assert RESERVE // 2 <= free(endpoints) <= RESERVE + MIB
        for _ in range(100):
            check_refused_at_both_endpoints(endpoints, REPOSITORY)
        check_readiness(endpoints, ready_for_writing=False)
        assert endpoints.layer(REPOSITORY, pushed.blobs[1].digest).body == pushed.blobs[1].content
        full = free(endpoints)

        make_room(endpoints, upload, pushed)
        server.moorage("collect", "--grace", "0", "--upload-life", "0")

        assert free(endpoints) >= full + 6 * MIB
        check_readiness(endpoints, ready_for_writing=True)
        name = "team/after"
        endpoints.ecr.create_repository(repositoryName=name)
        push(endpoints.ecr, name, image([layer_of(MIB, 3)]), "v3")
    assert "Traceback" not in server.output()
    assert server.output().count('"disk-refuses"') <= 2 * len(server.workers())


def check_readiness(endpoints: Endpoints, *, ready_for_writing: bool) -> None:
    """A balancer keeps a server that cannot write, because it serves pulls and deletes."""
    assert endpoints.server.is_ready()
    assert endpoints.server.is_ready("/readyz/writing") is ready_for_writing


@pytest.mark.timeout(300)
def test_manifests_and_repositories_are_refused_when_the_disk_of_the_database_is_full(tmp_path: Path) -> None:
    with small_disk(DISK) as disk:
        layers = tmp_path / "layers"
        layers.mkdir()
        server = Server(disk / "data", log=tmp_path / "server.log")
        server.start(extra_args=["--blobs", str(layers)])
        with endpoints_of(server) as endpoints:
            endpoints.ecr.create_repository(repositoryName=REPOSITORY)
            pushed = image()
            for blob in pushed.blobs:
                endpoints.docker.push_blob(REPOSITORY, blob)
            filler = disk / "filler"
            filler.write_bytes(bytes((DISK - 8) * MIB))

            target, headers = f"/v2/{REPOSITORY}/manifests/v1", {"Content-Type": OCI_MANIFEST}
            check_unavailable(endpoints.docker.put(target, pushed.manifest.content, headers))
            assert put_refused(endpoints.ecr, REPOSITORY, pushed, "v1").status == 503
            assert refusal(endpoints.ecr.create_repository, repositoryName="team/other").status == 503
            check_refused_at_both_endpoints(endpoints, REPOSITORY)
            check_readiness(endpoints, ready_for_writing=False)
            endpoints.ecr.delete_repository(repositoryName=REPOSITORY)

            filler.unlink()
            check_readiness(endpoints, ready_for_writing=True)
        server.stop()


MOST_LOST = 256 << 10


@pytest.mark.timeout(300)
def test_the_second_half_of_the_reserve_is_for_what_frees_space(tmp_path: Path) -> None:
    """Small changes, refused requests and their audit records cannot take the space that deletions need."""
    with small_disk(DISK) as disk:
        server = Server(disk / "data", log=tmp_path / "server.log")
        server.start(extra_args=["--workers", "1", "--audit-reads"])
        with endpoints_of(server) as endpoints, aws_client(server, "sts") as sts:
            endpoints.ecr.create_repository(repositoryName=REPOSITORY)
            pushed = push(endpoints.ecr, REPOSITORY, image([layer_of(MIB, 1)]), "v1")
            filler = disk / "filler"
            leave(filler, free(endpoints), RESERVE * 3 // 4)
            for change in small_changes(endpoints):
                change()
            leave(filler, free(endpoints), RESERVE * 3 // 8)
            audit = server.data / "audit.jsonl"
            left, recorded = free(endpoints), audit.read_bytes().count(b"\n")

            for change in small_changes(endpoints) * 20:
                assert refusal(change).status == 503
            role = {"RoleArn": "arn:aws:iam::000000000000:role/ci", "RoleSessionName": "session"}
            assert refusal(sts.assume_role, **role).status == 503
            assert sts.get_caller_identity()["Account"] == "000000000000"
            stranger = Docker(server.host, server.port, "x" * 40)
            for number in range(100):
                assert stranger.put(f"/v2/{REPOSITORY}/manifests/{number}", b"{}").status == 401
                assert endpoints.docker.put(f"/v2/{REPOSITORY}/manifests/{number}", b"{}").status == 503
                assert endpoints.docker.get(f"/v2/{REPOSITORY}/manifests/v1").status == 200

            assert free(endpoints) >= left - MOST_LOST
            assert audit.read_bytes().count(b"\n") == recorded
            assert server.output().count('"audit-drops"') == 1
            by_deleting_a_manifest(endpoints, "", pushed)
            endpoints.ecr.delete_repository(repositoryName=REPOSITORY, force=True)
            names = [json.loads(line)["eventName"] for line in audit.read_bytes().splitlines()[recorded:]]
            assert names == ["BatchDeleteImage", "DeleteRepository"]

            filler.unlink()
            endpoints.ecr.create_repository(repositoryName=REPOSITORY)
            assert stranger.put(f"/v2/{REPOSITORY}/manifests/v1", b"{}").status == 401
        (dropped,) = [json.loads(line) for line in server.output().splitlines() if '"audit-dropped"' in line]
        assert dropped["records"] >= 300
        server.stop()


def leave(filler: Path, available: int, size: int) -> None:
    """Let a file take all but `size` bytes of the disk."""
    with filler.open("ab") as file:
        file.write(bytes(available - size))


def small_changes(endpoints: Endpoints) -> list[Callable[[], Any]]:
    """Calls that add or change a row, or only leave an audit record."""
    ecr, arn = endpoints.ecr, f"arn:aws:ecr:us-east-1:000000000000:repository/{REPOSITORY}"
    statement = {"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return [
        lambda: ecr.set_repository_policy(repositoryName=REPOSITORY, policyText=policy),
        lambda: ecr.tag_resource(resourceArn=arn, tags=[{"Key": "team", "Value": "a"}]),
        lambda: ecr.put_image_tag_mutability(repositoryName=REPOSITORY, imageTagMutability="MUTABLE"),
    ]
