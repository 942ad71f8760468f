"""Leases of fetches that end early: the work starts again, and no client notices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage.core.pull_through.leases import LeaseLost
from moorage.core.pull_through.manifests import WantedManifest
from moorage.core.pull_through.source import Source
from moorage.core.registry import repositories
from moorage.domain.names import Registry
from moorage.domain.pull_through.rules import Rule
from moorage.domain.remote_registries import RemoteAddress
from moorage.metadata.registry.images import StoredManifest
from tests.docker.oci.client import ACCOUNT, REGION, World

REGISTRY = Registry(ACCOUNT, REGION)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    one = World(tmp_path)
    yield one
    one.close()


def test_a_manifest_whose_lease_was_lost_is_fetched_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that stood still for longer than its lease is not the one that fetches any more."""
    world.root()
    name = world.new_repository()
    fetches, remotes = world.services.pull_through.manifests, world.services.remotes
    fetched = StoredManifest("sha256:" + "a" * 64, "application/vnd.oci.image.manifest.v1+json", b"{}")
    calls: list[WantedManifest] = []

    async def fetch(asked: WantedManifest) -> StoredManifest:
        calls.append(asked)
        if len(calls) == 1:
            raise LeaseLost("v1")
        return fetched

    async def pull() -> StoredManifest:
        source = Source(REGISTRY, name, remotes.at(RemoteAddress("https://a.test")), name, Rule("hub", "a.test"), 0)
        wanted = WantedManifest(source, "v1", lambda tx: repositories.get(tx, REGISTRY, name), "caller")
        found = await fetches.get(wanted)
        await remotes.close()
        return found

    monkeypatch.setattr(fetches, "_fetch", fetch)

    assert world.run(pull()) == fetched
    assert [asked.reference for asked in calls] == ["v1", "v1"]
