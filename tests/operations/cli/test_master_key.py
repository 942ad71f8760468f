"""The master key: created in the data folder, or given. A wrong key is never accepted."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from moorage.config.sources import load
from moorage.config.table import InvalidSetting
from tests.api.ecr.wire import client_of
from tests.conftest import StartServer
from tests.operations.cli.conftest import Command

WRONG = "the secrets of this registry are encrypted with another master key"


def new_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


def test_a_server_with_a_given_key_writes_none_and_always_needs_it(fresh_server: StartServer, command: Command) -> None:
    given = {"MOORAGE_MASTER_KEY": new_key()}
    server = fresh_server(extra_env=given)
    folder = ("--data", str(server.data))
    assert not (server.data / "master.key").exists()

    made = command("key", "create", *folder, extra=given)
    without = command("key", "rotate", *folder)
    wrong = command("key", "rotate", *folder, extra={"MOORAGE_MASTER_KEY": new_key()})

    assert made.code == 0
    assert (without.code, without.out) == (1, "")
    assert f"{server.data / 'master.key'} is missing, and neither MOORAGE_MASTER_KEY" in without.err
    assert (wrong.code, wrong.out) == (1, "")
    assert WRONG in wrong.err
    assert not (server.data / "master.key").exists()
    server.restart(extra_env=given)
    assert client_of(server).describe_registry()["registryId"] == "000000000000"


def test_a_server_does_not_start_with_a_wrong_or_lost_key(fresh_server: StartServer, command: Command) -> None:
    server = fresh_server()
    server.stop()
    serve = ("serve", "--listen", f"127.0.0.1:{server.port}", "--data", str(server.data))

    wrong = command(*serve, extra={"MOORAGE_MASTER_KEY": new_key()})
    assert (wrong.code, wrong.err.startswith(f"Error: {WRONG}")) == (1, True)

    (server.data / "master.key").rename(server.data / "kept.key")
    lost = command(*serve)
    assert lost.code == 1
    assert "master.key is missing" in lost.err

    file = server.data / "given.key"
    file.write_text(base64.b64encode((server.data / "kept.key").read_bytes()).decode() + "\n")
    server.start(extra_env={"MOORAGE_MASTER_KEY_FILE": str(file)})
    assert client_of(server).describe_registry()["registryId"] == "000000000000"


def test_a_given_key_does_not_appear_in_texts() -> None:
    key = new_key()

    settings = load({}, {"MOORAGE_MASTER_KEY": key})

    assert settings.given_master_key() == base64.b64decode(key)
    assert key not in repr(settings)


@pytest.mark.parametrize("text", ["", "short", "not base64!", base64.b64encode(b"x" * 31).decode()])
def test_an_invalid_key_is_rejected_without_being_repeated(text: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    for variables in ({"MOORAGE_MASTER_KEY": text}, {"MOORAGE_MASTER_KEY_FILE": str(file)}):
        with pytest.raises(InvalidSetting) as refused:
            load({}, variables)
        assert str(refused.value).endswith("must be 32 bytes in base64, as `openssl rand -base64 32` prints them.")
        assert not text or text not in str(refused.value)


def test_two_keys_or_an_unreadable_file_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="set only one of them"):
        load({}, {"MOORAGE_MASTER_KEY": new_key(), "MOORAGE_MASTER_KEY_FILE": str(tmp_path)})
    with pytest.raises(InvalidSetting, match=r"MOORAGE_MASTER_KEY_FILE: .*No such file"):
        load({}, {"MOORAGE_MASTER_KEY_FILE": str(tmp_path / "none")})
