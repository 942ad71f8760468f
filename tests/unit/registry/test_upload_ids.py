"""Ids of uploads: what they prove, for whom, and for how long."""

from __future__ import annotations

import uuid

import pytest

from moorage.domain.registry.upload_ids import (
    COMPLETION_LIFE,
    SETTLED_LIFE,
    UNRECORDED_LIFE,
    IssuedId,
    UploadIds,
    is_completable,
    is_continuable,
    may_be_open,
)
from moorage.domain.units import SECOND
from tests.support.limits import IDS

PLACE, OWNER, NOW = (7, 1_600_000_000_000_000), "AIDA1", 1_700_000_000 * SECOND + 5


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_an_id_tells_the_algorithm_and_the_time_to_its_owner(algorithm: str) -> None:
    issued = IDS.issue(PLACE, OWNER, algorithm, NOW)

    assert IDS.check(issued, PLACE, OWNER) == IssuedId(algorithm, NOW - 5)
    assert uuid.UUID(issued).version == 8
    assert uuid.UUID(issued).variant == uuid.RFC_4122


def test_an_id_is_worth_nothing_to_others() -> None:
    issued = IDS.issue(PLACE, OWNER, "sha256", NOW)

    assert IDS.check(issued, PLACE, "AIDA2") is None
    assert IDS.check(issued, (8, PLACE[1]), OWNER) is None
    assert IDS.check(issued, (7, PLACE[1] + 1), OWNER) is None
    assert UploadIds(lambda _: bytes(32)).check(issued, PLACE, OWNER) is None


def test_no_bit_of_an_id_can_be_changed() -> None:
    number = uuid.UUID(IDS.issue(PLACE, OWNER, "sha256", NOW)).int

    assert all(IDS.check(str(uuid.UUID(int=number ^ 1 << bit)), PLACE, OWNER) is None for bit in range(128))


@pytest.mark.parametrize("text", ["", "1", "x" * 36, "4beb25a3-b780-46dd-88c3-ae037f77d14d", "-" * 36, "f" * 40])
def test_other_texts_are_no_ids(text: str) -> None:
    assert IDS.check(text, PLACE, OWNER) is None
    assert not may_be_open(text, NOW)


def test_another_spelling_of_an_id_is_none() -> None:
    issued = IDS.issue(PLACE, OWNER, "sha256", NOW)

    assert IDS.check(issued.replace("-", ""), PLACE, OWNER) is None


def test_ids_differ() -> None:
    assert len({IDS.issue(PLACE, OWNER, "sha256", NOW) for _ in range(1_000)}) == 1_000


def test_an_upload_can_be_continued_completed_and_kept_for_longer_and_longer() -> None:
    issued = IDS.issue(PLACE, OWNER, "sha256", NOW)
    checks = (is_continuable, is_completable, may_be_open)

    for later, expected in ((0, 3), (UNRECORDED_LIFE, 2), (COMPLETION_LIFE, 1), (SETTLED_LIFE, 0)):
        for direction in (1, -1):  # a clock that was ahead
            assert sum(check(issued, NOW + direction * (later + SECOND)) for check in checks) == expected
