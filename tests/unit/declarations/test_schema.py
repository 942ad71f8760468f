"""The JSON schema of declarations: made from the types, with the constraints of the service model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from click.testing import CliRunner

from moorage.aws.service_model import SHAPES
from moorage.cli.main import main
from moorage.core.declared.document import SHAPE


def _schema() -> dict[str, Any]:
    printed = CliRunner().invoke(main, ["apply", "--schema"])
    assert printed.exit_code == 0
    return msgspec.json.decode(printed.stdout, type=dict[str, Any])


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for item in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _nodes(item)


def test_the_schema_knows_every_type_and_rejects_unknown_keys() -> None:
    types = _schema()["$defs"]

    assert {"Declaration", "DeclaredRegistry", "DeclaredRepository", "DesiredRole"} <= set(types)
    assert [name for name, each in types.items() if each.get("additionalProperties") is not False] == []


def test_the_schema_has_the_constraints_of_the_service_model() -> None:
    schema = _schema()
    repository = schema["$defs"]["DeclaredRepository"]["properties"]
    registry = schema["$defs"]["DeclaredRegistry"]["properties"]

    assert repository["tag_mutability"]["enum"] == list(SHAPES["ImageTagMutability"].enum)
    assert repository["tag_mutability_exclusions"]["maxItems"] == SHAPES["ImageTagMutabilityExclusionFilters"].max
    assert registry["repositories"]["propertyNames"]["maxLength"] == SHAPES["RepositoryName"].max
    assert not any(SHAPE in node for node in _nodes(schema))
