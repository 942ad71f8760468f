"""Endpoints use row modules (`metadata`) for two things only: the types of records, and functions that only read.

Functions that write rows are called by the core, which knows the rules and the reactions.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
PACKAGE = SOURCE / "moorage"
WRITES = {"run", "run_each", "insert", "insert_all", "fill"}
"""The methods of a Transaction that change rows."""


def test_endpoints_call_no_function_that_writes_rows() -> None:
    calls = {
        (path.relative_to(PACKAGE).as_posix(), f"{module.rpartition('.')[2]}.{function}")
        for folder in ("api", "ecr", "iam", "kms", "oci", "operating", "secretsmanager", "signer")
        for path in (PACKAGE / folder).rglob("*.py")
        for module, function in row_functions(ast.parse(path.read_text()))
        if writes(module, function)
    }

    assert calls == set()


def test_row_functions_that_endpoints_call_are_found() -> None:
    tree = ast.parse((PACKAGE / "ecr/registry/images.py").read_text())

    assert ("moorage.metadata.registry.images", "page") in set(row_functions(tree))


@pytest.mark.parametrize(
    ("module", "function", "expected"),
    [
        ("moorage.metadata.registry.images", "page", False),
        ("moorage.metadata.registry.new_images", "insert", True),
        ("moorage.metadata.registry.images", "move_tag", True),
        ("moorage.metadata.jobs", "extend", True),  # By a private function of its module.
    ],
)
def test_a_function_that_writes_is_distinguished_from_one_that_reads(
    module: str, function: str, expected: bool
) -> None:
    assert writes(module, function) is expected


def row_functions(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The functions of row modules that a module uses, either by module or imported by name."""
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("moorage.metadata"):
            continue
        for name in node.names:
            full = f"{node.module}.{name.name}"
            if file_of(full).exists():
                modules[name.asname or name.name] = full
            elif name.name.islower():
                yield node.module or "", name.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield modules[node.value.id], node.attr


def writes(module: str, function: str) -> bool:
    """Whether a function of a row module changes rows, itself or through another function of that module."""
    tree = ast.parse(file_of(module).read_text())
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    pending, seen = [function], set[str]()
    while pending:
        name = pending.pop()
        if name in seen or name not in functions:
            continue
        seen.add(name)
        for node in ast.walk(functions[name]):
            if isinstance(node, ast.Attribute) and node.attr in WRITES:
                return True
            if isinstance(node, ast.Name):
                pending.append(node.id)
    return False


def file_of(module: str) -> Path:
    return SOURCE / f"{module.replace('.', '/')}.py"
