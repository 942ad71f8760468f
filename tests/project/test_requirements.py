"""Installed packages are pinned by hash, match the project's requirements, and come from the user's package index."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
FILES = ("build", "dev", "image", "serve")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
WANTED = {
    "core": PROJECT["project"]["dependencies"],
    **PROJECT["project"]["optional-dependencies"],
    **PROJECT["dependency-groups"],
}


def text(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text()


def pins(name: str) -> dict[str, str]:
    """Versions by package name."""
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", text(name), re.MULTILINE))


@pytest.mark.parametrize("name", FILES)
def test_every_requirement_is_one_version_with_its_hashes(name: str) -> None:
    requirements = re.sub(r"\\\n", " ", re.sub(r"^ *#.*\n", "", text(name), flags=re.MULTILINE)).splitlines()

    loose = [line for line in requirements if not re.match(r"[a-z0-9-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)]

    assert requirements
    assert loose == []


@pytest.mark.parametrize("name", FILES)
def test_no_file_names_a_package_index(name: str) -> None:
    """The user configures the address of a package index, so a mirror or a closed network works."""
    assert re.findall(r"^.*(?:://|--(?:extra-)?index|--find-links|--trusted-host).*$", text(name), re.MULTILINE) == []


@pytest.mark.parametrize(
    ("name", "sets"),
    [
        ("image", ["core", "traces"]),
        ("serve", ["core", "cli", "traces"]),
        ("dev", ["core", "cli", "testing", "traces", "build", "lint", "test"]),
        ("build", ["build"]),
    ],
)
def test_the_pins_satisfy_the_requirements_of_the_project(name: str, sets: list[str]) -> None:
    pinned = pins(name)
    requirements = [Requirement(line) for key in sets for line in WANTED[key]]

    unsatisfied = [
        str(requirement)
        for requirement in requirements
        if requirement.name not in pinned or not requirement.specifier.contains(pinned[requirement.name])
    ]

    assert unsatisfied == [], "run `make requirements`"


@pytest.mark.parametrize("name", ["image", "serve", "build"])
def test_one_package_has_the_same_version_in_every_file(name: str) -> None:
    assert pins(name).items() <= pins("dev").items()


def test_every_run_time_dependency_has_a_documented_reason() -> None:
    page, _, _ = (ROOT / "docs" / "dependencies.md").read_text().partition("## The console")
    reasons = set(re.findall(r"^- `([a-z0-9-]+)`: ", page, re.MULTILINE))

    assert reasons == {Requirement(line).name for key in ("core", "cli", "testing", "traces") for line in WANTED[key]}


def test_every_package_of_the_console_has_a_documented_reason() -> None:
    _, _, section = (ROOT / "docs" / "dependencies.md").read_text().partition("## The console")
    wanted = json.loads((ROOT / "console" / "package.json").read_text())

    assert [name for name in wanted["dependencies"] | wanted["devDependencies"] if f"`{name}`" not in section] == []


def test_the_packages_of_the_console_are_pinned_with_hashes_and_without_hosts() -> None:
    packages = json.loads((ROOT / "console" / "package-lock.json").read_text())["packages"]

    assert [path for path, one in packages.items() if path and ("integrity" not in one or "resolved" in one)] == []


def test_every_accepted_vulnerability_has_a_reason() -> None:
    lines = text("accepted-vulnerabilities").splitlines()

    assert [line for line in lines if not re.match(r"#|[A-Z][A-Za-z0-9-]* \S", line)] == []
