"""`moorage serve`: its output, its errors, and what works without credentials."""

from __future__ import annotations

import http.client
import json
import re
from pathlib import Path

import pytest

from tests.conftest import StartServer
from tests.operations.cli.conftest import Command
from tests.support.ports import free_port
from tests.support.server import Server
from tests.support.waiting import wait_until


def get(server: Server, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def wait_for(server: Server, text: str) -> str:
    """The server's output as soon as it contains this text."""
    wait_until(lambda: text in server.output())
    return server.output()


def test_the_server_prints_how_to_log_in_and_push(server: Server) -> None:
    said = wait_for(server, "docker push")

    host = f"localhost:{server.port}"
    assert f"on http://{host}\n" in said
    assert f'eval "$(python -m moorage env --data {server.data})"' in said
    assert "aws ecr create-repository --repository-name team/app" in said
    assert f"aws ecr get-login-password | docker login --username AWS --password-stdin {host}" in said
    assert f"docker push {host}/team/app:v1" in said
    assert server.environment["AWS_SECRET_ACCESS_KEY"] not in said


def test_health_needs_no_credentials_and_shows_nothing_else(server: Server) -> None:
    assert get(server, "/healthz") == (200, b"ok\n")
    assert get(server, "/readyz") == (200, b"ok\n")
    for path in ("/nothing", "/healthz/", "/metrics", "/moorage.db", "/../../etc/passwd"):
        status, body = get(server, path)
        assert (status, body) == (404, b"404 page not found\n"), path


def test_each_request_is_one_line_without_its_query(server: Server) -> None:
    get(server, "/healthz?token=secret-word")
    said = wait_for(server, '"path":"/healthz"')

    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert any(line.get("path") == "/healthz" and line["status"] == 200 for line in lines)
    assert "secret-word" not in said


def test_a_port_in_use_is_reported(command: Command, server: Server, tmp_path: Path) -> None:
    ended = command("serve", "--listen", f"127.0.0.1:{server.port}", "--data", str(tmp_path / "data"))

    assert ended == (1, "", f"Error: 127.0.0.1:{server.port} is in use: choose another --listen HOST:PORT\n")


def test_a_folder_in_use_is_reported(command: Command, server: Server) -> None:
    ended = command("serve", "--listen", f"127.0.0.1:{free_port()}", "--data", str(server.data))

    assert server.process is not None
    owner = f"another server (process {server.process.pid})"
    message = f"{owner} runs on {server.data}: stop it, or choose another --data"
    assert ended == (1, "", f"Error: {message}\n")
    assert get(server, "/readyz")[0] == 200


@pytest.mark.parametrize(
    ("words", "extra", "message"),
    [
        (["--listen", "nonsense"], {}, "--listen must be HOST:PORT, not 'nonsense'."),
        (["--listen", "127.0.0.1:70000"], {}, "--listen must be HOST:PORT, not '127.0.0.1:70000'."),
        (["--workers", "-1"], {}, "--workers must be a whole number, 0 or more, not '-1'."),
        (["--region", "EU WEST"], {}, "--region must be the name of a Region, such as us-east-1, not 'EU WEST'."),
        (["--lifecycle-delay", "-1"], {}, "--lifecycle-delay must be a whole number, 0 or more, not '-1'."),
        (
            ["--metrics", "127.0.0.1:5000"],
            {},
            "--metrics must not use the same address as --listen (127.0.0.1:5000).",
        ),
        ([], {"MOORAGE_DATABASE": "mysql://secret"}, "MOORAGE_DATABASE must be postgresql://USER@HOST:PORT/NAME"),
        ([], {"MOORAGE_WORKERS": "many"}, "MOORAGE_WORKERS must be a whole number, 0 or more, not 'many'."),
        ([], {"MOORAGE_MAX_CONNECTIONS": "0"}, "MOORAGE_MAX_CONNECTIONS must be a whole number, 1 or more, not '0'."),
        (
            ["--blobs", "http://127.0.0.1/bucket"],
            {},
            "--blobs is invalid: 'http://127.0.0.1/bucket' is not s3://BUCKET",
        ),
        (
            ["--blobs", "s3://bucket?endpoint=ftp://here"],
            {},
            "--blobs is invalid: the endpoint 'ftp://here' is not http://",
        ),
        (
            ["--blobs", "s3://bucket?adressing=path"],
            {},
            "--blobs is invalid: 's3://bucket?adressing=path' is not s3://",
        ),
        (["--blobs", "s3://bucket"], {}, "--blobs names a bucket: set MOORAGE_S3_ACCESS_KEY_ID"),
        (
            [],
            {"MOORAGE_CONFIG": "no-such-file.toml"},
            "The configuration file no-such-file.toml cannot be read: No such file or directory.",
        ),
    ],
)
def test_an_invalid_setting_is_named(
    command: Command, tmp_path: Path, words: list[str], extra: dict[str, str], message: str
) -> None:
    ended = command("serve", "--data", str(tmp_path / "data"), *words, extra=extra)

    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert not (tmp_path / "data").exists()


def test_an_unknown_setting_in_a_file_is_named(command: Command, tmp_path: Path) -> None:
    (tmp_path / "moorage.toml").write_text('listen = "127.0.0.1:0"\ncolour = "red"\n')

    ended = command("serve", "--config", str(tmp_path / "moorage.toml"))

    assert ended.code == 2
    assert "unknown settings: colour." in ended.err


def test_a_folder_of_another_program_is_refused_and_stays_as_it_is(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir(mode=0o755)
    (folder / "index.md").write_text("a page")

    for words in (["serve", "--listen", f"127.0.0.1:{free_port()}"], ["migrate"]):
        ended = command(*words, "--data", str(folder))
        assert (ended.code, ended.out) == (1, "")
        assert "is not empty and not a data folder: choose another --data" in ended.err

    assert [path.name for path in folder.iterdir()] == ["index.md"]
    assert folder.stat().st_mode & 0o777 == 0o755


def test_a_data_folder_with_a_wider_mode_is_narrowed(fresh_server: StartServer) -> None:
    server = fresh_server()
    server.stop()
    server.data.chmod(0o755)

    server.start()

    assert server.data.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_created_is_reported(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")

    ended = command("serve", "--listen", f"127.0.0.1:{free_port()}", "--data", str(tmp_path / "file" / "data"))

    assert ended.code == 1
    assert re.fullmatch(r"Error: .*file.*: Not a directory\n", ended.err)


def test_the_command_line_overrides_the_environment_which_overrides_a_file(
    fresh_server: StartServer, tmp_path: Path, command: Command
) -> None:
    (tmp_path / "moorage.toml").write_text('region = "eu-west-1"\nworkers = 1\ndomain = "file.example"\n')
    extra = {"MOORAGE_CONFIG": str(tmp_path / "moorage.toml"), "MOORAGE_DOMAIN": "environment.example"}
    server = fresh_server(extra_env=extra, extra_args=["--region", "eu-north-1"])

    given = extra | server.environment
    created = command("ecr", "create-repository", "--repository-name", "named", module="awscli", extra=given)

    uri = json.loads(created.out)["repository"]["repositoryUri"]
    assert uri == "000000000000.dkr.ecr.us-east-1.environment.example/named"
    assert "eu-west-1" in command("env", "--data", str(server.data), extra=extra).out
