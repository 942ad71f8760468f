"""The texts of the project, line by line, and the names that exist in it: what test_references.py compares."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "moorage"
PROGRAMS = (PACKAGE, ROOT / "bench" / "moorage_bench")

CORPUS = ROOT / "tests" / "fuzz" / "corpus"
GENERATED: Final = frozenset(PACKAGE.glob("*/shapes.py"))
"""Types with AWS's names and without our texts."""

EXAMPLES: Final = (Path(__file__).with_name("test_references.py"), Path(__file__).with_name("names_of_others.py"))
"""Their strings contain names that no other code has."""

_WORD: Final = re.compile(r"\w+")
_COMMENT: Final = re.compile(r"(?:^ *|  )# (.+)")
"""The formatter puts two spaces before a comment behind code."""


class Line(NamedTuple):
    """A line of a document, of a docstring or of a comment."""

    path: Path
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT).as_posix()}:{self.number}"


@cache
def files() -> tuple[Path, ...]:
    """All texts that git knows or would add, so a test fails before the commit; without pictures and fuzzed inputs."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = map(ROOT.joinpath, sorted(set(listed.splitlines())))
    return tuple(path for path in paths if path.is_file() and CORPUS not in path.parents and path.suffix != ".png")


@cache
def python_files() -> tuple[Path, ...]:
    return tuple(path for path in files() if path.suffix == ".py" and path not in GENERATED)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """The nodes of the whole module, which is walked once for all tests."""
    return tuple(ast.walk(tree(path)))


# --- Texts ------------------------------------------------------------------------------------------------------


@cache
def documents() -> tuple[Line, ...]:
    """All documents except the changelog, which names what existed at its time."""
    paths = [path for path in files() if path.suffix == ".md" and path.name != "CHANGELOG.md"]
    return tuple(Line(path, *line) for path in paths for line in enumerate(path.read_text("utf-8").splitlines(), 1))


@cache
def settings_files() -> tuple[Line, ...]:
    """Files other than programs and documents: deployment, Makefile, pyproject.toml."""
    paths = [path for path in files() if path.suffix not in {".py", ".md", ".json", ".sql", ".txt", ".gz"}]
    return tuple(Line(path, *line) for path in paths for line in enumerate(path.read_text("utf-8").splitlines(), 1))


@cache
def remarks() -> tuple[Line, ...]:
    """The docstrings and comments of all modules: of the program, the tests and the tools."""
    return tuple(line for path in python_files() for line in (*_docstrings(path), *_comments(path)))


@cache
def remarks_of_the_program() -> tuple[Line, ...]:
    return tuple(line for line in remarks() if any(map(line.path.is_relative_to, PROGRAMS)))


def messages() -> Iterator[Line]:
    """The strings of the program: its help, its errors and its log lines."""
    for path in python_files():
        if any(map(path.is_relative_to, PROGRAMS)):
            for node in _strings(path):
                yield Line(path, node.lineno, str(node.value))


def _docstrings(path: Path) -> Iterator[Line]:
    for docstring in _docstrings_in(path):
        for number, text in enumerate(str(docstring.value).splitlines(), docstring.lineno):
            yield Line(path, number, text)


def _comments(path: Path) -> Iterator[Line]:
    for number, text in enumerate(path.read_text("utf-8").splitlines(), 1):
        if comment := _COMMENT.search(text):
            yield Line(path, number, comment[1])


def _docstrings_in(path: Path) -> list[ast.Constant]:
    """Docstrings of modules, classes and functions, and the strings below a constant or a member."""
    values = [node.value for node in nodes(path) if isinstance(node, ast.Expr)]
    return [value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)]


def _strings(path: Path) -> list[ast.Constant]:
    documentation = set(map(id, _docstrings_in(path)))
    constants = [node for node in nodes(path) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [constant for constant in constants if id(constant) not in documentation]


# --- Names ------------------------------------------------------------------------------------------------------


@cache
def code_words() -> frozenset[str]:
    """All identifiers of the code and all words of its strings, without docstrings and comments."""
    return frozenset().union(*(names_in(path) for path in files() if path.suffix == ".py" and path not in EXAMPLES))


@cache
def words() -> frozenset[str]:
    """The words of the code, of its configuration and of its file names."""
    found = set(code_words())
    for path in files():
        found.update(_WORD.findall(path.relative_to(ROOT).as_posix()))
        if path.suffix in {".sql", ".json", ".toml", ".yaml", ".service"} or path.name in {"Makefile", "Dockerfile"}:
            found.update(_WORD.findall(path.read_text("utf-8")))
    return frozenset(found)


@cache
def names_in(path: Path) -> frozenset[str]:
    """The identifiers of a module, and the words of its strings."""
    found: set[str] = set()
    for node in nodes(path):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
                found.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.alias(name=name, asname=other):
                found.update(_WORD.findall(f"{name} {other}"))
    for constant in _strings(path):
        found.update(_WORD.findall(str(constant.value)))
    return frozenset(found)


def is_local(path: Path, name: str) -> bool:
    """Whether a module uses this name for an object and has no other module of that name."""
    if path.suffix != ".py" or name not in names_in(path):
        return False
    imports = [node for node in nodes(path) if isinstance(node, ast.Import | ast.ImportFrom)]
    return name not in {alias.asname or alias.name for node in imports for alias in node.names}


@cache
def modules() -> dict[str, Path]:
    """Modules by their dotted names as texts write them: those of the program without `moorage.`, and `moorage`."""
    found = {"moorage": PACKAGE / "__init__.py"}
    for path in python_files():
        base = PACKAGE if path.is_relative_to(PACKAGE) else ROOT
        found[".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")] = path
    return found


@cache
def members_of_module(name: str) -> frozenset[str]:
    """What is defined or imported at the top of a module, and the modules of a package."""
    below = {other.removeprefix(f"{name}.").partition(".")[0] for other in modules() if other.startswith(f"{name}.")}
    return frozenset(below | set(_members(tree(modules()[name]))))


def _members(node: ast.Module | ast.ClassDef) -> Iterator[str]:
    """Names that are bound in the body, and the attributes that a class's methods assign to `self`."""
    for part in ast.walk(node) if isinstance(node, ast.ClassDef) else node.body:
        match part:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=targets):
                yield from (word for target in targets for word in _WORD.findall(ast.unparse(target)))
            case ast.AnnAssign(target=target):
                yield from _WORD.findall(ast.unparse(target))
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from (alias.asname or alias.name for alias in names)


@cache
def classes() -> dict[str, frozenset[str]]:
    """The members of each class by its name, including inherited ones. Classes with the same name count as one."""
    own: defaultdict[str, set[str]] = defaultdict(set)
    bases: defaultdict[str, set[str]] = defaultdict(set)
    for path in python_files():
        for node in nodes(path):
            if isinstance(node, ast.ClassDef):
                own[node.name].update(_members(node))
                bases[node.name].update(_WORD.findall(" ".join(map(ast.unparse, node.bases))))
    return {name: frozenset(_inherited(name, own, bases, set())) for name in own}


def _inherited(name: str, own: dict[str, set[str]], bases: dict[str, set[str]], seen: set[str]) -> set[str]:
    if name in seen or name not in own:
        return set()
    seen.add(name)
    return own[name].union(*(_inherited(base, own, bases, seen) for base in bases[name]))
