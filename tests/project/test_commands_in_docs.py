"""Commands in documents fit together: what one of a page writes, the next one finds; what they install exists."""

from __future__ import annotations

import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tests.project.references import ROOT, files

from moorage.cli.main import main

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
SHELL = re.compile(r"^```(?:sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
REGISTRY = ("--data", "--database", "--blobs", "--config")
CHECKOUT = ".venv/bin/moorage"

OTHER_REGISTRIES = {
    "configuration.md": "shows each way to give a setting",
}
"""Pages with more than one registry, and why."""


def commands() -> dict[str, click.Command]:
    return dict(runpy.run_path(str(ROOT / "tools/write_reference.py"))["commands"](main, "moorage"))


COMMANDS = commands()


def calls(text: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Program, command and registry options of each call of Moorage in the shell blocks of a page."""
    for block in SHELL.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            for found in re.finditer(r"(?<![\w/.-])(\.venv/bin/moorage|moorage) ([a-z][^)|;#<]*)", line):
                words = shlex.split(found[2].replace("'", " ").replace('"', " "))
                path = "moorage"
                while words and f"{path} {words[0]}" in COMMANDS:
                    path = f"{path} {words.pop(0)}"
                yield found[1], path, dict(given(words))


def given(words: list[str]) -> Iterator[tuple[str, str]]:
    for position, word in enumerate(words):
        name, _, value = word.partition("=")
        if name in REGISTRY:
            yield name, value or words[position + 1]


def opens_a_registry(path: str) -> bool:
    return set(REGISTRY) <= {name for option in COMMANDS[path].params for name in option.opts}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_use_the_same_registry(page: Path) -> None:
    """Settings of the environment are first on the page: `export MOORAGE_…`; commands then need no option."""
    used = {
        (path, frozenset(options.items()))
        for _, path, options in calls(page.read_text("utf-8"))
        if opens_a_registry(path)
    }
    registries = {options for _, options in used}

    assert len(registries) <= 1 or page.name in OTHER_REGISTRIES, used


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_a_checkout_use_the_folder_of_make_serve(page: Path) -> None:
    """Without the folder, they use or create another registry, which is empty."""
    folder = re.search(r"^DATA \?= \./(\S+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert folder
    wrong = {
        path
        for program, path, options in calls(page.read_text("utf-8"))
        if program == CHECKOUT and opens_a_registry(path) and options.get("--data") != folder[1]
    }

    assert wrong == set()


def test_the_pages_with_several_registries_have_them() -> None:
    """An exception that is not needed any more goes."""
    for name in OTHER_REGISTRIES:
        found = [options for _, _, options in calls((ROOT / "docs" / name).read_text("utf-8"))]
        assert len({frozenset(options.items()) for options in found}) > 1, name


# --- Packages ----------------------------------------------------------------------------------------------------

INSTALL = re.compile(r"(?:\bpip3?|\bpipx|\buv (?:pip|tool))\s+(?:install|run|inject)\s+([^`\n;&|)]*)")
PUBLISHED = {"pip-audit": "the tool of `make audit`"}
"""Packages that our texts may advise to install, and what they are. Moorage itself is not published."""

OPTIONS_WITH_VALUE = {"--requirement", "-r", "--wheel-dir", "--find-links", "--only-binary", "--python"}


def installed(text: str) -> Iterator[str]:
    """The first package that each command in a text installs from an index; files of requirements do not count."""
    for found in INSTALL.finditer(text):
        if "--no-index" in found[1]:
            continue
        words = iter(re.findall(r"'[^']*'|\S+", found[1].replace("\\", " ")))
        for word in words:
            if word in OPTIONS_WITH_VALUE:
                next(words, None)
            elif not word.startswith("-"):
                yield word.rstrip(".,:").strip("'") or "."
                break


def is_local(argument: str) -> bool:
    """Whether it is a folder or a file of the checkout: `.`, `./bench`, `.[traces]`, `wheels/*.whl`."""
    return argument == "." or argument.startswith(".[") or "/" in argument


def test_no_text_advises_to_install_a_package_that_is_not_published() -> None:
    advised = {
        (path.relative_to(ROOT).as_posix(), argument)
        for path in files()
        if path.parts[len(ROOT.parts)] != "tests"
        for argument in installed(path.read_text("utf-8"))
        if not is_local(argument) and re.split(r"[@=<>\[]", argument)[0] not in PUBLISHED
    }

    assert advised == set()


def test_the_packages_that_texts_advise_are_found_in_them() -> None:
    """The recogniser sees the advice that exists; and it would see the package that was advised once."""
    everything = [argument for path in files() for argument in installed(path.read_text("utf-8"))]

    assert {"./bench", "dist/moorage-*.whl"} <= set(everything)
    assert [*installed("Run pip install 'moorage[cli]' first, or `pip install --upgrade moorage`.")] == [
        "moorage[cli]",
        "moorage",
    ]
    assert not is_local("moorage[cli]")
