"""Which repositories a list shows: a transaction decides for many, with the tags of each."""

from __future__ import annotations

from pathlib import Path

from moorage.core.identity.authorization import AccessRequest, Visibility
from moorage.core.registry import repositories
from moorage.core.registry.repositories import NewRepository
from moorage.domain.identity.callers import Caller
from moorage.domain.names import Registry, RepositoryName
from moorage.metadata.database import Transaction
from moorage.metadata.registry.repositories import RepositorySettings
from tests.support.databases import engine_of
from tests.support.limits import LIMITS
from tests.unit.policies.requests import OURS, PULL, REGION, allow, identity


def test_a_condition_on_tags_is_decided_for_each_repository(tmp_path: Path) -> None:
    registry = Registry(OURS, REGION)
    policies = identity(allow(PULL, Condition={"StringEquals": {"aws:ResourceTag/team": "red"}}))
    caller = Caller(OURS, REGION, "AIDAALICE", "alice", "AKIAALICE", policies)

    def visible(tx: Transaction) -> list[bool]:
        for name, tags in (("red", {"team": "red"}), ("blue", {"team": "blue"}), ("none", {})):
            new = NewRepository(registry, RepositoryName(name), RepositorySettings(), tags)
            repositories.create(tx, new, LIMITS, 0)
        visibility = Visibility(tx, AccessRequest(caller, PULL, registry))
        return [visibility.allows(name, None) for name in ("red", "blue", "none")]

    assert engine_of(tmp_path).transact(visible) == [True, False, False]
