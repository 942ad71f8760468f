"""The wheel brings the pages of the console, or is not built."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
STATIC = Path("src/moorage/console/static")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """What a wheel is built from, without pages."""
    folder = tmp_path / "source"
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("static", "__pycache__"))
    for name in ("LICENSE", "README.md", "hatch_build.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def build(source: Path) -> subprocess.CompletedProcess[str]:
    """Build a wheel on a machine without npm."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", "dist"]
    environment = {**os.environ, "PATH": str(Path(sys.executable).parent)}
    return subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=source, env=environment, timeout=300
    )


def test_a_wheel_has_the_pages_of_the_console(source: Path) -> None:
    (source / STATIC / "assets").mkdir(parents=True)
    for name in ("index.html", "index.html.gz", "assets/index-12345678.js"):
        (source / STATIC / name).write_text(name)

    built = build(source)

    assert built.returncode == 0, built.stderr
    (wheel,) = (source / "dist").iterdir()
    names = {name for name in zipfile.ZipFile(wheel).namelist() if "/static/" in name}
    assert names == {
        f"moorage/console/static/{name}" for name in ("index.html", "index.html.gz", "assets/index-12345678.js")
    }


def test_a_wheel_without_pages_is_not_built(source: Path) -> None:
    built = build(source)

    assert built.returncode != 0
    assert "run `make console` first" in built.stderr
    assert not (source / "dist").exists() or not list((source / "dist").iterdir())
