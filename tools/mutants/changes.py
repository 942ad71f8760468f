"""The changes of a module, one at a time: other operators, other constants, negated conditions, missing statements."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

_COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_ARITHMETIC: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}


@dataclass(frozen=True, slots=True)
class Change:
    """A changed module: the line and the texts that a person compares. `number` counts the changes of a module."""

    line: int
    function: str
    before: str
    after: str
    original: str
    number: int

    @property
    def name(self) -> str:
        """The same for the same change, also after lines were added above it."""
        return f"{self.function}: {self.before} → {self.after}"

    @property
    def source(self) -> str:
        """The whole source of the changed module."""
        tree = ast.parse(self.original)
        _, _, apply = next(itertools.islice(_possible(tree), self.number, None))
        apply()
        return ast.unparse(tree)


def changes_of(source: str) -> Iterator[Change]:
    """All changes of a module. None of them is in an annotation, a decorator or a docstring."""
    for number, (function, node, apply) in enumerate(_possible(ast.parse(source))):
        before = ast.unparse(node)
        undo = apply()
        after = ast.unparse(node)
        undo()
        yield Change(node.lineno, function, _short(before), _short(after), source, number)


def _possible(tree: ast.Module) -> Iterator[tuple[str, ast.expr | ast.stmt, Mutation]]:
    for function, node in _candidates(tree, "module"):
        for apply in _mutations(node):
            yield function, node, apply


def _short(text: str) -> str:
    return " ".join(text.split("\n", maxsplit=1)[0].split())[:120]


def _candidates(tree: ast.AST, function: str) -> Iterator[tuple[str, ast.expr | ast.stmt]]:
    for field, value in ast.iter_fields(tree):
        if field in {"annotation", "returns", "decorator_list", "type_params", "bases", "keywords"} and not isinstance(
            tree, ast.Call
        ):
            continue
        for node in value if isinstance(value, list) else [value]:
            if not isinstance(node, ast.AST):
                continue
            inner = function
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = node.name if function == "module" else f"{function}.{node.name}"
            if isinstance(node, ast.expr | ast.stmt):
                yield inner, node
            yield from _candidates(node, inner)


Mutation = Callable[[], Callable[[], None]]
"""Changes a node in place, and returns how to undo it."""


def _mutations(node: ast.expr | ast.stmt) -> Iterator[Mutation]:
    yield from _of_operators(node)
    yield from _of_constants(node)
    yield from _of_statements(node)


def _of_operators(node: ast.expr | ast.stmt) -> Iterator[Mutation]:
    match node:
        case ast.Compare(ops=[operator]):
            yield _setting(node, "ops", [_COMPARISONS[type(operator)]()])
        case ast.BoolOp(op=operator):
            yield _setting(node, "op", ast.Or() if isinstance(operator, ast.And) else ast.And())
        case ast.BinOp(op=operator) if type(operator) in _ARITHMETIC and not _is_type(node):
            yield _setting(node, "op", _ARITHMETIC[type(operator)]())


def _of_constants(node: ast.expr | ast.stmt) -> Iterator[Mutation]:
    match node:
        case ast.Constant(value=bool() as value):
            yield _setting(node, "value", not value)
        case ast.Constant(value=int() as value):
            yield _setting(node, "value", value + 1)


def _of_statements(node: ast.expr | ast.stmt) -> Iterator[Mutation]:
    match node:
        case ast.If() | ast.While() | ast.IfExp() if not isinstance(node.test, ast.Compare | ast.BoolOp):
            yield _setting(node, "test", _negated(node.test))
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield _setting(node, "value", ast.Constant(None))
        case ast.Expr(value=ast.Call() | ast.Await()):
            yield _setting(node, "value", ast.Constant(None))
        case ast.Raise(exc=ast.expr()):
            yield _setting(node, "exc", ast.Call(ast.Name("RuntimeError"), [], []))


def _is_type(node: ast.BinOp) -> bool:
    """Whether the text looks like a union of types, as in `isinstance(value, int | str)`."""
    return isinstance(node.op, ast.BitOr) and all(
        isinstance(side, ast.Name | ast.Attribute | ast.BinOp | ast.Constant) and ast.unparse(side)[:1].isupper()
        for side in (node.left, node.right)
    )


def _negated(test: ast.expr) -> ast.expr:
    return (
        test.operand if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) else ast.UnaryOp(ast.Not(), test)
    )


def _setting(node: ast.AST, field: str, value: object) -> Mutation:
    def apply() -> Callable[[], None]:
        before = getattr(node, field)
        setattr(node, field, value)
        return lambda: setattr(node, field, before)

    return apply
