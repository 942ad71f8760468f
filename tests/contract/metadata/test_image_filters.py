"""Lists with filters return what a scan of all images would, whatever happened to images and tags before."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from moorage.domain.names import Registry, RepositoryName
from moorage.metadata.database import Transaction
from moorage.metadata.engines.engine import Engine
from moorage.metadata.engines.sqlite.schema import migrate
from moorage.metadata.engines.sqlite.writer import open_writer
from moorage.metadata.registry import images, new_images, repositories
from moorage.metadata.registry.images import Image, ImageFilter
from moorage.metadata.registry.repositories import RepositorySettings
from tests.contract.metadata.test_older_databases import database_before

HERE = Registry("000000000000", "us-east-1")
FILTERS = [ImageFilter(tagged, status) for tagged in (None, True, False) for status in ("ACTIVE", "ARCHIVED", "ANY")]


def change(tx: Transaction, repository: int, random_: random.Random) -> None:
    """Add, move and delete tags, archive, restore and delete images, in any order."""
    known = [row[0] for row in tx.all("SELECT id FROM image ORDER BY id")]
    image, tag = random_.choice(known), f"tag-{random_.randrange(12)}"
    match random_.randrange(7):
        case 0 | 1 | 2:
            images.add_tag(tx, repository, tag, image, 1)
        case 3:
            images.move_tag(tx, repository, tag, image, 2)
        case 4:
            images.delete_tag(tx, repository, tag)
        case 5:
            images.archive(tx, image, 3)
        case 6:
            images.activate(tx, image, 4)


def all_images(tx: Transaction) -> list[tuple[Image, list[str]]]:
    """Every image with its tags, read without the filters."""
    found = [images.find_by_id(tx, row[0]) for row in tx.all("SELECT id FROM image ORDER BY id")]
    return [(image, images.tags_of(tx, image.id)) for image in found if image is not None]


def ids_of(image: Image, tags: list[str]) -> list[tuple[str, str | None]]:
    return [(image.digest, tag) for tag in tags] or [(image.digest, None)]


def matches(selected: ImageFilter, image: Image, tags: list[str]) -> bool:
    return selected.status in ("ANY", image.status) and selected.tagged in (None, bool(tags))


def paged_images(tx: Transaction, repository: int, selected: ImageFilter) -> list[str]:
    found: list[Image] = []
    while page := images.page(tx, repository, found[-1].id if found else 0, selected, 3):
        found += page
    return [image.digest for image in found]


def paged_ids(tx: Transaction, repository: int, selected: ImageFilter) -> list[tuple[str, str | None]]:
    found: list[tuple[int, str, str | None]] = []
    while page := images.page_of_ids(
        tx, repository, (found[-1][0], found[-1][2] or "") if found else (0, ""), selected, 3
    ):
        found += page
    return [(digest, tag) for _, digest, tag in found]


def paged_tags(tx: Transaction, repository: int) -> list[str]:
    found: list[str] = []
    while page := images.page_of_tags(tx, repository, found[-1] if found else "", 3):
        found += page
    return found


@pytest.mark.parametrize("seed", range(3))
def test_pages_with_filters_have_exactly_the_images_that_match(engine: Engine, seed: int) -> None:
    def check(tx: Transaction) -> None:
        random_ = random.Random(seed)
        repository = repositories.insert(tx, HERE, RepositoryName("app"), RepositorySettings(), 1)
        assert repository is not None
        for number in range(10):
            new_images.insert(tx, Image(0, repository.id, f"sha256:{number}", "t", None, None, 1, 1, 1), b"{}")
        for _ in range(60):
            change(tx, repository.id, random_)
            everything = all_images(tx)
            for selected in FILTERS:
                matching = [(image, tags) for image, tags in everything if matches(selected, image, tags)]
                assert paged_images(tx, repository.id, selected) == [image.digest for image, _ in matching]
                listed = [row for image, tags in matching for row in ids_of(image, tags)]
                assert paged_ids(tx, repository.id, selected) == listed
            active = sorted(tag for image, tags in everything if not image.is_archived for tag in tags)
            assert paged_tags(tx, repository.id) == active

    engine.transact(check)


def test_images_and_tags_from_before_the_filters_are_found_by_them(tmp_path: Path) -> None:
    path = tmp_path / "moorage.db"
    with database_before(path, "filters") as old:
        columns = (
            "id, account, region, name, created_at, tag_mutability, exclusion_filters, scan_on_push, encryption_type"
        )
        old.execute(f"INSERT INTO repository ({columns}) VALUES (1, '1', 'r', 'a', 1, 'MUTABLE', '[]', 0, 'AES256')")
        for number, status in (1, "ACTIVE"), (2, "ARCHIVED"), (3, "ACTIVE"):
            columns = "id, repository_id, digest, media_type, size, manifest_size, annotations, pushed_at, status"
            old.execute(
                f"INSERT INTO image ({columns}) VALUES (?1, 1, 'd' || ?1, 't', 1, 1, '{{}}', 1, ?2)", (number, status)
            )
        old.execute("INSERT INTO tag (repository_id, name, image_id, tagged_at) VALUES (1, 'a', 1, 1), (1, 'b', 2, 1)")
    old.close()

    migrate(path)

    with open_writer(path) as writer:
        assert writer.transact(lambda tx: paged_images(tx, 1, ImageFilter(True))) == ["d1"]
        assert writer.transact(lambda tx: paged_images(tx, 1, ImageFilter(True, "ARCHIVED"))) == ["d2"]
        assert writer.transact(lambda tx: paged_images(tx, 1, ImageFilter(False))) == ["d3"]
        assert writer.transact(lambda tx: paged_tags(tx, 1)) == ["a"]
