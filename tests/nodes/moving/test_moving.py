"""A serving registry is migrated to PostgreSQL and an object store, and back: nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from moorage import stores
from moorage.config.sources import registry_at
from moorage.core.clock import system_clock
from moorage.core.garbage.collect import GarbageItem
from moorage.core.garbage.sweep import Sweeper
from tests.api.ecr.pushing import send_part
from tests.faults.durability.promises import (
    check_p1_acknowledged_is_durable,
    check_p2_never_wrong_bytes,
    check_p3_no_dangling_image,
)
from tests.nodes.moving.registries import Pusher, Registry, migrate, moved, on_postgres_and_s3
from tests.support.images import digest
from tests.support.object_store import ObjectStore
from tests.support.waiting import wait_until


def test_a_registry_is_migrated_to_postgresql_and_a_bucket_and_back_while_images_are_pushed(
    folder: Registry, tmp_path: Path, object_store: ObjectStore
) -> None:
    nodes, other = on_postgres_and_s3(tmp_path / "nodes", object_store), Registry(tmp_path / "other")

    for source, target, number in ((folder, nodes, 100), (nodes, other, 200)):
        with source.serving() as endpoints:
            pusher = Pusher(endpoints, number=number)
            pushing = threading.Thread(target=pusher.push_until_refused)
            pushing.start()
            ended = migrate(source, target, "--rate", "16")
            assert (ended.code, ended.err) == (0, ""), ended
            pushing.join()
            assert len(pusher.journal.manifests) > 1
            before = endpoints.visible_state()
        with target.serving() as endpoints:
            assert endpoints.visible_state() == before
            pusher.journal.uploads.clear()  # Unfinished pushes do not move.
            check_p1_acknowledged_is_durable(endpoints, pusher.journal)
            check_p2_never_wrong_bytes(endpoints)
            check_p3_no_dangling_image(endpoints)
            Pusher(endpoints, number=number + 90).push()


def test_a_migrated_registry_serves_pulls_refuses_changes_and_names_its_new_place(
    folder: Registry, tmp_path: Path
) -> None:
    target = Registry(tmp_path / "target")
    moved(folder, target)

    with folder.serving() as endpoints:
        message = f"This registry was migrated to {target.place}. It serves pulls and rejects changes."
        wait_until(lambda: message in folder.server.output())
        pulled = endpoints.manifest("team/app", "v1")
        assert (pulled.status, digest(pulled.body)) == (200, pulled.headers["Docker-Content-Digest"])
        layer = pulled.json()["layers"][0]["digest"]
        assert digest(endpoints.layer("team/app", layer).body) == digest(endpoints.download("team/app", layer)) == layer

        pushed = endpoints.docker.post("/v2/team/app/blobs/uploads/")
        assert (pushed.status, pushed.error_codes()) == (503, ["UNAVAILABLE"])
        assert pushed.headers["Retry-After"] == "10"
        with pytest.raises(ClientError, match=r"UnavailableException.* accepts no changes here") as refused:
            endpoints.ecr.create_repository(repositoryName="new")
        answer = refused.value.response["ResponseMetadata"]
        assert (answer["HTTPStatusCode"], answer["HTTPHeaders"]["retry-after"]) == (503, "10")

    again = migrate(folder, target)
    assert (again.code, again.err) == (1, f"Error: {folder.place} was already migrated to {target.place}\n")


def test_rows_are_migrated_while_layers_stay_in_their_bucket(
    folder: Registry, tmp_path: Path, object_store: ObjectStore
) -> None:
    """As in a migration from one database to another: no layer is copied, and uploads continue."""
    first, second = (on_postgres_and_s3(tmp_path / name, object_store) for name in ("first", "second"))
    text = first.place.read_text()
    bucket = next(line for line in text.splitlines() if line.startswith("blobs = "))
    lines = second.place.read_text().splitlines()
    second.place.write_text("\n".join(bucket if line.startswith("blobs = ") else line for line in lines))
    moved(folder, first)
    with first.serving() as endpoints:
        before = endpoints.visible_state()
        upload = endpoints.ecr.initiate_layer_upload(repositoryName="empty")["uploadId"]
    stored = object_store.keys(f"moving/{tmp_path.name}")

    assert moved(first, second).startswith("Moved: 0 layers (0 bytes) and ")

    assert object_store.keys(f"moving/{tmp_path.name}") == stored
    with second.serving() as endpoints:
        assert endpoints.visible_state() == before
        send_part(endpoints.ecr, "empty", upload, 0, b"abc")
        Pusher(endpoints, number=50).push()
    assert swept(first) == [], "what the other one brought to the bucket is not garbage"


def swept(registry: Registry) -> list[GarbageItem]:
    """The findings of a sweep, even if it began before the registry was sealed."""
    removed: list[GarbageItem] = []

    async def sweep() -> None:
        async with stores.migration_end(registry_at(registry.place)) as end:
            sweeper = Sweeper(end.database, end.blobs, end.listing, system_clock)
            await sweeper.sweep(removed.append, share=1, dry_run=False)

    asyncio.run(sweep())
    return removed
