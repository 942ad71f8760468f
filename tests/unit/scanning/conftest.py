"""A registry with a scanner that tests control."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moorage.domain.registry.quotas import Quotas
from tests.unit.scanning.registry import FakeScanner, ScanningRegistry

MakeRegistry = Callable[..., ScanningRegistry]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeRegistry]:
    made: list[ScanningRegistry] = []

    def one(scanner: FakeScanner | None, quotas: Quotas | None = None) -> ScanningRegistry:
        made.append(ScanningRegistry(tmp_path, scanner, quotas))
        return made[-1]

    yield one
    for registry in made:
        registry.close()


@pytest.fixture
def scanner() -> FakeScanner:
    return FakeScanner()


@pytest.fixture
def registry(make: MakeRegistry, scanner: FakeScanner) -> ScanningRegistry:
    return make(scanner)
