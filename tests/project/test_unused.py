"""The program uses everything that it defines: nothing exists for the tests alone."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Final

from tests.project.calls import Function, Module, modules

LOADED_BY_NAME: Final = {"moorage.metadata.engines.postgres.engine.PostgresEngine"}
"""Modules that are imported only when needed."""


def own_name(node: ast.stmt) -> str:
    """The name that a statement of a module defines, or an empty text."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case _:
            return ""


CALLED_BY_LIBRARIES: Final = {"on_body", "on_header", "on_headers_complete", "on_message_complete", "on_url"}
"""Methods that a library calls on any object (httptools)."""


@cache
def used_names() -> set[str]:
    """Full names of everything that modules refer to. A definition does not use itself."""
    used: set[str] = set()
    for module in modules().values():
        for statement in module.tree.body:
            own = f"{module.name}.{own_name(statement)}"
            used |= {name for name in _references(module, statement) if name != own}
    return used


def _references(module: Module, statement: ast.stmt) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Attribute) or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)):
            yield module.meaning(node) or ""
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.replace(":", ".")  # The commands: `moorage.cli.serve:serve`.
            yield f"{module.name}.{node.value}"  # An annotation in quotes.


@cache
def used_attributes() -> Counter[str]:
    """How often an attribute of each name is used, on any object."""
    trees = (module.tree for module in modules().values())
    return Counter(node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute))


def program() -> Iterator[Module]:
    """The modules that are written by hand."""
    return (m for m in modules().values() if not m.is_generated)


def extends_a_library(module: Module, node: ast.ClassDef) -> bool:
    """Whether a library calls methods of this class by name."""
    bases = [module.meaning(base) or "" for base in node.bases if isinstance(base, ast.Name | ast.Attribute)]
    return any(not base.startswith(("moorage.", "moorage_bench.", "typing.", "abc.")) for base in bases)


def test_the_program_uses_each_function_class_and_constant() -> None:
    unused = [
        f"{module.name}.{name}"
        for module in program()
        for node in module.tree.body
        if (name := own_name(node)) and not name.startswith("__")
        if not (isinstance(node, Function) and node.decorator_list)  # A command is used by its group.
        if f"{module.name}.{name}" not in used_names() | LOADED_BY_NAME
    ]

    assert unused == []


def test_the_program_uses_each_method() -> None:
    unused = [
        f"{module.name}.{node.name}.{method.name}"
        for module in program()
        for node in module.tree.body
        if isinstance(node, ast.ClassDef) and not extends_a_library(module, node)
        for method in node.body
        if isinstance(method, Function) and not method.name.startswith("__")
        if method.name not in CALLED_BY_LIBRARIES
        if used_attributes()[method.name] <= _uses_in(method)
    ]

    assert unused == []


def _uses_in(method: Function) -> int:
    return sum(isinstance(node, ast.Attribute) and node.attr == method.name for node in ast.walk(method))
