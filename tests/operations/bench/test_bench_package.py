"""The benchmark is a separate package. A registry works without it."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from moorage.cli.main import main

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["http://127.0.0.1:1", "--only", "blob-head"]])
def test_without_the_package_the_command_names_how_to_install_it(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "moorage.cli.bench", raising=False)
    monkeypatch.setitem(sys.modules, "moorage_bench", None)

    result = CliRunner().invoke(main, ["bench", *arguments])

    sys.modules.pop("moorage.cli.bench")
    assert result.exit_code == 1
    assert result.output.startswith("Error: The benchmark is not installed: run `pip install ./bench`")
    assert len(result.output.splitlines()) == 1


def test_the_registry_is_packaged_without_the_benchmark() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())

    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["src/moorage"]
    assert (ROOT / "bench" / "moorage_bench").is_dir()
