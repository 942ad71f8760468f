"""`moorage master-key rotate`: secrets get a new key, and what was signed with the old one ends."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from moorage.metadata.identity.sealed import SEALED
from moorage.metadata.migrations.scripts import schema_steps
from tests.conftest import StartServer
from tests.support.aws import aws_client, docker_password
from tests.support.commands import Ended, run_here
from tests.support.http_client import Docker
from tests.support.server import Server


def new_key(path: Path) -> Path:
    path.write_text(base64.b64encode(os.urandom(32)).decode() + "\n")
    return path


def rotate(server: Server, key: Path, **variables: str) -> Ended:
    return run_here("master-key", "rotate", key, "--data", server.data, variables=server.settings | variables)


def works(server: Server) -> str:
    """A new password for docker clients, after a call that is signed with an access key of the first start."""
    with aws_client(server) as ecr:
        return docker_password(ecr)


def status(server: Server, password: str) -> int:
    return Docker(server.host, server.port, password).get("/v2/").status


def test_access_keys_and_webhooks_stay_and_tokens_end(fresh_server: StartServer, tmp_path: Path) -> None:
    server = fresh_server(extra_args=["--workers", "1"])
    hook = server.moorage("webhook", "add", "http://127.0.0.1:9/").partition("\t")[0]
    token, old = works(server), (server.data / "master.key").read_bytes()
    key = new_key(tmp_path / "new.key")

    running = rotate(server, key)
    server.stop()
    rotated, again = rotate(server, key), rotate(server, key)

    assert running.code == 1
    assert "stop it" in running.err
    assert rotated == (0, "Encrypted 2 secrets with the new key. It is in the data folder.\n", "")
    assert again == (0, "The secrets had this key already. It is in the data folder.\n", "")
    assert (server.data / "master.key").read_bytes() == base64.b64decode(key.read_text()) != old
    assert (server.data / "master.key").stat().st_mode & 0o777 == 0o600
    server.start(extra_args=["--workers", "1"])
    assert status(server, works(server)) == 200
    assert status(server, token) == 401
    assert "127.0.0.1:9" in server.moorage_error("webhook", "test", hook)  # Its secret was decrypted.


def test_a_rotation_that_was_interrupted_before_the_file_was_replaced_continues(
    fresh_server: StartServer, tmp_path: Path
) -> None:
    server = fresh_server(extra_args=["--workers", "1"])
    server.stop()
    old, key = (server.data / "master.key").read_bytes(), new_key(tmp_path / "new.key")
    rotate(server, key)
    (server.data / "master.key").write_bytes(old)

    assert rotate(server, key).code == 0
    server.start(extra_args=["--workers", "1"])
    works(server)


def test_a_given_key_is_rotated_with_the_old_one_and_set_by_the_operator(
    fresh_server: StartServer, tmp_path: Path
) -> None:
    first = {"MOORAGE_MASTER_KEY_FILE": str(new_key(tmp_path / "first.key"))}
    second = {"MOORAGE_MASTER_KEY_FILE": str(new_key(tmp_path / "second.key"))}
    server = fresh_server(extra_env=first, extra_args=["--workers", "1"])
    server.stop()

    wrong = rotate(server, tmp_path / "second.key", MOORAGE_MASTER_KEY_FILE=str(new_key(tmp_path / "wrong.key")))
    (tmp_path / "short.key").write_text("c2hvcnQ=")
    short = rotate(server, tmp_path / "short.key", **first)
    rotated = rotate(server, tmp_path / "second.key", **first)

    assert (wrong.code, short.code, rotated.code) == (1, 1, 0)
    assert "encrypted with another master key" in wrong.err
    assert "must be 32 bytes in base64" in short.err
    assert "Set MOORAGE_MASTER_KEY or MOORAGE_MASTER_KEY_FILE to it." in rotated.out
    assert not (server.data / "master.key").exists()
    server.start(extra_env=second, extra_args=["--workers", "1"])
    works(server)


def test_every_column_with_sealed_secrets_is_rotated() -> None:
    """A new one belongs to `SEALED`, with the id of its row as the context."""
    lines = [line.split() for step in schema_steps() for line in step.splitlines()]
    columns = [
        words[0] for words in lines if len(words) > 1 and words[0].startswith("sealed") and words[1].startswith("BLOB")
    ]

    assert sorted(columns) == sorted(column for _, column in SEALED)
