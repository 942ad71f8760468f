"""Signatures that outlive what made them: replaced roots, servers that are killed, and jobs that run again."""

from __future__ import annotations

from pathlib import Path

import pytest

from moorage.core.signing import on_push
from moorage.domain.names import Registry
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.identity import accounts
from moorage.metadata.registry import repositories
from tests.api.ecr.pushing import push, put, upload_blobs
from tests.api.ecr.signing import ACCOUNT, REGION, SigningRegistry, arn_of
from tests.conftest import StartServer
from tests.support.databases import engine_of
from tests.support.images import image


def test_signatures_under_a_replaced_root_stay_trusted(registry: SigningRegistry, tmp_path: Path) -> None:
    name, repository = registry.profile(), registry.repository()
    registry.configure(arn_of(name))
    before = push(registry.ecr, repository, image(seed=15), "v1")
    registry.statuses(repository, before.manifest.digest)
    registry.trust(tmp_path / "old", name)

    registry.moorage("signing-profile", "rotate-root", "--yes")
    after = push(registry.ecr, repository, image(seed=16), "v2")
    registry.statuses(repository, after.manifest.digest)
    registry.trust(tmp_path / "new", name)

    for pushed in (before, after):
        registry.verified(tmp_path / "new", repository, pushed.manifest.digest)
    registry.verified(tmp_path / "old", repository, before.manifest.digest)
    assert "does not contain any trusted certificate" in registry.rejected(
        tmp_path / "old", repository, after.manifest.digest
    )


def test_a_push_before_a_crash_is_signed_after_the_restart(fresh_server: StartServer) -> None:
    """The server is killed when the push is committed, before it answers (M3)."""
    server = fresh_server()
    registry = SigningRegistry(server)
    name, repository = registry.profile(), registry.repository()
    registry.configure(arn_of(name))
    one = image(seed=17)
    upload_blobs(registry.ecr, repository, one.blobs)
    server.stop()
    server.start(extra_env={"MOORAGE_FAILPOINTS": "M3=kill:1"})
    dying = SigningRegistry(server)

    with pytest.raises(Exception, match=r"Connection|closed|reset"):
        put(dying.ecr, repository, one, "v1")
    server.kill()
    server.start()

    again = SigningRegistry(server)
    assert again.statuses(repository, one.manifest.digest)[name]["status"] == "COMPLETE"
    assert len(again.signatures(repository, one.manifest.digest)) == 1


def test_a_job_that_runs_again_after_a_crash_makes_no_second_signature(fresh_server: StartServer) -> None:
    """As after a crash between the signature and the end of its job: the same job is there again."""
    server = fresh_server()
    registry = SigningRegistry(server)
    name, repository = registry.profile(), registry.repository()
    registry.configure(arn_of(name))
    pushed = push(registry.ecr, repository, image(seed=18), "v1")
    registry.statuses(repository, pushed.manifest.digest)
    server.stop()

    def again(tx: Transaction) -> None:
        found = repositories.find(tx, Registry(ACCOUNT, REGION), repository)
        user = accounts.find_user(tx, ACCOUNT, "root")
        assert found is not None
        assert user is not None
        request = {"profiles": [arn_of(name)], "pusher": {"identity": user.id, "region": REGION}}
        jobs.enqueue(tx, on_push.JOB, f"{found.id} {pushed.manifest.digest} {user.id}", request, 1)

    engine_of(server.data).transact(again)
    server.start()

    again_there = SigningRegistry(server)
    assert again_there.statuses(repository, pushed.manifest.digest)[name]["status"] == "COMPLETE"
    assert len(again_there.signatures(repository, pushed.manifest.digest)) == 1
