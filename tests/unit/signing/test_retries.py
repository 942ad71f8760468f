"""Retries of failed signatures: each transaction looks at a few images."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import msgspec
import pytest

from moorage.core.identity.callers import RememberedCaller
from moorage.core.signing import on_push
from moorage.domain.names import Registry, RepositoryName
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.engines.engine import Engine
from moorage.metadata.identity import accounts
from moorage.metadata.jobs import Job
from moorage.metadata.registry import new_images, repositories
from moorage.metadata.registry.images import Image
from moorage.metadata.registry.repositories import RepositorySettings
from moorage.metadata.signing import signatures
from moorage.metadata.signing.signatures import COMPLETE, FAILED, SigningStatus
from tests.support.databases import engine_of

HERE, THERE = Registry("000000000000", "us-east-1"), Registry("000000000000", "eu-west-1")
PUSHER = msgspec.to_builtins(RememberedCaller(identity="AIDA", region="us-east-1"))
_numbers = count(1)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = engine_of(tmp_path)
    made.transact(lambda tx: accounts.insert_account(tx, HERE.account, 1))
    return made


def add(engine: Engine, registry: Registry, name: str, *statuses: list[str]) -> list[str]:
    """A repository with an image for each list of statuses, one by each profile; returns their digests."""

    def insert(tx: Transaction) -> list[str]:
        repository = repositories.insert(tx, registry, RepositoryName(name), RepositorySettings(), 1)
        assert repository is not None
        digests = [f"sha256:{next(_numbers):064x}" for _ in statuses]
        for digest, each in zip(digests, statuses, strict=True):
            image_id = new_images.insert(tx, Image(0, repository.id, digest, "m", None, None, 1, 1, 1), b"{}").id
            made = [
                SigningStatus(f"profile-{n}", status, pusher=PUSHER if status == FAILED else None)  # type: ignore[arg-type]  # of the literal
                for n, status in enumerate(each)
            ]
            signatures.set_statuses(tx, image_id, made)
        return digests

    return engine.transact(insert)


def retry(engine: Engine, pattern: str = "*") -> list[int]:
    """How many signatures each transaction tries again."""
    slices, after = [], 0
    while retried := engine.transact(lambda tx: on_push.retry(tx, HERE, pattern, after, 2)):  # noqa: B023 - called at once
        slices.append(retried.signatures)
        after = retried.last_image
    return slices


def tried(engine: Engine) -> dict[str, list[str]]:
    """The profiles that jobs are to sign with, by the digest of the image."""
    waiting = engine.transact(lambda tx: jobs.claim(tx, [on_push.JOB], 2, 3, 100))
    return {on_push.image_of(job)[1]: _profiles(job) for job in waiting}


def _profiles(job: Job) -> list[str]:
    return list(on_push.SigningRequest.of(job).profiles)


def test_each_transaction_looks_at_a_few_images_and_the_failures_of_all_are_tried(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_push, "_SLICE", 2)
    digests = add(engine, HERE, "team/app", [FAILED] * 3, [COMPLETE], [COMPLETE], [COMPLETE, FAILED], [FAILED])

    assert retry(engine) == [3, 1, 1]

    expected = [["profile-0", "profile-1", "profile-2"], ["profile-1"], ["profile-0"]]
    assert tried(engine) == dict(zip([digests[0], *digests[3:]], expected, strict=True))


def test_failures_of_other_registries_and_repositories_are_left_alone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_push, "_SLICE", 1)
    add(engine, THERE, "team/app", [FAILED])
    add(engine, HERE, "other/app", [FAILED])
    (wanted,) = add(engine, HERE, "team/app", [FAILED])

    assert retry(engine, "team/*") == [0, 0, 1]

    assert tried(engine) == {wanted: ["profile-0"]}


def test_a_retry_without_failures_ends_at_once(engine: Engine) -> None:
    assert retry(engine) == []
