"""Exit codes and questions: scripts can rely on the table of docs/commands.md, for every command."""

from __future__ import annotations

import ast
import os
import pty
import runpy
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import click
import pytest

from moorage.cli.exit_codes import ANSWERS_NO
from moorage.cli.main import main
from tests.support.clients import program_environment
from tests.support.commands import run_apart, run_here
from tests.support.server import Server

ROOT = Path(__file__).parents[3]
CLI = ROOT / "src" / "moorage" / "cli"
DIGEST = "sha256:" + 64 * "0"

FOUND: dict[str, click.Command] = dict(
    runpy.run_path(str(ROOT / "tools/write_reference.py"))["commands"](main, "moorage")
)
LEAVES = {path: command for path, command in FOUND.items() if not isinstance(command, click.Group)}
OTHER_PROGRAMS = {"moorage ecr", "moorage bench", "moorage run"}
"""Commands that pass their arguments to another program, or belong to one."""

CREATING = {"moorage serve", "moorage migrate", "moorage ready", "moorage restore"}
"""Commands that need no registry to exist."""

VALUES = {
    "--format": "eventbridge",
    "--caller": "ci",
    "--action": "ecr:PutImage",
    "--audience": "sts.amazonaws.com",
    "--refresh": "1h",
}


ONE_OF = {"moorage signing require": "--cosign-key"}
"""For commands that require one of several options, which click does not know: one of them."""


def words_of(path: str, command: click.Command, file: Path) -> list[str]:
    """A command line with everything that the command requires."""
    words = path.split()[1:]
    if path in ONE_OF:
        words += [ONE_OF[path], str(file)]
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            words.append(value_of(parameter, file))
        elif parameter.required:
            words += [parameter.opts[0], VALUES.get(parameter.opts[0], str(file))]
    return words


def value_of(argument: click.Argument, file: Path) -> str:
    """A value of the right form: a file, a folder, or an id."""
    if isinstance(argument.type, click.Path) and not argument.type.file_okay:
        return str(file.parent / "target")
    return str(file) if isinstance(argument.type, click.File | click.Path) else "1" * 12


@pytest.mark.parametrize("path", sorted(LEAVES.keys() - OTHER_PROGRAMS))
def test_an_unknown_option_ends_every_command_with_2(path: str) -> None:
    ended = run_here(*path.split()[1:], "--xyzzy")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.endswith("Error: No such option '--xyzzy'.\n")


