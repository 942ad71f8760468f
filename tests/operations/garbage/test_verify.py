"""`moorage verify`: finds damaged, missing and unknown bytes, repairs or moves them, and never deletes them."""

from __future__ import annotations

import shutil
import time
import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from moorage.domain.units import DAY
from moorage.metadata.garbage import verification
from tests.api.ecr.pushing import push
from tests.api.services.calls import client_of
from tests.faults.durability.promises import check_database_is_whole
from tests.operations.garbage.registry import GarbageRegistry
from tests.support.databases import engine_of
from tests.support.images import Blob, Image, image, layer


@dataclass(frozen=True)
class Pushed:
    """An image in a repository that no other test uses."""

    repository: str
    image: Image

    @property
    def big(self) -> Blob:
        return self.image.blobs[1]

    @property
    def small(self) -> Blob:
        return self.image.blobs[2]


@pytest.fixture
def pushed(registry: GarbageRegistry, new_repository: Callable[[str], str], request: pytest.FixtureRequest) -> Pushed:
    seed = zlib.crc32(request.node.name.encode())
    made = Pushed(new_repository("a"), image([layer(30_000, seed=seed), layer(10, seed=seed + 1)]))
    push(registry.ecr, made.repository, made.image, "v1")
    return made


def check_whole(registry: GarbageRegistry, expected: Pushed) -> None:
    """The store is intact, and clients can pull the image."""
    assert registry.run("verify") == (0, "Verified: 0 findings, 0 of them not repaired.\n", "")
    assert all(registry.sees(expected.repository, blob) for blob in expected.image.blobs)
    check_database_is_whole(registry.server)


def file_of(registry: GarbageRegistry, blob: Blob) -> Path:
    (found,) = registry.blob_files(blob)
    return found


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def kept_result(registry: GarbageRegistry) -> tuple[int, int, list[tuple[str, str, bool]]]:
    """What the server keeps of the last verification: how many findings, how many of them not repaired, and which."""
    client = client_of(registry.server, "moorage")
    last = client.get_server_status()["lastVerification"]
    assert last["beganAt"] <= last["endedAt"]
    findings = client.list_verification_findings()["findings"]
    return last["findings"], last["unrepaired"], [(one["kind"], one["name"], one["isRepaired"]) for one in findings]


def test_an_intact_store_is_reported_as_intact(registry: GarbageRegistry, pushed: Pushed) -> None:
    check_whole(registry, pushed)


@pytest.mark.parametrize("harm", [flip, cut, lengthen, Path.unlink])
def test_damage_is_found_quarantined_and_repaired_by_the_next_push(
    registry: GarbageRegistry, pushed: Pushed, harm: Callable[[Path], None]
) -> None:
    path, big = file_of(registry, pushed.big), pushed.big
    harm(path)

    found = registry.run("verify")

    assert found.code == 3
    kind = "missing" if harm is Path.unlink else "damaged"
    assert found.out.startswith(f"{kind} blob {big.digest}: ")
    assert found.out.endswith("Verified: 1 findings, 1 of them not repaired.\n")
    assert kept_result(registry) == (1, 1, [(f"{kind} blob", big.digest, False)])
    assert (registry.server.data / "quarantine" / path.name).exists() is (harm is not Path.unlink)
    assert ("; moved to " in found.out) is (harm is not Path.unlink)
    assert not registry.sees(pushed.repository, big)
    assert registry.sees(pushed.repository, pushed.small)
    assert "was found damaged or missing on 20" in registry.run("why", big.digest).out

    registry.docker.push(pushed.repository, pushed.image, "v1")
    check_whole(registry, pushed)


def test_a_missing_blob_that_returns_is_served_again(registry: GarbageRegistry, pushed: Pushed) -> None:
    path = file_of(registry, pushed.big)
    aside = path.rename(path.with_name("aside"))
    assert registry.run("verify").code == 3
    assert not registry.sees(pushed.repository, pushed.big)

    aside.rename(path)

    check_whole(registry, pushed)


