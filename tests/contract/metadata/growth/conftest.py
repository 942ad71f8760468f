"""Databases of each engine with few images, and with ten times as many.

SQLite plans without statistics, unless an operator has run ANALYZE; PostgreSQL collects them by itself
(docs/decisions/0061-plans-without-statistics.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest

from moorage.metadata.database import Transaction
from moorage.metadata.engines.sqlite.engine import SqliteEngine
from tests.support.cost import Meter, PostgresMeter, SqliteMeter
from tests.support.filled import Filled, fill
from tests.support.postgres import cluster

FEW, MANY = 1000, 10_000
_GROWTH = 1.3
_FREE_STEPS = 30
"""Steps that do not count as growth: a page of an index more or less, for example."""


class Pair(NamedTuple):
    """A database with few images, and one with many."""

    few: tuple[Meter, Filled]
    many: tuple[Meter, Filled]


Filling = Sequence[Pair]
"""A pair for each state of the planner's statistics in which the program runs."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filling(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Filling:
    def meter(images: int) -> Meter:
        if request.param == "postgresql":
            return PostgresMeter(cluster().new_database())
        path = tmp_path_factory.mktemp("growth") / f"{images}.db"
        SqliteEngine(path).prepare()
        return SqliteMeter(path)

    fresh = Pair(*(_filled(meter(images), images) for images in (FEW, MANY)))
    analyzed = Pair(*((meter.analyzed(), filled) for meter, filled in fresh))
    return [analyzed] if request.param == "postgresql" else [fresh, analyzed]


def _filled(meter: Meter, images: int) -> tuple[Meter, Filled]:
    found: list[Filled] = []
    meter.keep(lambda tx: found.append(fill(tx, images)))
    return meter, found[0]


def assert_flat(filling: Filling, statement: Callable[[Transaction, Filled], object]) -> None:
    """Check that the statements of a function do hardly more among many images than among few."""
    for pair in filling:
        few, many = (meter.cost_of(lambda tx: statement(tx, filled)) for meter, filled in pair)  # noqa: B023 - runs now

        assert many.by_statement
        assert many.total <= few.total * _GROWTH + _FREE_STEPS, (few, many)
