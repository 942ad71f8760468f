"""The times at which pulls are recorded, with a clock that the tests set."""

from __future__ import annotations

import pytest

from moorage.core.registry.pulls import REFRESH_AFTER
from moorage.metadata.database import Transaction
from tests.docker.oci.client import Client, World
from tests.support.databases import ON_POSTGRESQL
from tests.support.images import image


def times(world: World) -> dict[str, int]:
    """The pull times of images in the database, after all pending writes."""

    def read(tx: Transaction) -> dict[str, int]:
        return dict(tx.all("SELECT digest, last_pulled_at FROM image WHERE last_pulled_at IS NOT NULL"))

    world.settle()
    return world.database.read_blocking(read)


def test_a_recorded_time_changes_at_most_once_an_hour(world: World, root: Client, repository: str) -> None:
    pushed = image(seed=401)
    root.push(repository, pushed, "v1")
    path = f"/v2/{repository}/manifests/v1"

    root.get(path)
    first = times(world)[pushed.manifest.digest]
    world.offset = REFRESH_AFTER - 10_000_000
    root.get(path)
    second = times(world)[pushed.manifest.digest]
    world.offset = REFRESH_AFTER + 10_000_000
    root.get(path)
    third = times(world)[pushed.manifest.digest]

    assert first == second
    assert REFRESH_AFTER < third - first < REFRESH_AFTER + 60_000_000


@pytest.mark.skipif(ON_POSTGRESQL, reason="SQLite counts the commits of its file")
def test_many_pulls_are_one_write(world: World, root: Client, repository: str) -> None:
    pushed = [image(seed=410 + number) for number in range(3)]
    for each in pushed:
        root.push(repository, each)
    before = world.database.read_blocking(lambda tx: tx.one("PRAGMA data_version"))

    for each in pushed * 20:
        root.get(f"/v2/{repository}/manifests/{each.manifest.digest}")

    assert world.database.read_blocking(lambda tx: tx.one("PRAGMA data_version")) == before
    assert {each.manifest.digest for each in pushed} <= times(world).keys()


def test_a_pull_of_an_image_that_was_deleted_meanwhile_is_dropped(world: World, root: Client, repository: str) -> None:
    """SQLite may give the next image the same id."""
    gone, after = image(seed=420), image(seed=421)
    root.push(repository, gone, "v1")
    root.get(f"/v2/{repository}/manifests/v1")
    root.send("DELETE", f"/v2/{repository}/manifests/{gone.manifest.digest}")
    root.push(repository, after, "v1")

    assert not times(world).keys() & {gone.manifest.digest, after.manifest.digest}
