"""No statement on images and layers does more in a large repository than in a small one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from moorage.metadata.database import Transaction
from moorage.metadata.garbage import deleted_images
from moorage.metadata.registry import images, layers
from tests.contract.metadata.growth.conftest import Filling, assert_flat
from tests.support.filled import HERE, Filled

Statement = Callable[[Transaction, Filled], object]

STATEMENTS: dict[str, Statement] = {
    "find layers": lambda tx, all_: layers.find_layers(tx, all_.large.id, all_.layers(7)),
    "lock layers": lambda tx, all_: layers.lock_layers(tx, all_.large.id, all_.layers(7)),
    "repositories with a layer": lambda tx, all_: layers.repositories_with(tx, HERE, all_.layers(7)[0], 20),
    "keep a deleted image": lambda tx, all_: deleted_images.keep(tx, all_.large, image(tx, all_, 7), 1),
    "delete an image": lambda tx, all_: images.delete(tx, image(tx, all_, 7)),
}


def image(tx: Transaction, filled: Filled, number: int) -> int:
    found = images.find(tx, filled.large.id, filled.digest(number))
    assert found is not None
    return found.id


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_costs_the_same_in_a_large_repository(name: str, filling: Filling) -> None:
    assert_flat(filling, STATEMENTS[name])
