"""Imports point in one direction, and few modules reach the outside world."""

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
    """`.importlinter` defines them, docs/architecture.md draws them."""
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
def test_each_way_to_read_the_environment_is_detected(text: str) -> None:
    assert reads_environment(text)


def test_a_name_that_looks_like_the_environment_is_not_detected() -> None:
    assert not reads_environment("import os\nos.path.join('environ')\nsettings.environ")


def test_late_imports_are_only_used_where_they_are_needed() -> None:
    """Late imports make commands start faster in `cli`, and the tests of users in `testing`. Elsewhere they hide what
    points upwards.
    """
    late = {
        f"{name}:{node.lineno}"
        for name in modules()
        if not name.startswith(("cli/", "testing/"))
        for function in ast.walk(ast.parse((PACKAGE / name).read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("moorage")
    }

    assert late == set()


def modules() -> list[str]:
    return sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def reads_environment(text: str) -> bool:
    """Whether a module reads or sets environment variables through `os`, under any imported name."""
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
