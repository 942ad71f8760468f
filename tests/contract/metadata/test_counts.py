"""Counts that quotas are compared with: correct from the first start of a program that has them, and kept correct."""

from __future__ import annotations

from pathlib import Path

import pytest

from moorage.domain.names import Registry, RepositoryName
from moorage.metadata.database import Transaction
from moorage.metadata.engines.sqlite.schema import migrate
from moorage.metadata.engines.sqlite.writer import open_writer
from moorage.metadata.registry import counts, images, new_images, repositories
from moorage.metadata.registry.images import Image
from moorage.metadata.registry.repositories import Repository, RepositorySettings
from tests.contract.metadata.test_older_databases import database_before

HERE = Registry("000000000000", "us-east-1")
THERE = Registry("000000000000", "eu-west-1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "moorage.db"


def new_repository(tx: Transaction, registry: Registry, name: str) -> Repository:
    made = repositories.insert(tx, registry, RepositoryName(name), RepositorySettings(), 0)
    assert made is not None
    return made


def new_image(tx: Transaction, repository: Repository, digest: str) -> int:
    return new_images.insert(tx, Image(0, repository.id, digest, "text/plain", None, None, 1, 1, 0), b"{}").id


def counted(tx: Transaction) -> dict[str, int]:
    """The counts of a registry, after a comparison with its rows."""
    for repository_id, count in tx.all("SELECT id, images FROM repository"):
        assert tx.all("SELECT count(*) FROM image WHERE repository_id = :id", id=repository_id) == [(count,)]
    return {registry.region: counts.repositories_of(tx, registry) for registry in (HERE, THERE)}


def test_a_database_of_an_older_program_is_counted_once(path: Path) -> None:
    connection = database_before(path, "counts")
    for number, (region, name) in enumerate([("us-east-1", "a"), ("us-east-1", "b"), ("eu-west-1", "a")], start=1):
        connection.execute(
            "INSERT INTO repository VALUES (?, '000000000000', ?, ?, 0, 'MUTABLE', '[]', 0, 'AES256', NULL)",
            (number, region, name),
        )
    for digest in ("1", "2", "3"):
        connection.execute(
            "INSERT INTO image (repository_id, digest, media_type, size, manifest_size, annotations, pushed_at)"
            " VALUES (2, ?, '', 0, 0, '{}', 0)",
            (digest,),
        )
    connection.close()

    migrate(path)

    with open_writer(path) as writer:
        assert writer.transact(counted) == {"us-east-1": 2, "eu-west-1": 1}
        assert writer.transact(lambda tx: tx.one("SELECT images FROM repository WHERE id = 2")) == (3,)


def test_additions_and_deletions_are_counted(path: Path) -> None:
    migrate(path)

    def use(tx: Transaction) -> None:
        kept, deleted = new_repository(tx, HERE, "kept"), new_repository(tx, HERE, "gone")
        new_repository(tx, THERE, "kept")
        assert repositories.insert(tx, HERE, RepositoryName("kept"), RepositorySettings(), 0) is None
        first = new_image(tx, kept, "1")
        new_image(tx, kept, "2")
        new_image(tx, deleted, "1")
        for _ in range(2):
            images.delete(tx, first)
            repositories.hide(tx, deleted)

    with open_writer(path) as writer:
        writer.transact(use)
        assert writer.transact(counted) == {"us-east-1": 1, "eu-west-1": 1}
