"""The count of open uploads: whose it is, and that it reads no other uploads, however many are stored."""

from __future__ import annotations

import pytest

from moorage.domain.names import Registry, RepositoryName
from moorage.metadata.database import Transaction
from moorage.metadata.engines.engine import Engine
from moorage.metadata.engines.postgres.engine import PostgresEngine
from moorage.metadata.gauges import StoredBytes
from moorage.metadata.registry import repositories, uploads
from moorage.metadata.registry.repositories import RepositorySettings
from moorage.metadata.registry.uploads import Upload
from tests.contract.metadata.plans import plans_of, whole_reads

HERE = Registry("000000000000", "us-east-1")
OWNERS = ["AIDA1", "AIDA2", "AROA1:one", "AROA1:two", "AROA2:one"]


def fill(tx: Transaction) -> None:
    """Two repositories, each with two uploads of each owner, of 10 bytes and 1 byte."""
    for name in ("a", "b"):
        repository = repositories.insert(tx, HERE, RepositoryName(name), RepositorySettings(), 0)
        assert repository is not None
        for number, owner in enumerate(OWNERS * 2):
            size = 10 if number < len(OWNERS) else 1
            uploads.insert_upload(tx, Upload(f"{name}{number}", repository.id, owner, size, 1, size, False, 0))


@pytest.mark.parametrize(("principal", "expected"), [("AIDA1", (2, 11)), ("AROA1", (4, 22)), ("AROA2", (2, 11))])
def test_uploads_of_a_user_or_of_all_sessions_of_a_role_are_counted(
    engine: Engine, principal: str, expected: tuple[int, int]
) -> None:
    engine.transact(fill)

    assert engine.transact(lambda tx: uploads.open_uploads(tx, HERE, "a", principal, 100))[1:3] == expected
    assert engine.transact(lambda tx: uploads.open_uploads(tx, HERE, "c", principal, 100))[:3] == (None, 0, 0)


def test_no_more_uploads_are_counted_than_the_limit(engine: Engine) -> None:
    engine.transact(fill)

    assert engine.transact(lambda tx: uploads.open_uploads(tx, HERE, "a", "AROA1", 3)).number == 3


def test_stored_bytes_have_what_interrupted_requests_left(engine: Engine) -> None:
    engine.transact(fill)
    found = engine.transact(lambda tx: uploads.find_upload(tx, HERE, RepositoryName("a"), "a0"))[1]
    assert found is not None
    before = engine.transact(lambda tx: StoredBytes().gauge(tx, 0))["uploads"]

    engine.transact(lambda tx: uploads.record_part(tx, found, found._replace(kept=5)))

    assert engine.transact(lambda tx: StoredBytes().gauge(tx, 0))["uploads"] == before + 5


def test_kept_bytes_that_an_append_overwrites_are_not_counted_by_a_status_at_the_same_time(engine: Engine) -> None:
    """Both requests read the upload before the append recorded that the kept bytes no longer count."""
    engine.transact(fill)
    found = engine.transact(lambda tx: uploads.find_upload(tx, HERE, RepositoryName("a"), "a0"))[1]
    assert found is not None
    kept = found._replace(kept=5)
    counted = found._replace(size=found.size + 5, parts=found.parts + 1)

    assert engine.transact(lambda tx: uploads.record_part(tx, found, kept))
    assert engine.transact(lambda tx: uploads.record_part(tx, kept, found))  # the append
    assert not engine.transact(lambda tx: uploads.record_part(tx, kept, counted))  # the status
    assert engine.transact(lambda tx: uploads.find_upload(tx, HERE, RepositoryName("a"), "a0"))[1] == found


def test_the_count_reads_uploads_of_one_owner_in_one_repository(engine: Engine) -> None:
    """By an index, of which the statement reads at most as many entries as the limit."""
    values = {"account": "", "region": "", "name": "", "principal": "A", "beyond": "A;", "limit": 1}

    steps = plans_of(engine, lambda tx: tx.one(uploads._OPEN_UPLOADS, **values))

    if isinstance(engine, PostgresEngine):
        assert '"Index Name": "upload_by_owner"' in steps[0]
    else:
        assert "SEARCH u USING INDEX upload_by_owner (repository_id=? AND owner>? AND owner<?)" in steps
    assert [step for step in whole_reads(steps) if step not in {"SCAN found", "SCAN counted"}] == []
