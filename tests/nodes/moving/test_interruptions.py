"""Migrations that are killed, fail or are cancelled: the same command continues, and nothing incomplete is served."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.nodes.moving.conftest import Filled
from tests.nodes.moving.registries import Pusher, Registry, killed, migrate, moved, on_postgres_and_s3, program, run
from tests.support.clients import program_environment
from tests.support.images import Image
from tests.support.object_store import ObjectStore
from tests.support.waiting import PATIENCE_SECONDS, wait_until

# docs/promises.md: where the command is killed.
BEFORE_THE_SEAL = ["T1:2", "T2:3", "T4:2", "T8:1", "T9:1", "T10:1"]
POINTS = [*BEFORE_THE_SEAL, "T3:1", "T10:1", "T5:1", "T6:1"]
ABANDON_POINTS = ["T7:1"]


def blob_files(registry: Registry) -> list[str]:
    return sorted(path.name for path in (registry.server.data / "blobs").rglob("*-*"))


def copies(registry: Registry) -> set[tuple[str, int]]:
    """The files of blobs. A file that was written again counts as another one."""
    return {(path.name, path.stat().st_ino) for path in (registry.server.data / "blobs").rglob("*-*")}


def test_a_migration_that_is_killed_at_each_failpoint_continues_and_copies_nothing_twice(
    folder: Registry, filled: Filled, tmp_path: Path
) -> None:
    target, seen = Registry(tmp_path / "target"), set[tuple[str, int]]()

    for number, point in enumerate(POINTS):
        killed(folder, target, point)
        assert seen <= copies(target)
        seen = copies(target)
        assert folder.accepts_changes() is (number < len(BEFORE_THE_SEAL)), (
            "what is sealed stays so until the move has ended"
        )
        if point == "T3:1":
            with folder.serving() as endpoints:
                wait_until(lambda: "This registry is being migrated to" in folder.server.output())
                assert endpoints.docker.post("/v2/team/app/blobs/uploads/").status == 503
        if point == "T5:1":
            assert "this is the unfinished target of a migration from" in target.refuses_to_serve()

    assert moved(folder, target).startswith("Moved: the previous run had copied everything.\n")
    assert target.state() == filled.state
    assert run("verify", "--data", target.place).out == "Verified: 0 findings, 0 of them not repaired.\n"


def test_a_migration_to_a_bucket_that_is_killed_continues(
    folder: Registry, filled: Filled, tmp_path: Path, object_store: ObjectStore
) -> None:
    target = on_postgres_and_s3(tmp_path / "nodes", object_store)
    for point in ("U2:9", "T4:3"):
        killed(folder, target, point)

    moved(folder, target)

    assert target.state() == filled.state


def test_changes_between_runs_are_copied_wherever_the_runs_were_killed(
    folder: Registry, tmp_path: Path, object_store: ObjectStore
) -> None:
    """From a folder to PostgreSQL, and back: the log of changes and the target outlive the command."""
    nodes, other = on_postgres_and_s3(tmp_path / "nodes", object_store), Registry(tmp_path / "other")
    for source, target, number in ((folder, nodes, 100), (nodes, other, 200)):
        for more, point in enumerate(("T8:1", "T9:3", "T10:1")):
            killed(source, target, point)
            with source.serving() as endpoints:
                change(Pusher(endpoints, number=number + 10 * more))
                before = endpoints.visible_state()

        moved(source, target)

        assert target.state() == before


def change(pusher: Pusher) -> None:
    """Rows that are new, changed and gone, and a name that another row gets."""
    ecr = pusher.endpoints.ecr
    ecr.delete_repository(repositoryName="empty", force=True)
    ecr.create_repository(repositoryName="empty", imageTagMutability="IMMUTABLE")
    first, second = pusher.push(), pusher.push()
    for moving in (second, first, second):
        pusher.endpoints.docker.push(pusher.repository, Image(moving.manifest, ()), "latest")
    ecr.batch_delete_image(repositoryName=pusher.repository, imageIds=[{"imageDigest": first.manifest.digest}])


def test_a_migration_that_fails_in_its_last_step_removes_the_seal(folder: Registry, tmp_path: Path) -> None:
    target = Registry(tmp_path / "target")

    words = ("migrate", "--from", folder.place, "--to", target.place)
    ended = program(*words, MOORAGE_FAILPOINTS="T3=error")

    command = f"moorage migrate --from {folder.place} --to {target.place}"
    advice = f"To continue: {command}\nTo give the migration up: {command} --abandon\n"
    assert (ended.code, ended.err) == (1, f"Error: failpoint\n{advice}"), ended
    assert folder.accepts_changes()
    moved(folder, target)
    assert not folder.accepts_changes()
    assert target.accepts_changes()


def test_a_migration_that_is_terminated_removes_the_seal(folder: Registry, tmp_path: Path) -> None:
    target = Registry(tmp_path / "target")
    killed(folder, target, "T3:1")
    max((target.place / "blobs").rglob("*-*"), key=lambda path: path.stat().st_size).unlink()
    words: list[str | Path] = ["migrate", "--from", folder.place, "--to", target.place, "--rate", "1"]
    moving = subprocess.Popen(
        [sys.executable, "-m", "moorage", *words],
        env=program_environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list((target.place / "uploads").iterdir()):
        assert moving.poll() is None
        time.sleep(0.02)
    assert not folder.accepts_changes()

    moving.terminate()

    command = f"moorage migrate --from {folder.place} --to {target.place}"
    advice = f"To continue: {command}\nTo give the migration up: {command} --abandon\n"
    assert moving.communicate(timeout=PATIENCE_SECONDS)[1] == f"{advice}Aborted!\n"
    assert moving.returncode == 1
    assert folder.accepts_changes()


def test_a_cancelled_migration_leaves_a_working_registry_and_nothing_else(folder: Registry, tmp_path: Path) -> None:
    target = Registry(tmp_path / "target")
    killed(folder, target, "T5:1")

    ended = migrate(folder, target, "--abandon")

    assert ended.out == f"Canceled: {folder.place} accepts changes again. The copies in {target.place} are removed.\n"
    assert blob_files(target) == []
    assert folder.accepts_changes()
    moved(folder, target)
    assert migrate(folder, target, "--abandon").err == (
        f"Error: {target.place} is complete and may have accepted changes: the migration cannot be abandoned\n"
    )


@pytest.mark.parametrize("point", ABANDON_POINTS)
def test_a_cancellation_that_is_killed_is_finished_by_the_same_command(
    folder: Registry, tmp_path: Path, point: str
) -> None:
    target = Registry(tmp_path / "target")
    killed(folder, target, "T5:1")

    killed(folder, target, point, "--abandon")

    assert folder.accepts_changes()
    assert migrate(folder, target).code == 1
    assert migrate(folder, target, "--abandon").code == 0
    assert blob_files(target) == []
    moved(folder, target)


def test_layers_can_be_copied_beforehand(folder: Registry, tmp_path: Path) -> None:
    target = Registry(tmp_path / "target")

    ended = migrate(folder, target, "--copy-blobs-only")

    assert ended.code == 0, ended
    assert ended.out.endswith("To move it, run the command without --copy-blobs-only.\n")
    copied = blob_files(target)
    with folder.serving() as endpoints:
        Pusher(endpoints, number=50).push()
    moved(folder, target)
    assert set(copied) < set(blob_files(target))
    assert len(blob_files(target)) == len(copied) + 3


def test_copied_layers_are_checked_again_by_the_final_run(folder: Registry, tmp_path: Path) -> None:
    target = Registry(tmp_path / "target")
    assert migrate(folder, target, "--copy-blobs-only").code == 0
    lost, cut = sorted((target.server.data / "blobs").rglob("*-*"))[:2]
    lost.unlink()
    cut.write_bytes(cut.read_bytes()[:-1])

    moved(folder, target)

    assert run("verify", "--data", target.place).out == "Verified: 0 findings, 0 of them not repaired.\n"


@pytest.mark.parametrize("harm", ["flipped", "gone"])
def test_a_damaged_layer_stops_the_migration_and_is_skipped_once_it_was_found(
    folder: Registry, tmp_path: Path, harm: str
) -> None:
    target = Registry(tmp_path / "target")
    path = max((folder.server.data / "blobs").rglob("*-*"), key=lambda one: one.stat().st_size)
    name = f"sha256:{path.name.partition('-')[0]}"
    if harm == "flipped":
        path.write_bytes(b"\0" + path.read_bytes()[1:])
    else:
        path.unlink()

    ended = migrate(folder, target)

    assert ended.code == 1
    why = "missing" if harm == "gone" else "its bytes have the digest "
    assert ended.out.startswith(f"damaged layer {name}: {why}")
    assert "1 layers of" in ended.err
    assert "run moorage verify there" in ended.err
    assert name.removeprefix("sha256:") not in "".join(blob_files(target))
    assert folder.accepts_changes()

    assert run("verify", "--data", folder.place).code == 3
    moved(folder, target)
    with target.serving() as endpoints:
        assert endpoints.layer("team/app", name).status == 404
