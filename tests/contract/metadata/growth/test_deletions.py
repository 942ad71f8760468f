"""Deleting a repository does the same in one transaction however many images it has."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from moorage.core.registry import repositories
from moorage.metadata.database import Transaction
from moorage.metadata.garbage import deleted_repositories
from tests.contract.metadata.growth.conftest import Filling
from tests.support.cost import Meter, Work
from tests.support.filled import Filled
from tests.support.filled_beside import HERE

_UPLOADS = "DELETE FROM upload"
"""The uploads end with the request. The number that a caller can have in a repository is limited."""


def delete(tx: Transaction, filled: Filled) -> None:
    repositories.delete(tx, filled.large, 1, force=True)


def remove_slices(tx: Transaction, filled: Filled) -> None:
    delete(tx, filled)
    for _ in range(3):
        assert not deleted_repositories.remove_slice(tx, filled.large.id)


def remove_image(tx: Transaction, filled: Filled) -> None:
    delete(tx, filled)
    deleted_repositories.remove_image(tx, HERE, filled.large.name, filled.digest(7))


def steps(meter: Meter, work: Work) -> int:
    return sum(count for sql, count in meter.cost_of(work).by_statement.items() if not sql.startswith(_UPLOADS))


@pytest.mark.parametrize("work", [delete, remove_slices, remove_image])
def test_deleting_costs_the_same_in_a_large_repository(
    filling: Filling, work: Callable[[Transaction, Filled], None]
) -> None:
    for pair in filling:
        few, many = (steps(meter, lambda tx: work(tx, filled)) for meter, filled in pair)  # noqa: B023 - runs now

        assert 0 < many <= few * 1.3 + 100
