"""Commands that messages name reach the registry that the command itself named."""

from __future__ import annotations

import base64
import shlex
from pathlib import Path

import pytest

from moorage.domain.identity.root_keys import FIRST_ACCOUNT
from tests.support.commands import Ended, run_here
from tests.support.postgres import cluster
from tests.support.server import Server

KEY = base64.b64encode(bytes(32)).decode()


@pytest.fixture(params=["data", "database", "config"])
def options(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> list[str]:
    """Options that name a registry: a data folder, a database, or a file."""
    if request.param == "data":
        return ["--data", str(server.data)]
    url, data = cluster().new_database(), tmp_path / "node data"
    file = tmp_path / "node.toml"
    file.write_text(f'data = "{data}"\ndatabase = "{url}"\n')
    named = ["--config", str(file)] if request.param == "config" else ["--data", str(data), "--database", url]
    created = run("account", "create", FIRST_ACCOUNT, *named)
    assert created.code == 0, created
    return named


def words_of(text: str, first: str, last: str = "\n") -> list[str]:
    """The words of the command that a text names between two marks, without the program."""
    program, *words = shlex.split(text.partition(first)[2].partition(last)[0])
    assert program == "moorage", text
    return words


def run(*words: str) -> Ended:
    return run_here(*words, variables={"MOORAGE_MASTER_KEY": KEY})


def test_the_command_after_a_new_user_creates_its_key(options: list[str]) -> None:
    created = run("user", "create", "next", *options)

    words = words_of(created.out, "To create an access key, run: ")

    assert words == ["key", "create", "--user", "next", *options]


def test_the_command_in_an_error_lists_the_users_of_the_same_registry(options: list[str]) -> None:
    refused = run("key", "list", "--user", "nobody", *options)

    words = words_of(refused.err, "see `", "`")

    assert words == ["user", "list", *options]
    assert run(*words).code == 0


def test_an_empty_database_is_migrated_by_the_named_command() -> None:
    database = ["--database", cluster().new_database("template1")]
    refused = run("user", "list", *database)

    words = words_of(refused.err, "run `", "`")

    assert words == ["migrate", *database]
    assert run(*words).code == 0
    assert run("user", "list", *database).code == 0


def test_what_the_environment_names_is_not_repeated(server: Server) -> None:
    refused = run_here("key", "create", "--user", "nobody", variables={"MOORAGE_DATA": str(server.data)})

    assert "see `moorage user list`" in refused.err


def test_a_password_is_not_printed() -> None:
    url = cluster().new_database().replace("postgres@", "postgres:secret@")

    refused = run("key", "create", "--user", "nobody", "--database", url)

    assert f"`moorage account list --database {url.replace(':secret@', ':PASSWORD@')}`" in refused.err


def test_without_a_data_folder_a_user_of_postgresql_learns_where_the_root_key_is(tmp_path: Path) -> None:
    url = cluster().new_database()

    refused = run("env", "--data", str(tmp_path / "nothing"), "--database", url)

    assert "Each node writes one to its data folder" in refused.err
    assert "Start the server there" not in refused.err
