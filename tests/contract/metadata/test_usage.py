"""The statement of `moorage usage` reads the layers of one repository only, however much is stored."""

from __future__ import annotations

from moorage.metadata.engines.engine import Engine
from moorage.metadata.registry import usage
from tests.contract.metadata.plans import plans_of, whole_reads


def test_the_usage_of_a_repository_is_read_by_indexes(engine: Engine) -> None:
    steps = plans_of(engine, lambda tx: tx.all(usage._LAYERS, repository=1))

    assert whole_reads(steps) == []
    assert "repository_layer_by_blob" in "".join(steps)
