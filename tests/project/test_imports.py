"""Imports point one way, and few modules speak to the world outside."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "moorage"
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}


def test_the_import_contracts_are_kept() -> None:
    """`.importlinter` states them, docs/architecture.md draws them."""
    program = Path(sys.executable).with_name("lint-imports")

    ended = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_only_the_sources_of_settings_read_the_environment() -> None:
    readers = [name for name in modules() if reads_environment((PACKAGE / name).read_text())]

    assert [name for name in readers if name != "config/sources.py"] == []


@pytest.mark.parametrize(
    "text",
    [
        "import os\nos.environ['A']",
        "import os as o\no.getenv('A')",
        "from os import environ",
        "import os\n{**os.environ}",
    ],
)
def test_each_way_to_read_the_environment_is_seen(text: str) -> None:
    assert reads_environment(text)


def test_a_name_that_only_sounds_like_the_environment_is_not_taken_for_it() -> None:
    assert not reads_environment("import os\nos.path.join('environ')\nsettings.environ")


def test_no_module_imports_inside_a_function_what_it_could_not_import_at_its_top() -> None:
    """A late import may make a command start sooner, in `cli`; elsewhere it hides a dependency that points upwards."""
    late = {
        f"{name}:{node.lineno}"
        for name in modules()
        if not name.startswith("cli/")
        for function in ast.walk(ast.parse((PACKAGE / name).read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("moorage")
    }

    assert late == set()


def modules() -> list[str]:
    return sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def reads_environment(text: str) -> bool:
    """Whether a module reads or sets environment variables through `os`, under whatever name it imported it."""
    tree = ast.parse(text)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    names = {alias.asname or alias.name for node in imports for alias in node.names if alias.name == "os"}
    return any(
        (isinstance(node, ast.ImportFrom) and node.module == "os" and any(a.name in ENVIRONMENT for a in node.names))
        or (
            isinstance(node, ast.Attribute)
            and node.attr in ENVIRONMENT
            and isinstance(node.value, ast.Name)
            and node.value.id in names
        )
        for node in ast.walk(tree)
    )
