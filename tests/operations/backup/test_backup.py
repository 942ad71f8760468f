"""`moorage backup`: copies of a registry that serves, and registries that are restored from them."""

from __future__ import annotations

import asyncio
import copy
import threading
from contextlib import closing
from pathlib import Path

import pytest

from moorage.adapters.backup_folder import BackupFolder
from moorage.adapters.data_folder import DataFolder
from moorage.adapters.files.blob_store import FileBlobStore
from moorage.core.migration.backup import Backup, BackupOptions, BackupResult
from moorage.core.pacing import RateLimit
from moorage.metadata.engines.selection import engine_at
from moorage.metadata.engines.sqlite.copying import DatabaseCopy
from tests.faults.durability.promises import (
    check_p1_acknowledged_is_durable,
    check_p2_never_wrong_bytes,
    check_p3_no_dangling_image,
    check_p4_a_tag_names_one_manifest,
)
from tests.nodes.moving.registries import Pusher
from tests.operations.backup.conftest import REPOSITORY, Restore, Source, keys_in, served
from tests.support.commands import run_here
from tests.support.images import Blob
from tests.support.object_store import ObjectStore
from tests.support.waiting import wait_until

NO_KEY = "The backup does not have the master key. Keep a copy of it elsewhere; a restore needs it.\n"

# docs/promises.md: where a backup is killed, and whether it is the new one then.
POINTS = {"B1": False, "U7": False, "B2": False, "B3": True}


def file_of(folder: Path, blob: Blob) -> Path:
    digest = blob.digest.removeprefix("sha256:")
    (found,) = (folder / "blobs" / "sha256" / digest[:2]).glob(f"{digest}-*")
    return found


