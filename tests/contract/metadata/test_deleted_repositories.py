"""Deleted repositories: their names are free at once, and their images and layers go in slices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import apsw
import pytest

from moorage.core.garbage.why import why
from moorage.core.registry import repositories as core
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.engines.engine import Engine
from moorage.metadata.garbage import deleted_images, deleted_repositories, unreferenced
from moorage.metadata.garbage.deleted_repositories import IMAGES_AT_ONCE
from moorage.metadata.garbage.unreferenced import GraceThresholds
from moorage.metadata.migrations.scripts import schema_steps
from moorage.metadata.registry import counts, images, layers, new_images, repositories, usage
from moorage.metadata.registry.repositories import RepositorySettings
from moorage.metadata.replication import copies
from tests.support.filled import Filled, fill
from tests.support.filled_beside import HERE

IMAGES = 3 * IMAGES_AT_ONCE
DELETED_AT = 10**15

FEW = {"deleted_repository", "lifecycle_policy", "lifecycle_preview", "repository_policy", "resource_tag", "upload"}
"""Tables with few rows of a repository. Its uploads end at once."""


class Deleted(NamedTuple):
    engine: Engine
    filled: Filled
    kept: list[Any]

    def run(self, work: Callable[[Transaction], Any]) -> Any:
        return self.engine.transact(work)

    def remove_slice(self) -> bool:
        return bool(self.run(lambda tx: deleted_repositories.remove_slice(tx, self.filled.large.id)))

    def left(self) -> int:
        """How many images no slice has removed yet."""
        count = "SELECT count(*) FROM image WHERE repository_id = :id"
        return int(self.run(lambda tx: tx.one(count, id=self.filled.large.id))[0])


def content(tx: Transaction) -> list[tuple[Any, ...]]:
    """Images with tag and layers: of the large repository, or the deleted ones."""
    return sorted(
        tx.all(
            "SELECT i.digest, t.name, l.blob_id FROM image i JOIN repository r ON r.id = i.repository_id"
            " JOIN tag t ON t.image_id = i.id JOIN image_layer l ON l.image_id = i.id WHERE r.name = 'large/app'"
        )
        + tx.all(
            "SELECT i.digest, t.name, l.blob_id FROM removed_image i"
            " JOIN removed_tag t ON t.removed_id = i.id JOIN removed_layer l ON l.removed_id = i.id"
        )
    )


def filled_with(engine: Engine, number: int) -> Filled:
    """A database with so many images, and none that were deleted or replicated before."""
    filled = engine.transact(lambda tx: fill(tx, number))
    engine.advance_sequences()
    for table in ("removed_image", "replicated_image"):
        engine.transact(lambda tx, table=table: tx.run(f"DELETE FROM {table}"))  # type: ignore[misc]  # a default
    return filled


@pytest.fixture
def deleted(engine: Engine) -> Deleted:
    """A repository that was deleted, of which one slice is removed."""
    filled = filled_with(engine, IMAGES)
    kept = engine.transact(content)
    engine.transact(lambda tx: core.delete(tx, filled.large, DELETED_AT, force=True))
    return Deleted(engine, filled, kept)


def test_the_name_is_free_at_once_and_a_new_repository_is_not_touched(deleted: Deleted) -> None:
    name = deleted.filled.large.name
    registered = len(deleted.filled.small)

    def replace(tx: Transaction) -> int:
        assert repositories.find(tx, HERE, name) is None
        assert repositories.find_by_id(tx, deleted.filled.large.id) is None
        assert counts.repositories_of(tx, HERE) == registered
        assert [each.name for each, _ in repositories.page_with_policies(tx, HERE, "", 1)] != [name]
        assert [each.id for each in usage.page(tx, 0, 1000)] == [each.id for each in deleted.filled.small]
        made = repositories.insert(tx, HERE, name, RepositorySettings(), 1)
        assert made is not None
        layers.link_blob(tx, made.id, 1, DELETED_AT)
        return made.id

    new = deleted.run(replace)
    while not deleted.remove_slice():
        pass

    assert deleted.run(lambda tx: repositories.find(tx, HERE, name)).id == new
    assert deleted.run(lambda tx: counts.repositories_of(tx, HERE)) == registered + 1
    assert [row.layers for row in deleted.run(lambda tx: usage.page(tx, new - 1, 1))] == [1]


def test_a_job_removes_it_in_slices_and_every_image_can_be_undeleted_after_each(deleted: Deleted) -> None:
    key = str(deleted.filled.large.id)
    assert deleted.run(lambda tx: jobs.is_waiting(tx, deleted_repositories.JOB, key))
    assert deleted.left() == IMAGES - IMAGES_AT_ONCE
    while True:
        before = deleted.left()
        is_gone = deleted.remove_slice()
        assert before - deleted.left() <= IMAGES_AT_ONCE
        assert deleted.run(content) == deleted.kept
        if is_gone:
            break

    def rows(tx: Transaction) -> list[Any]:
        of_it = "SELECT count(*) FROM {} WHERE repository_id = :id"
        return [tx.one(of_it.format(table), id=int(key)) for table in (*growing(), "deleted_repository", "image")]

    assert set(deleted.run(rows)) == {(0,)}
    assert deleted.run(lambda tx: tx.one("SELECT count(*) FROM repository WHERE id = :id", id=int(key))) == (0,)
    assert deleted.remove_slice(), "again is harmless"


def growing() -> set[str]:
    return {table for table, _ in deleted_repositories._GROWING}


def test_a_small_repository_is_gone_at_once(engine: Engine) -> None:
    filled = filled_with(engine, 10)
    engine.transact(lambda tx: core.delete(tx, filled.small[0], DELETED_AT, force=True))

    assert engine.transact(deleted_repositories.ids) == []
    assert not engine.transact(lambda tx: jobs.is_waiting(tx, deleted_repositories.JOB, str(filled.small[0].id)))
    assert len(engine.transact(lambda tx: deleted_images.page(tx, HERE, filled.small[0].name, ("", ""), 10))) == 1


def test_many_rows_besides_the_images_go_in_slices_too(engine: Engine) -> None:
    filled = filled_with(engine, 10)
    digests = [f"sha256:{number:064}" for number in range(1200)]
    engine.transact(lambda tx: copies.record(tx, filled.large.id, digests, HERE, 1))
    engine.transact(lambda tx: core.delete(tx, filled.large, DELETED_AT, force=True))
    count = "SELECT count(*) FROM replicated_image"
    left = [engine.transact(lambda tx: tx.one(count))]
    while not engine.transact(lambda tx: deleted_repositories.remove_slice(tx, filled.large.id)):
        left.append(engine.transact(lambda tx: tx.one(count)))

    assert left == [(700,), (200,)]


def test_every_table_with_many_rows_of_a_repository_goes_in_slices() -> None:
    """Whatever a new table has of a repository: if it can be much, one statement must not delete it all."""
    schema, tables = apsw.Connection(":memory:"), set()
    for step in schema_steps():
        schema.execute(step)
    for (name,) in schema.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        referred = {row[2] for row in schema.execute(f"PRAGMA foreign_key_list({name})")}
        if "repository" in referred or "lifecycle_preview" in referred:
            tables.add(name)
    schema.close()

    with_the_images = {"image", "tag"}
    assert tables == growing() | with_the_images | FEW


def test_an_image_that_is_still_there_can_be_removed_before_its_slice(deleted: Deleted) -> None:
    oldest = deleted.filled.digest(0)
    old = deleted.filled.large

    def remove(tx: Transaction, reference: str) -> Any:
        deleted_repositories.remove_image(tx, HERE, old.name, reference)
        return deleted_images.find(tx, old, reference)

    assert deleted.run(lambda tx: deleted_images.find(tx, old, oldest)) is None
    assert deleted.run(lambda tx: remove(tx, oldest)).digest == oldest
    assert deleted.run(lambda tx: remove(tx, deleted.filled.tag(1))).digest == deleted.filled.digest(1)
    assert deleted.left() == IMAGES - IMAGES_AT_ONCE - 2
    while not deleted.remove_slice():
        pass
    assert deleted.run(content) == deleted.kept


def test_an_image_that_was_deleted_later_from_a_repository_of_that_name_stays(deleted: Deleted) -> None:
    digest, name = deleted.filled.digest(0), deleted.filled.large.name

    def push_and_delete(tx: Transaction) -> None:
        made = repositories.insert(tx, HERE, name, RepositorySettings(), 1)
        assert made is not None
        image = images.Image(0, made.id, digest, "type", None, None, 7, 8, 9)
        image_id = new_images.insert(tx, image, b"{}").id
        images.add_tag(tx, made.id, "newer", image_id, 1)
        deleted_images.keep(tx, HERE, name, [image_id], DELETED_AT + 1)
        images.delete(tx, image_id)

    deleted.run(push_and_delete)
    while not deleted.remove_slice():
        pass

    found = deleted.run(lambda tx: deleted_images.find(tx, deleted.filled.large, digest))
    assert found.deleted_at == DELETED_AT + 1
    assert deleted.run(lambda tx: deleted_images.tags_of(tx, found.id)) == ["newer"]


def test_no_layer_becomes_garbage_between_slices(deleted: Deleted) -> None:
    before = GraceThresholds(reported_at=DELETED_AT, deleted_at=DELETED_AT, latest=2 * DELETED_AT)
    while True:
        found, _ = deleted.run(lambda tx: unreferenced.unreferenced_blobs(tx, 0, before, 10_000))
        assert found == []
        if deleted.remove_slice():
            return


def test_why_says_that_its_images_are_deleted_ones(deleted: Deleted) -> None:
    place = f"{HERE.account}/{HERE.region}/large/app"
    layer = deleted.filled.layers(0)[1]

    def reasons(name: str) -> list[Any]:
        return [(each.where, each.until) for each in deleted.run(lambda tx: why(tx, name, 5))]

    assert reasons(deleted.filled.digest(0)) == [(place, DELETED_AT + 5)]
    assert reasons(layer)[0] == (place, DELETED_AT + 5)
    while not deleted.remove_slice():
        pass
    assert reasons(deleted.filled.digest(0)) == [(place, DELETED_AT + 5)]
    assert reasons(layer)[0] == (place, DELETED_AT + 5)
