"""kill -9 of the collector at its failpoints: all or nothing, and the next run finishes the work."""

from __future__ import annotations

import pytest

from tests.api.ecr.pushing import push
from tests.conftest import StartServer
from tests.faults.durability.endpoints import Journal, endpoints_of
from tests.faults.durability.promises import check_all, check_p6_garbage_goes
from tests.operations.garbage.registry import GarbageRegistry
from tests.support.images import image, layer
from tests.support.server import Server

# docs/promises.md: where it is killed. The numbers are its batches: removed images, layers, blobs.
POINTS = ["G1:3", "G2:1", "G2:3", "G3:1"]

KEPT = image([layer(seed=1), layer(seed=2)])
GONE = image([layer(seed=2), layer(seed=3)])


def blob_files(server: Server) -> list[str]:
    return sorted(path.name for path in (server.data / "blobs").rglob("*-*"))


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_collection_loses_nothing_and_the_next_one_leaves_nothing(
    fresh_server: StartServer, point: str
) -> None:
    server, journal = fresh_server(extra_args=["--workers", "1"]), Journal()
    with endpoints_of(server) as endpoints:
        registry = GarbageRegistry(server, endpoints.ecr, endpoints.docker)
        registry.ecr.create_repository(repositoryName="team/a")
        for each in (KEPT, GONE):
            push(registry.ecr, "team/a", each)
        with journal.tagging("team/a", "v1", KEPT.manifest):
            registry.docker.push("team/a", KEPT, "v1")
        for blob in KEPT.blobs:
            journal.layer("team/a", blob)
        registry.ecr.batch_delete_image(repositoryName="team/a", imageIds=[{"imageDigest": GONE.manifest.digest}])

        name, _, passing = point.partition(":")
        killed = registry.run("collect", "--grace", "0", extra={"MOORAGE_FAILPOINTS": f"{name}=kill:{passing}"})

        assert killed.code == -9, killed
        check_all(endpoints, journal)
        left = blob_files(server)
        assert registry.run("collect", "--dry-run", "--grace", "0").code == 0
        assert blob_files(server) == left, "a dry run does not finish what the killed run began"
        registry.collect(grace=0)
        check_all(endpoints, journal)
        check_p6_garbage_goes(server)
        assert not registry.has_file(GONE.blobs[-1])