def flip(path: Path) -> None:
    """Change one byte, in a new file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    path.write_bytes(content)


def test_a_backup_during_pushes_and_collections_restores_everything_that_was_acknowledged_before(
    source: Source, restore: Restore
) -> None:
    for _ in range(5):
        source.pusher.push()
    journal = copy.deepcopy(source.pusher.journal)
    ended = threading.Event()

    def push_and_delete() -> None:
        """Each image is deleted and collected as soon as the next one is there, except the first five."""
        while not ended.is_set():
            source.pusher.push()
            if source.pusher.number > 6:
                source.delete(f"v{source.pusher.number - 1}")

    pushing = threading.Thread(target=push_and_delete)
    pushing.start()
    try:
        for _ in range(3):
            source.backed_up("--rate", "50")
            number = source.pusher.number
            wait_until(lambda number=number: source.pusher.number > number + 2)  # type: ignore[misc]  # a default binds the loop's value
    finally:
        ended.set()
        pushing.join()

    restored = restore()
    check_p1_acknowledged_is_durable(restored, journal)
    check_p2_never_wrong_bytes(restored)
    check_p3_no_dangling_image(restored)
    check_p4_a_tag_names_one_manifest(restored)
    source.pusher.endpoints = restored
    source.pusher.push()


def test_a_repeated_backup_copies_what_is_new_and_removes_what_is_gone(source: Source, restore: Restore) -> None:
    source.pusher.push()
    gone = source.pusher.push()
    first = source.backed_up()
    old = file_of(source.backup, gone.blobs[1])
    kept = {path: path.stat().st_ino for path in source.backup.glob("blobs/*/*/*-*") if path != old}

    source.pusher.push()
    source.delete("v2")
    second = source.backed_up()

    assert "the database and 6 layers (" in first
    assert "of which 6 are new (" in first
    assert "the database and 6 layers (" in second
    assert "of which 3 are new (" in second
    assert not old.exists()
    assert sum(path.exists() and path.stat().st_ino == inode for path, inode in kept.items()) == 3
    assert keys_in(source.backup) == source.blob_keys()
    assert restore().visible_state() == source.endpoints.visible_state()


class CollectedDuringTheCopy(BackupFolder):
    """A backup that deletes and collects an image after it has copied the database, and before any layer."""

    source: Source
    tag: str | None = None
    deleting = asyncio.Lock()

    async def has(self, key: str, size: int) -> bool:
        async with self.deleting:
            if self.tag is not None:
                tag, self.tag = self.tag, None
                await asyncio.to_thread(self.source.delete, tag)
        return await super().has(key, size)


def test_layers_that_are_collected_during_a_backup_are_not_in_its_database(source: Source, restore: Restore) -> None:
    source.pusher.push()
    source.pusher.push()
    data = DataFolder(source.server.data)

    async def back_up(target: CollectedDuringTheCopy) -> BackupResult:
        database, blobs = engine_at(None, data.database, 1).open(), FileBlobStore(source.server.data)
        try:
            await target.prepare(await blobs.marker())
            target.source, target.tag = source, "v2"
            options = BackupOptions(RateLimit(None), hard_links=False, read_back=False)
            rows = DatabaseCopy(data.database, target.new_database)
            return await Backup(database, blobs, rows, target, options).run(lambda _: None)
        finally:
            blobs.close()
            database.close()

    with closing(CollectedDuringTheCopy(source.backup)) as target:
        result = asyncio.run(back_up(target))

    assert (result.blobs, result.damaged) == (3, [])
    assert keys_in(source.backup) == source.blob_keys()
    assert restore().visible_state() == source.endpoints.visible_state()


@pytest.mark.parametrize(("point", "has_new"), POINTS.items())
def test_an_interrupted_backup_is_complete_and_the_next_one_continues(
    source: Source, restore: Restore, point: str, has_new: bool
) -> None:
    source.pusher.push()
    source.backed_up()
    earlier = source.endpoints.visible_state()
    source.pusher.push()
    source.delete("v1")

    killed = source.run_apart("backup", str(source.backup), extra={"MOORAGE_FAILPOINTS": f"{point}=kill"})

    assert killed.code == -9, killed
    assert restore().visible_state() == (source.endpoints.visible_state() if has_new else earlier)
    source.backed_up()
    assert keys_in(source.backup) == source.blob_keys()
    assert list((source.backup / "uploads").iterdir()) == []
    assert not (source.backup / "moorage.db.new").exists()
    assert restore().visible_state() == source.endpoints.visible_state()


def test_hard_links_need_no_space_and_outlive_their_source(source: Source, restore: Restore) -> None:
    source.pusher.push()
    source.backed_up("--hard-links")
    state = source.endpoints.visible_state()
    linked = {path: path.stat().st_nlink for path in source.backup.glob("blobs/*/*/*-*")}

    source.delete("v1")

    assert set(linked.values()) == {2}
    assert source.blob_keys() == set()
    assert restore().visible_state() == state


@pytest.mark.parametrize("how", [(), ("--hard-links",)])
def test_reading_back_replaces_damaged_copies(source: Source, restore: Restore, how: tuple[str, ...]) -> None:
    pushed = source.pusher.push()
    source.backed_up(*how)
    flip(file_of(source.backup, pushed.blobs[1]))

    assert "of which 0 are new" in source.backed_up(*how)
    assert "of which 1 are new" in source.backed_up(*how, "--read-back")
    assert "of which 0 are new" in source.backed_up(*how, "--read-back")
    assert restore().visible_state() == source.endpoints.visible_state()


@pytest.mark.parametrize("is_missing", [True, False])
@pytest.mark.parametrize("options", [(), ("--hard-links", "--read-back")])
def test_a_layer_without_a_good_copy_is_reported_and_everything_else_is_backed_up(
    source: Source, is_missing: bool, options: tuple[str, ...]
) -> None:
    pushed = source.pusher.push()
    file = file_of(source.server.data, pushed.blobs[1])
    file.unlink() if is_missing else flip(file)

    ended = source.back_up(*options)

    assert ended.code == 3
    assert ended.out.startswith(f"damaged layer {pushed.blobs[1].digest}: ")
    assert "the database and 2 layers (" in ended.out
    assert "Run moorage verify --data " in ended.out
    assert len(keys_in(source.backup)) == 2
    assert source.run("verify").code == 3
    assert source.back_up(*options).code == 0  # A layer that is marked as damaged has no copy.


def test_a_layer_that_cannot_be_opened_now_is_not_taken_for_a_damaged_one(source: Source) -> None:
    """A link to itself stands for wrong rights or too many open files: the error says nothing of the bytes."""
    file = file_of(source.server.data, source.pusher.push().blobs[1])
    content = file.read_bytes()
    file.unlink()
    file.symlink_to(file.name)

    ended = source.back_up()
    file.unlink()
    file.write_bytes(content)

    assert ended.code == 1
    assert ended.err.startswith("Error: The backup did not finish: ")
    assert "Too many levels of symbolic links" in ended.err
    assert source.back_up().code == 0


def test_a_layer_that_is_damaged_after_a_backup_is_repaired_from_it(source: Source) -> None:
    pushed = source.pusher.push()
    source.backed_up()
    file_of(source.server.data, pushed.blobs[1]).unlink()

    assert source.run("verify", "--repair-from", str(source.backup)).code == 0
    assert source.endpoints.layer(REPOSITORY, pushed.blobs[1].digest).body == pushed.blobs[1].content


def test_secrets_are_in_a_backup_only_on_request(source: Source) -> None:
    source.pusher.push()
    key = (source.server.data / "master.key").read_bytes()
    secret = source.server.environment["AWS_SECRET_ACCESS_KEY"].encode()

    without = source.backed_up()
    contents = [path.read_bytes() for path in source.backup.rglob("*") if path.is_file()]

    assert without.endswith(NO_KEY)
    assert not any(key in content or secret in content for content in contents)
    assert source.backup.stat().st_mode & 0o777 == 0o700
    assert (source.backup / "moorage.db").stat().st_mode & 0o777 == 0o600

    (source.server.data / "tls").mkdir(exist_ok=True)
    (source.server.data / "tls" / "ca.pem").write_bytes(b"the key of the authority")
    with_key = source.backed_up("--with-secrets")

    assert "The backup has the master key." in with_key
    for name in ("master.key", "tls/ca.pem"):
        copied = source.backup / name
        assert copied.read_bytes() == (source.server.data / name).read_bytes()
        assert copied.stat().st_mode & 0o777 == 0o600


def refused(source: Source, folder: Path, *options: str) -> str:
    """The error of a backup. The access key is for a bucket that is never used."""
    key = {"MOORAGE_S3_ACCESS_KEY_ID": "AKIA", "MOORAGE_S3_SECRET_ACCESS_KEY": "secret"}
    ended = run_here("backup", folder, "--data", source.server.data, *options, variables=key)
    assert (ended.code, ended.out) == (1, ""), ended
    return ended.err


def test_folders_that_cannot_hold_the_backup_are_refused(source: Source, tmp_path: Path) -> None:
    source.pusher.push()
    full = tmp_path / "full"
    full.mkdir()
    (full / "letter.txt").write_text("mine")

    assert "is not empty and not a backup: choose another folder" in refused(source, full)
    assert (full / "letter.txt").read_text() == "mine"
    itself = source.run("backup", str(source.server.data))
    assert itself.code == 2
    assert "is the registry itself" in itself.err
    source.backed_up()
    marker = source.backup / "blobs" / "registry"
    marker.write_text("00000000-0000-0000-0000-000000000000\n")
    assert "has the backup of another registry" in refused(source, source.backup)
    (source.backup / "endpoint").write_text("http://127.0.0.1:5000\n")
    assert "is the data folder of a server" in refused(source, source.backup)
    holder = DataFolder(source.backup)
    holder.lock()
    try:
        assert "is in use by another backup, or by a server" in refused(source, source.backup)
    finally:
        holder.unlock()


def test_other_registries_are_refused_with_what_to_do_instead(source: Source, tmp_path: Path) -> None:
    database = ("--database", "postgresql://nobody@127.0.0.1:9/none")
    bucket = ("--blobs", "s3://registry/prod?endpoint=http://127.0.0.1:9")

    both = refused(source, source.backup, *database, *bucket)
    rows = refused(source, source.backup, *database, "--blobs", str(tmp_path))
    blobs = refused(source, source.backup, *bucket)
    useless = source.run("backup", str(source.backup), "--database-only")

    assert "Back up the database with pg_dump" in both
    assert "keep versions or a replica of the bucket" in both
    assert f"copy the folder {tmp_path} within the grace period" in rows
    assert "Use --database-only, and keep versions or a replica of the bucket" in blobs
    assert useless.code == 2
    assert not source.backup.exists()


def test_of_a_registry_with_layers_in_a_bucket_the_database_is_backed_up(
    tmp_path: Path, object_store: ObjectStore
) -> None:
    variables = {
        "MOORAGE_BLOBS": object_store.setting(f"backup/{tmp_path.name}"),
        "MOORAGE_BLOB_REDIRECT": "off",
        **object_store.environment,
    }
    with served(tmp_path / "data", **variables) as endpoints:
        endpoints.ecr.create_repository(repositoryName=REPOSITORY)
        pusher = Pusher(endpoints, REPOSITORY)
        pusher.push()
        data = ("--data", tmp_path / "data")
        ended = run_here("backup", tmp_path / "backup", "--database-only", "--with-secrets", *data, variables=variables)
        assert (ended.code, ended.err) == (0, ""), ended

    with served(tmp_path / "backup", **variables) as restored:
        check_p1_acknowledged_is_durable(restored, pusher.journal)
