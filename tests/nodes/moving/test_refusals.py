"""Migrations that are refused before any change, each with what to do."""

from __future__ import annotations

import base64
import os
import shutil
from pathlib import Path

import pytest

from moorage.adapters.data_folder import DataFolder
from tests.nodes.moving.registries import Registry, killed, migrate, moved, run


def error(source: Registry, target: Registry, *more: str, **extra: str) -> str:
    ended = migrate(source, target, *more, **extra)
    assert (ended.code, ended.out) == (1, ""), ended
    return ended.err.removeprefix("Error: ").strip()


@pytest.fixture
def target(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "target")


def test_a_target_with_a_registry_is_refused(folder: Registry, target: Registry) -> None:
    shutil.copytree(folder.place, target.place)
    served = DataFolder(target.place)
    served.lock()
    assert f" runs on {target.place}: stop it" in error(folder, target)
    served.unlock()
    (target.place / "master.key").write_bytes(os.urandom(32))
    assert error(folder, target).startswith(f"{target.place} has another master key than the source")
    shutil.copy(folder.place / "master.key", target.place)

    assert error(folder, target) == f"{target.place} is not empty: choose a target without a registry"

    assert folder.accepts_changes()
    assert target.accepts_changes()


def test_a_target_with_another_master_key_is_refused(folder: Registry, target: Registry) -> None:
    target.place.mkdir()
    (target.place / "master.key").write_bytes(os.urandom(32))

    assert "has another master key than" in error(folder, target)
    (target.place / "master.key").unlink()
    moved(folder, target)
    assert (target.place / "master.key").read_bytes() == (folder.place / "master.key").read_bytes()


def test_a_source_with_another_master_key_than_given_is_refused(folder: Registry, target: Registry) -> None:
    wrong = base64.b64encode(os.urandom(32)).decode()

    assert "encrypted with another master key" in error(folder, target, MOORAGE_MASTER_KEY=wrong)
    assert not target.place.exists()


def test_a_source_that_does_not_exist_is_refused(tmp_path: Path, target: Registry) -> None:
    nothing = Registry(tmp_path / "nothing")

    assert error(nothing, target) == f"{nothing.place} is not a data folder: there is nothing to migrate"
    nothing.place = tmp_path / "mistyped.toml"
    ended = migrate(nothing, target)
    assert (ended.code, ended.err) == (2, f"Error: {nothing.place} does not exist.\n")


def test_a_target_with_layers_of_another_registry_is_refused(folder: Registry, target: Registry) -> None:
    shutil.copytree(folder.place / "blobs", target.place / "blobs")

    assert "has layers of another registry: choose an empty folder or prefix" in error(folder, target)
    assert len(list((target.place / "blobs").rglob("*-*"))) == len(list((folder.place / "blobs").rglob("*-*")))


def test_the_same_place_twice_is_refused(folder: Registry) -> None:
    assert f"both sides keep their layers in {folder.place}" in error(folder, folder)


def test_a_source_that_is_migrated_elsewhere_is_refused(folder: Registry, target: Registry, tmp_path: Path) -> None:
    killed(folder, target, "T3:1")

    assert f"is being migrated to {target.place}: finish that migration" in error(folder, Registry(tmp_path / "other"))
    assert "this is the unfinished target of a migration" in error(target, Registry(tmp_path / "third"))


def test_a_migration_to_a_lost_target_is_cancelled_with_an_empty_one(
    folder: Registry, target: Registry, tmp_path: Path
) -> None:
    killed(folder, target, "T5:1")

    assert migrate(folder, Registry(tmp_path / "empty"), "--abandon").code == 0

    assert folder.accepts_changes()


def test_the_target_of_another_migration_is_refused(folder: Registry, target: Registry, tmp_path: Path) -> None:
    other = Registry(tmp_path / "other")
    shutil.copytree(folder.place, other.place)
    killed(folder, target, "T3:1")

    assert error(other, target) == f"{target.place} is the unfinished target of another migration, from {folder.place}"
    refused = f"{target.place} is the target of another migration, from {folder.place}"
    assert error(other, target, "--abandon") == refused


def test_cancelling_a_migration_that_never_began_is_refused(folder: Registry, target: Registry) -> None:
    assert error(folder, target, "--abandon") == f"there is no migration from {folder.place} to {target.place}"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--from", "a"], "--from and --to must be used together."),
        (["--to", "a"], "--from and --to must be used together."),
        (["--abandon"], "need --from and --to"),
        (["--rate", "7"], "need --from and --to"),
        (["--copy-blobs-only"], "need --from and --to"),
    ],
)
def test_contradicting_options_are_refused(words: list[str], text: str) -> None:
    ended = run("migrate", *words)

    assert ended.code == 2
    assert text in ended.err
