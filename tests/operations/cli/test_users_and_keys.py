"""`moorage user` and `moorage key`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.operations.cli.conftest import Command
from tests.support.server import Server

READ_ONLY = "AmazonEC2ContainerRegistryReadOnly"
FULL = "AmazonEC2ContainerRegistryFullAccess"
NO_ACCOUNT = "there is no account '999999999999': see `moorage account list`"
KEY = re.compile(r"export AWS_ACCESS_KEY_ID=(AKIA[A-Z2-7]{16})\nexport AWS_SECRET_ACCESS_KEY=([A-Za-z0-9+/]{40})\n")


def test_users_are_created_given_policies_and_deleted(command: Command, data: tuple[str, str]) -> None:
    made = command("user", "create", "ann@example.org", "--policy", READ_ONLY, "--policy", FULL, *data)
    assert (made.code, made.err) == (0, "")
    assert "ann@example.org" in made.out
    assert f"ann@example.org\t{FULL}, {READ_ONLY}\n" in command("user", "list", *data).out

    assert command("user", "detach", "ann@example.org", FULL, *data) == (0, "", "")
    assert command("user", "detach", "ann@example.org", READ_ONLY, *data) == (0, "", "")
    listed = command("user", "list", *data).out
    assert "ann@example.org\t-\n" in listed
    assert "root\teverything\n" in listed

    assert command("user", "attach", "ann@example.org", FULL, *data) == (0, "", "")
    assert command("user", "delete", "ann@example.org", *data).code == 0
    assert "ann@example.org" not in command("user", "list", *data).out


def test_a_key_is_shown_once_and_a_user_has_at_most_two(command: Command, data: tuple[str, str]) -> None:
    command("user", "create", "two-keys", *data)

    first = KEY.fullmatch(command("key", "create", "--user", "two-keys", *data).out)
    second = KEY.fullmatch(command("key", "create", "--user", "two-keys", *data).out)
    third = command("key", "create", "--user", "two-keys", *data)

    assert first is not None
    assert second is not None
    assert third == (
        1,
        "",
        "Error: user 'two-keys' has 2 access keys, which is the limit: delete one first\n",
    )
    command("key", "deactivate", first[1], *data)
    command("key", "delete", second[1], *data)
    listed = command("key", "list", "--user", "two-keys", *data).out
    assert re.fullmatch(rf"{first[1]}\tinactive\t\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00\tnever\n", listed)
    assert first[2] not in listed


def test_a_key_is_rotated_in_two_steps_or_at_once(command: Command, data: tuple[str, str]) -> None:
    command("user", "create", "rotating", *data)
    user = ("--user", "rotating", *data)
    old = KEY.fullmatch(command("key", "create", *user).out)
    assert old is not None

    rotated = command("key", "rotate", *user)
    new = KEY.fullmatch(rotated.out)
    assert new is not None
    assert rotated.err == f"When all clients use the new key, run: moorage key deactivate {old[1]} {' '.join(data)}\n"
    assert states(command("key", "list", *user).out) == {old[1]: "active", new[1]: "active"}
    refused = command("key", "rotate", *user)
    assert (refused.code, refused.out) == (1, "")
    assert "user 'rotating' has 2 active keys" in refused.err

    command("key", "deactivate", old[1], *data)
    newest = KEY.fullmatch(command("key", "rotate", "--now", *user).out)
    assert newest is not None
    assert states(command("key", "list", *user).out) == {new[1]: "inactive", newest[1]: "active"}


def states(listed: str) -> dict[str, str]:
    return {line.split("\t")[0]: line.split("\t")[1] for line in listed.splitlines()}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["user", "create", "root"], "user 'root' already exists"),
        (["user", "delete", "root"], "the root user cannot be deleted"),
        (["user", "delete", "nobody"], "there is no user 'nobody': see `moorage user list`"),
        (["user", "attach", "nobody", FULL], "there is no user 'nobody': see `moorage user list`"),
        (["user", "detach", "root", FULL], f"policy '{FULL}' is not attached to user 'root'"),
        (["key", "create", "--user", "nobody"], "there is no user 'nobody': see `moorage user list`"),
        (["key", "list", "--user", "nobody"], "there is no user 'nobody': see `moorage user list`"),
        (["key", "deactivate", "AKIA"], "there is no access key 'AKIA': see `moorage key list`"),
        (["key", "activate", "AKIA"], "there is no access key 'AKIA': see `moorage key list`"),
        (["key", "delete", "AKIA"], "there is no access key 'AKIA': see `moorage key list`"),
        (["key", "rotate", "--user", "nobody"], "there is no user 'nobody': see `moorage user list`"),
        (["user", "create", "ann", "--account", "999999999999"], NO_ACCOUNT),
        (["key", "create", "--account", "999999999999"], NO_ACCOUNT),
        (["account", "create", "000000000000"], "account 000000000000 already exists"),
        (["account", "create", "12345"], "'12345' is not an account id: use 12 digits"),
    ],
)
def test_a_command_about_something_missing_reports_it(
    command: Command, data: tuple[str, str], words: list[str], message: str
) -> None:
    completed = re.sub(r"`(moorage [a-z ]+)`", rf"`\1 {' '.join(data)}`", message)
    assert command(*words, *data) == (1, "", f"Error: {completed}\n")


def test_commands_find_the_registry_by_the_server_s_configuration_file(
    command: Command, server: Server, tmp_path: Path
) -> None:
    config = tmp_path / "moorage.toml"
    config.write_text(f'data = "{server.data}"\n')

    for words in (["user", "list"], ["role", "list"], ["key", "list"], ["webhook", "list"], ["verify"], ["env"]):
        ended = command(*words, "--config", str(config))
        assert (ended.code, ended.err) == (0, ""), words
    assert "root\teverything\n" in command("user", "list", extra={"MOORAGE_CONFIG": str(config)}).out
    assert command("ecr", "--config", str(config), "describe-repositories").code == 0


@pytest.mark.parametrize("name", ["", "a/b", "new\nline", "ümlaut", "x" * 65, "a b"])
def test_a_name_that_iam_does_not_allow_is_rejected(command: Command, data: tuple[str, str], name: str) -> None:
    """It becomes part of ARNs, messages and lines."""
    ended = command("user", "create", name, *data)

    assert (ended.code, ended.out) == (1, "")
    assert "is not a user name: use 1 to 64 letters, digits and +=,.@_-" in ended.err


def test_a_missing_policy_prevents_the_creation_of_a_user(command: Command, data: tuple[str, str]) -> None:
    ended = command("user", "create", "nobody-yet", "--policy", "Administrator", *data)

    listing = f"moorage policy list {' '.join(data)}"
    assert ended == (1, "", f"Error: there is no policy 'Administrator': see `{listing}`\n")
    assert "nobody-yet" not in command("user", "list", *data).out


def test_no_secret_is_in_the_database_or_in_the_log(server: Server) -> None:
    secret = server.environment["AWS_SECRET_ACCESS_KEY"]

    stored = [path.read_bytes() for path in server.data.glob("moorage.db*")]

    assert stored
    assert not any(secret.encode() in content for content in stored)
    assert secret not in server.output()
    assert {oct(path.stat().st_mode & 0o77) for path in (server.data, server.data / "credentials")} == {"0o0"}
