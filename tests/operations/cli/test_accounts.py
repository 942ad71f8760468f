"""`moorage account`: more accounts, each with a root access key and its own registry; and rotation of the root access
key.
"""

from __future__ import annotations

from pathlib import Path

import click
from click.testing import CliRunner

from moorage.cli.options import repeated_options, with_registry
from moorage.config.settings import Settings
from tests.api.ecr.wire import client_of, refusal
from tests.conftest import StartServer
from tests.operations.cli.conftest import Command
from tests.operations.cli.test_users_and_keys import KEY
from tests.support.server import Server

OTHER = "210987654321"


def test_a_new_account_has_a_root_user_and_its_own_registry(
    command: Command, data: tuple[str, str], server: Server
) -> None:
    made = KEY.fullmatch(command("account", "create", OTHER, *data).out)
    assert made is not None
    keys = {"aws_access_key_id": made[1], "aws_secret_access_key": made[2]}
    ecr, sts = client_of(server, **keys), client_of(server, "sts", **keys)

    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{OTHER}:root"
    assert ecr.create_repository(repositoryName="theirs/app")["repository"]["registryId"] == OTHER
    assert {"000000000000", OTHER} <= set(command("account", "list", *data).out.split())
    refused = refusal(ecr.list_images, registryId="000000000000", repositoryName="theirs/app")
    assert refused.code == "AccessDeniedException"


def test_users_of_different_accounts_may_have_the_same_name(command: Command, data: tuple[str, str]) -> None:
    other = "310987654321"
    command("account", "create", other, *data)
    command("user", "create", "ann", *data)

    assert command("user", "create", "ann", "--account", other, *data).code == 0
    assert command("user", "list", "--account", other, *data).out == "ann\t-\nroot\teverything\n"
    assert command("user", "delete", "ann", *data).code == 0
    assert "ann\t-\n" in command("user", "list", "--account", other, *data).out


def test_the_first_account_s_new_root_access_key_is_written_where_env_reads_it(
    command: Command, fresh_server: StartServer
) -> None:
    server = fresh_server()
    folder = ("--data", str(server.data))

    new = KEY.fullmatch(command("key", "rotate", "--now", *folder).out)

    assert new is not None
    assert f"export AWS_ACCESS_KEY_ID={new[1]}\nexport AWS_SECRET_ACCESS_KEY={new[2]}\n" in command("env", *folder).out
    assert refusal(client_of(server).describe_registry).code == "UnrecognizedClientException"
    new_root = client_of(server, aws_access_key_id=new[1], aws_secret_access_key=new[2])
    assert new_root.describe_registry()["registryId"] == "000000000000"


def test_the_command_that_is_printed_after_a_new_user_makes_a_key_for_that_user(
    command: Command, data: tuple[str, str]
) -> None:
    account = "410987654321"
    assert command("account", "create", account, *data).code == 0

    made = command("user", "create", "next", "--account", account, *data)
    words = made.out.strip().partition("run: moorage ")[2].split()
    assert command(*words).code == 0

    assert command("key", "list", "--user", "next", "--account", account, *data).out.count("AKIA") == 1


def test_the_printed_command_repeats_the_options_that_name_the_registry_and_no_password(
    command: Command, server: Server, tmp_path: Path
) -> None:
    """What the environment sets is there for the next command, too."""
    file = tmp_path / "moorage.toml"
    file.write_text(f'data = "{server.data}"\n')

    by_file = command("user", "create", "by-file", "--config", str(file), extra=server.settings)
    by_variable = command("user", "create", "by-variable", extra={**server.settings, "MOORAGE_DATA": str(server.data)})

    ends = [made.out.partition("run: ")[2] for made in (by_file, by_variable)]
    assert ends == [f"moorage key create --user by-file --config {file}\n", "moorage key create --user by-variable\n"]


def test_the_password_of_the_database_is_not_printed() -> None:
    found: list[list[str]] = []

    @click.command()
    @with_registry
    def probe(settings: Settings) -> None:
        assert settings.database is not None
        found.append(repeated_options())

    CliRunner().invoke(probe, ["--database", "postgresql://ann:secret@db.example/moorage"], catch_exceptions=False)

    assert found == [["--database", "postgresql://ann:PASSWORD@db.example/moorage"]]