@pytest.mark.parametrize("path", sorted(LEAVES.keys() - OTHER_PROGRAMS))
def test_an_invalid_setting_ends_every_command_with_2(path: str, tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text("{}")
    words = words_of(path, LEAVES[path], file)

    ended = run_here(*words, variables={"HOME": str(tmp_path), "MOORAGE_CONFIG": str(tmp_path / "none.toml")})

    assert (ended.code, ended.out) == (2, "")
    assert "none.toml cannot be read: No such file or directory.\n" in ended.err


@pytest.mark.parametrize("path", sorted(LEAVES.keys() - OTHER_PROGRAMS - CREATING))
def test_a_folder_that_is_not_a_data_folder_ends_every_command_with_1(path: str, tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text("{}")
    words = words_of(path, LEAVES[path], file)

    ended = run_here(*words, "--data", tmp_path / "none")

    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("Error: ")
    assert str(tmp_path / "none") in ended.err


def test_a_master_key_file_that_is_missing_is_an_invalid_setting(tmp_path: Path) -> None:
    variables = {"MOORAGE_MASTER_KEY_FILE": str(tmp_path / "none")}
    for words in (("serve", "--data", tmp_path / "data"), ("user", "list", "--data", tmp_path / "data")):
        ended = run_here(*words, variables=variables)

        assert (ended.code, ended.err) == (
            2,
            f"Error: MOORAGE_MASTER_KEY_FILE: {tmp_path / 'none'}: No such file or directory.\n",
        )


def test_commands_that_answer_no_end_with_3(server: Server) -> None:
    """Those that find damage: tests/operations/garbage/test_verify.py and tests/operations/backup/test_backup.py."""
    data = ("--data", server.data)
    denied = run_here("explain", "--caller", "nobody", "--action", "ecr:PutImage", *data, variables=server.settings)
    server.moorage("user", "create", "explained")
    words = ("explain", "--caller", "explained", "--action", "ecr:PutImage")
    explained = run_here(*words, *data, variables=server.settings)
    why = run_here("why", DIGEST, *data, variables=server.settings)

    assert denied.code == 1  # There is no such user: the command failed.
    assert (explained.code, explained.out.split(":")[0]) == (3, "denied")
    assert (why.code, why.out) == (3, "")
    assert why.err == f"The registry has nothing with the digest {DIGEST}.\n"
    assert set(ANSWERS_NO) == {
        *("backup", "explain", "scanner status", "verify", "why"),
        *("export images", "import distribution", "import ecr", "import images", "import registry", "restore"),
    }


SHARED = {"SystemExit", "sys.exit", "click.confirm", "click.prompt", "input"}
"""What only `cli/exit_codes.py` and `cli/confirmation.py` may use."""


def test_no_command_has_an_exit_code_or_a_question_of_its_own() -> None:
    own = {
        f"{path.name}: {ast.unparse(node)}"
        for path in CLI.glob("*.py")
        if path.name not in {"exit_codes.py", "confirmation.py"}
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Name | ast.Attribute)
        if ast.unparse(node) in SHARED or ast.unparse(node).endswith(".exit")
    }

    assert own == set()


# --- Questions ---------------------------------------------------------------------------------------------------

ASKING = {path for path, command in LEAVES.items() if any(option.name == "yes" for option in command.params)}


def test_the_commands_that_ask_are_those_with_a_test() -> None:
    roots = {"moorage signing-profile rotate-root", "moorage signing-profile import-root"}
    assert {"moorage apply", "moorage jobs drop"} | roots == ASKING


def asked(server: Server, tmp_path: Path) -> list[list[str]]:
    """Command lines that end with a question."""
    file = tmp_path / "users.json"
    file.write_text('{"users": {"asked": {}}}')
    roots = [["signing-profile", "rotate-root"], ["signing-profile", "import-root", str(file)]]
    return [["apply", str(file)], ["jobs", "drop", "kind-of-no-worker"], *roots]


@pytest.mark.parametrize("number", range(4), ids=["apply", "jobs drop", "rotate-root", "import-root"])
def test_without_a_terminal_a_question_names_the_option_that_answers_it(
    server: Server, tmp_path: Path, number: int
) -> None:
    words = [*asked(server, tmp_path)[number], "--data", str(server.data)]

    ended = run_apart(tmp_path, *words, variables=server.settings)
    declined = run_here(*words, variables=server.settings, stdin="n\n")

    assert ended.code == 1
    assert ended.err.splitlines()[-1] == (
        "Error: Nothing was changed: the question has no answer, because standard input is not a terminal. To answer"
        " yes, add --yes."
    )
    assert "Aborted" not in ended.err
    assert (declined.code, declined.err.splitlines()[-1]) == (1, "Error: Nothing was changed.")
    assert "asked\t" not in server.moorage("user", "list")


def test_at_a_terminal_ctrl_d_ends_the_command_without_advice(server: Server, tmp_path: Path) -> None:
    """A person at a terminal needs no option: the question can be answered."""
    words = [*asked(server, tmp_path)[0], "--data", str(server.data)]
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "moorage", *words],
        env=program_environment(tmp_path, server.settings),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        os.close(theirs)
        os.write(ours, b"\x04")
        output = process.stdout.read() if process.stdout else b""
    with suppress(OSError):
        os.close(ours)

    assert process.returncode == 1
    assert output.endswith(b"Aborted!\n")
