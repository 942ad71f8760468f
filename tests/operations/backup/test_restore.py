"""`moorage restore`: a data folder from a backup, compared and complete, or with what is missing named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.operations.backup.conftest import REPOSITORY, Source, keys_in, served
from tests.support.commands import run_here
from tests.support.images import image

HERE = image(seed=1)
THERE = image(seed=2)


@pytest.fixture
def backup(source: Source) -> Path:
    """A backup with two images, and the secrets."""
    source.endpoints.docker.push(REPOSITORY, HERE, "here")
    source.endpoints.docker.push(REPOSITORY, THERE, "there")
    source.backed_up("--with-secrets")
    return source.backup


def test_a_server_starts_on_a_restored_folder_with_its_images_and_keys(backup: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in backup.rglob("*") if path.is_file()}

    done = run_here("restore", backup, "--data", tmp_path / "new")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Restored to {tmp_path / 'new'}: the database and 4 layers")
    assert {path: path.read_bytes() for path in backup.rglob("*") if path.is_file()} == before
    with served(tmp_path / "new") as endpoints:
        listed = endpoints.ecr.list_images(repositoryName=REPOSITORY)["imageIds"]
        assert sorted(each["imageTag"] for each in listed) == ["here", "there"]
        assert endpoints.docker.get(f"/v2/{REPOSITORY}/blobs/{HERE.blobs[1].digest}").body == HERE.blobs[1].content


def test_a_folder_that_is_in_use_for_something_is_refused(source: Source, backup: Path, tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "letter.txt").write_text("dear")

    registry = run_here("restore", backup, "--data", source.server.data)
    documents = run_here("restore", backup, "--data", tmp_path / "documents")
    nothing = run_here("restore", tmp_path / "documents", "--data", tmp_path / "new")

    assert (registry.code, "has a registry" in registry.err) == (1, True)
    assert (documents.code, "is not empty" in documents.err) == (1, True)
    assert (nothing.code, "is not a backup" in nothing.err) == (1, True)
    assert not (tmp_path / "new").exists()


def test_what_the_backup_lacks_is_named_and_everything_else_is_restored(backup: Path, tmp_path: Path) -> None:
    (backup / "master.key").unlink()
    missing, damaged = (
        next(backup.glob(f"blobs/sha256/*/{blob.digest[7:]}-*")) for blob in (HERE.blobs[1], THERE.blobs[1])
    )
    missing.unlink()
    damaged.write_bytes(bytes(damaged.stat().st_size))

    done = run_here("restore", backup, "--data", tmp_path / "new")

    assert done.code == 3
    assert f"damaged layer {HERE.blobs[1].digest}: missing" in done.out
    assert f"damaged layer {THERE.blobs[1].digest}: its bytes have the digest" in done.out
    assert "The backup has no master key." in done.out
    assert "the database and 2 layers" in done.out


def test_an_interrupted_restore_continues(backup: Path, tmp_path: Path) -> None:
    whole = run_here("restore", backup, "--data", tmp_path / "new")
    assert whole.code == 0, whole
    (tmp_path / "new" / "moorage.db").rename(tmp_path / "new" / "moorage.db.new")
    next((tmp_path / "new").glob(f"blobs/sha256/*/{HERE.blobs[1].digest[7:]}-*")).unlink()

    again = run_here("restore", backup, "--data", tmp_path / "new")

    assert again.code == 0, again
    assert keys_in(tmp_path / "new") == keys_in(backup)