def test_damage_is_repaired_from_another_data_folder(registry: GarbageRegistry, pushed: Pushed, tmp_path: Path) -> None:
    shutil.copytree(registry.server.data / "blobs", tmp_path / "copy" / "blobs")
    name = pushed.big.digest.removeprefix("sha256:")
    (tmp_path / "copy" / "blobs" / "sha256" / name[:2] / f"{name}-{uuid.uuid4()}").write_bytes(b"not it")
    flip(file_of(registry, pushed.big))
    file_of(registry, pushed.small).unlink()

    repaired = registry.run("verify", "--repair-from", str(tmp_path / "copy"))

    assert repaired.code == 0, repaired
    assert repaired.out.count("; repaired from ") == 2
    assert repaired.out.endswith("Verified: 2 findings, 0 of them not repaired.\n")
    check_whole(registry, pushed)


def test_files_without_a_row_are_quarantined_unless_an_upload_needs_them(
    registry: GarbageRegistry, pushed: Pushed
) -> None:
    known, name = file_of(registry, pushed.big), pushed.big.digest.removeprefix("sha256:")
    upload = registry.ecr.initiate_layer_upload(repositoryName=pushed.repository)["uploadId"]
    stray, under_way = known.with_name(f"{name}-{uuid.uuid4()}"), known.with_name(f"{name}-{upload}")
    stray.write_bytes(b"who am I")
    under_way.write_bytes(b"committed, and not yet recorded")

    found = registry.run("verify")

    assert found.code == 0
    assert found.out.startswith(f"unknown object blobs/sha256/{name[:2]}/{stray.name}: no row references it")
    assert (registry.server.data / "quarantine" / stray.name).read_bytes() == b"who am I"
    assert under_way.exists()
    under_way.unlink()


def test_a_manifest_with_other_bytes_is_found(registry: GarbageRegistry, pushed: Pushed) -> None:
    def replace(body: bytes) -> None:
        where = "image_id = (SELECT id FROM image WHERE digest = :digest)"
        statement = f"UPDATE manifest SET body = :body WHERE {where}"
        digest = pushed.image.manifest.digest
        engine_of(registry.server.data).transact(lambda tx: tx.run(statement, body=body, digest=digest))

    replace(b"{}")
    found = registry.run("verify")
    replace(pushed.image.manifest.content)

    assert found.code == 3
    name = f"{pushed.repository}@{pushed.image.manifest.digest}"
    assert found.out.startswith(f"damaged manifest {name}: has 2 bytes instead of ")


def test_a_verification_continues_where_it_was_interrupted(registry: GarbageRegistry, pushed: Pushed) -> None:
    [(blob_id,)] = registry.rows("SELECT id FROM blob WHERE digest = :digest", digest=pushed.big.digest)
    engine_of(registry.server.data).transact(lambda tx: verification.save_position(tx, blob_id))
    flip(file_of(registry, pushed.big))

    assert registry.run("verify", "--resume").code == 0
    assert registry.run("verify", "--resume").code == 3

    registry.docker.push(pushed.repository, pushed.image, "v1")
    check_whole(registry, pushed)


def test_a_rate_is_respected(registry: GarbageRegistry, pushed: Pushed) -> None:
    [(size,)] = registry.rows("SELECT sum(size) FROM blob")
    started = time.monotonic()

    assert registry.run("verify", "--rate", str(size / 0.5 / (1 << 20))).code == 0

    assert time.monotonic() - started > 0.5


@pytest.mark.parametrize("point", ["V1", "V2"])
def test_a_killed_verification_loses_nothing_and_can_be_repeated(
    registry: GarbageRegistry, pushed: Pushed, tmp_path: Path, point: str
) -> None:
    shutil.copytree(registry.server.data / "blobs", tmp_path / "copy" / "blobs")
    flip(file_of(registry, pushed.big))
    source = ("--repair-from", str(tmp_path / "copy")) if point == "V1" else ()

    killed = registry.run("verify", *source, extra={"MOORAGE_FAILPOINTS": f"{point}=kill"})
    assert killed.code == -9, killed
    assert point == "V1" or not registry.sees(pushed.repository, pushed.big)
    assert registry.run("verify", "--repair-from", str(tmp_path / "copy")).code == 0

    check_whole(registry, pushed)
    registry.later(8 * DAY)
    registry.collect()
