"""The restore drill of docs/capacity.md: PostgreSQL and the bucket are lost, a dump and a replica are left."""

from __future__ import annotations

import copy
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from moorage.domain.ports import MARKER_KEY
from tests.faults.durability.promises import (
    check_p1_acknowledged_is_durable,
    check_p2_never_wrong_bytes,
    check_p3_no_dangling_image,
    check_p4_a_tag_names_one_manifest,
)
from tests.nodes.moving.registries import Pusher, Registry, on_postgres_and_s3, run
from tests.support.object_store import KEY_ID, SECRET, ObjectStore
from tests.support.postgres import cluster, programs


def pg(program: str, *arguments: str | Path) -> None:
    subprocess.run([programs() / program, *arguments], check=True)


def replicate(store: ObjectStore, prefix: str, replica: str) -> None:
    """Copy all objects, as a replica of the bucket has them: under the same names, at another place."""
    client = store.client()
    for key in [*store.keys(f"{prefix}/"), f"{prefix}/{MARKER_KEY}"]:
        client.copy_object(
            Bucket=store.bucket,
            Key=replica + key.removeprefix(prefix),
            CopySource={"Bucket": store.bucket, "Key": key},
        )


def lose(store: ObjectStore, prefix: str, database: str) -> None:
    for key in [*store.keys(f"{prefix}/"), f"{prefix}/{MARKER_KEY}"]:
        store.client().delete_object(Bucket=store.bucket, Key=key)
    cluster().execute(f'DROP DATABASE "{database.rpartition("/")[2]}" WITH (FORCE)')


@contextmanager
def pushing(pusher: Pusher) -> Iterator[None]:
    """Push one image after the other, and delete every second one, during the block."""
    ended = threading.Event()

    def push() -> None:
        while not ended.is_set():
            pusher.push()
            if pusher.number % 2 == 0:
                ids = [{"imageTag": f"v{pusher.number}"}]
                pusher.endpoints.ecr.batch_delete_image(repositoryName=pusher.repository, imageIds=ids)

    thread = threading.Thread(target=push)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_registry_is_restored_from_a_dump_and_a_replica_of_the_bucket(
    tmp_path: Path, object_store: ObjectStore
) -> None:
    source = on_postgres_and_s3(tmp_path / "source", object_store)
    prefix, dump = f"moving/{tmp_path.name}-source", tmp_path / "dump"
    assert run("migrate", "--config", source.place).code == 0
    with source.serving() as endpoints:
        endpoints.ecr.create_repository(repositoryName="team/app")
        pusher = Pusher(endpoints)
        for _ in range(5):
            pusher.push()
        before = copy.deepcopy(pusher.journal)
        with pushing(pusher):
            pg("pg_dump", "--format=custom", f"--file={dump}", source.server.settings["MOORAGE_DATABASE"])
            replicate(object_store, prefix, f"{prefix}-replica")
    lose(object_store, prefix, source.server.settings["MOORAGE_DATABASE"])

    database = cluster().new_database("template1")
    pg("pg_restore", "--no-owner", f"--dbname={database}", dump)
    restored = Registry(
        tmp_path / "restored",
        {
            "database": database,
            "blobs": object_store.setting(f"{prefix}-replica"),
            "blob_redirect": False,
            "s3_access_key_id": KEY_ID,
            "s3_secret_access_key": SECRET,
        },
    )
    restored.server.data.mkdir(mode=0o700)
    shutil.copy(source.server.data / "master.key", restored.server.data)
    with restored.serving() as endpoints:
        verified = run("verify", "--config", restored.place)
        assert (verified.code, verified.err) == (0, ""), verified
        check_p1_acknowledged_is_durable(endpoints, before)
        check_p2_never_wrong_bytes(endpoints)
        check_p3_no_dangling_image(endpoints)
        check_p4_a_tag_names_one_manifest(endpoints)
        Pusher(endpoints, number=100).push()
