"""Words that are not Moorage's: the error names the command or option that the user most likely means."""

from __future__ import annotations

import runpy
from pathlib import Path

import click
import pytest

from moorage.cli.main import main
from moorage.cli.suggestions import COMMANDS, OPTIONS
from tests.support.commands import run_here

ROOT = Path(__file__).parents[3]


def error_of(line: str) -> str:
    ended = run_here(*line.split())
    assert (ended.code, ended.out) == (2, "")
    return ended.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("line", "unknown", "meant"),
    [
        ("start", "start", "'moorage serve' or 'moorage run'"),
        ("Start", "Start", "'moorage serve' or 'moorage run'"),
        ("serv", "serv", "'moorage serve' or 'moorage user' or 'moorage secret'"),
        ("user add ci", "add", "'moorage user create'"),
        ("user rm ci", "rm", "'moorage user delete'"),
        ("webhook delete ID", "delete", "'moorage webhook remove'"),
        ("webhook create URL", "create", "'moorage webhook add'"),
        ("oidc add URL", "add", "'moorage oidc put'"),
        ("jobs rm KIND", "rm", "'moorage jobs drop'"),
        ("key ls", "ls", "'moorage key list'"),
        ("key revoke AKIA", "revoke", "'moorage key deactivate' or 'moorage key delete'"),
        ("users", "users", "'moorage user'"),
        ("gc", "gc", "'moorage collect'"),
        ("images", "images", "'moorage ecr describe-images'"),
        ("create-repository", "create-repository", "'moorage ecr create-repository'"),
    ],
)
def test_an_unknown_command_leads_to_the_one_with_that_meaning(line: str, unknown: str, meant: str) -> None:
    assert error_of(line) == f"Error: No such command '{unknown}'. Did you mean {meant}?"


@pytest.mark.parametrize(
    ("line", "unknown", "meant"),
    [
        ("serve --port 5001", "--port", "'--listen HOST:PORT'"),
        ("serve --port=5001", "--port", "'--listen HOST:PORT'"),
        ("serve -p 5001", "-p", "'--listen HOST:PORT'"),
        ("serve --host 0.0.0.0", "--host", "'--listen HOST:PORT' or '--host-name NAME[:PORT]'"),
        ("serve --dir data", "--dir", "'--data DIR'"),
        ("serve --https", "--https", "'--tls'"),
        ("jobs drop KIND --force", "--force", "'--yes'"),
        ("jobs drop KIND -y", "-y", "'--yes'"),
        ("explain --user ci", "--user", "'--caller CALLER'"),
        ("key create --name ci", "--name", "'--user NAME'"),
        ("user create ci --acount 1", "--acount", "'--account ID'"),
    ],
)
def test_an_unknown_option_leads_to_the_one_with_that_meaning(line: str, unknown: str, meant: str) -> None:
    assert error_of(line) == f"Error: No such option '{unknown}'. Did you mean {meant}?"


def test_a_word_without_a_meaning_has_no_suggestion() -> None:
    assert error_of("xyzzy") == "Error: No such command 'xyzzy'."
    assert error_of("serve --xyzzy") == "Error: No such option '--xyzzy'."
    assert error_of("--xyzzy") == "Error: No such option '--xyzzy'."


def test_the_commands_and_options_of_the_table_exist() -> None:
    """Each group has a name of ours, and a word that is none somewhere: else it would suggest nothing."""
    found = dict(runpy.run_path(str(ROOT / "tools/write_reference.py"))["commands"](main, "moorage"))
    groups = [command for command in found.values() if isinstance(command, click.Group)]
    names = [set(group.list_commands(click.Context(group))) | {"ecr:describe-images"} for group in groups]
    names[0].add("ecr:describe-repositories")
    options = [{name.lstrip("-") for option in command.params for name in option.opts} for command in found.values()]

    for table, places in ((COMMANDS, names), (OPTIONS, options)):
        for words in map(str.split, table):
            assert any(set(words) & place and set(words) - place for place in places), words
