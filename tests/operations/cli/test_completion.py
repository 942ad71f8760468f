"""Shell completion, as docs/commands.md describes it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.clients import program_environment, require_client

ROOT = Path(__file__).parents[3]
LINES = re.findall(
    r"^\| (bash|zsh|fish)\b.*?\| `(.*?)` \|", (ROOT / "docs/commands.md").read_text("utf-8"), re.MULTILINE
)


def environment(home: Path) -> dict[str, str]:
    """An environment with `moorage` in its path."""
    variables = program_environment(home)
    return variables | {"PATH": f"{Path(sys.executable).parent}:{variables['PATH']}"}


def completed(home: Path, *words: str) -> list[str]:
    """The words that bash offers for the last of these, after the line of the document."""
    line = dict(LINES)["bash"]
    asked = " ".join(f"'{word}'" for word in words)
    script = f"{line}\nCOMP_WORDS=({asked}); COMP_CWORD={len(words) - 1}\n_moorage_completion moorage\n"
    done = subprocess.run(
        [require_client("bash"), "-c", script + 'printf "%s\\n" "${COMPREPLY[@]}"'],
        env=environment(home),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("moorage", "we"), ["webhook"]),
        (("moorage", "user", "de"), ["detach", "delete-policy", "delete"]),
        (("moorage", "serve", "--max-f"), ["--max-failed-logins"]),
        (("moorage", "serve", "--locations", "re"), ["relative"]),
    ],
)
def test_bash_completes_commands_options_and_values(tmp_path: Path, words: tuple[str, ...], offered: list[str]) -> None:
    assert sorted(completed(tmp_path, *words)) == sorted(offered)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_documented_variable_prints_the_completion_of_each_shell(tmp_path: Path, shell: str) -> None:
    value = re.search(rf"_MOORAGE_COMPLETE=({shell}_source) moorage", dict(LINES)[shell])
    assert value

    printed = subprocess.run(
        ["moorage"],
        env=environment(tmp_path) | {"_MOORAGE_COMPLETE": value[1]},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert f"_MOORAGE_COMPLETE={shell}_complete" in printed
