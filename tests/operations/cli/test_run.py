"""`moorage run`: a registry for one command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from moorage.cli.throwaway import new_folder
from moorage.config.settings import TABLE
from tests.operations.cli.conftest import Command
from tests.support.clients import program_environment, require_client
from tests.support.http_client import Docker
from tests.support.waiting import PATIENCE_SECONDS, wait_until

PRINT_ENVIRONMENT = (sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))")
PUSH = """
import boto3, os
ecr = boto3.client("ecr")
print(ecr.create_repository(repositoryName="team/app")["repository"]["repositoryUri"])
print(boto3.client("sts").get_caller_identity()["Arn"], boto3.client("iam").list_users()["Users"])
raise SystemExit(5)
"""


def environment_in(ended: Any) -> dict[str, str]:
    assert ended.code == 0, ended.err
    return dict(json.loads(ended.out))


def is_served(environment: dict[str, str]) -> bool:
    host, port = environment["MOORAGE_REGISTRY"].split(":")
    with suppress(ConnectionError):
        return Docker(host, int(port), None).get("/healthz").status == 200
    return False


def test_aws_clients_of_the_command_find_the_registry_and_its_exit_code_is_handed_on(command: Command) -> None:
    ended = command("run", "--account", "123456789012", "--region", "eu-west-1", "--", sys.executable, "-c", PUSH)

    assert ended.code == 5, ended.err
    uri, arn, users = ended.out.split()
    assert uri.startswith("localhost:")
    assert (uri.partition("/")[2], arn, users) == ("team/app", "arn:aws:iam::123456789012:root", "[]")


def test_docker_clients_of_the_command_are_logged_in(command: Command) -> None:
    script = """
import base64, json, os, pathlib, urllib.request
host = os.environ["MOORAGE_REGISTRY"]
files = [pathlib.Path(os.environ["DOCKER_CONFIG"], "config.json"), pathlib.Path(os.environ["REGISTRY_AUTH_FILE"])]
for file in files:
    login = json.loads(file.read_text())["auths"][host]["auth"]
    request = urllib.request.Request(f"http://{host}/v2/", headers={"Authorization": f"Basic {login}"})
    print(urllib.request.urlopen(request).status)
"""
    ended = command("run", "--", sys.executable, "-c", script)

    assert (ended.code, ended.out) == (0, "200\n200\n"), ended.err


@pytest.mark.client
def test_client_programs_work_without_a_login(command: Command, tmp_path: Path) -> None:
    for program in ("aws", "crane", "skopeo"):
        require_client(program)
    with tarfile.open(tmp_path / "layer.tar", "w") as archive:
        archive.add(__file__, "file")
    script = f"""
set -e
aws ecr create-repository --repository-name team/app --query repository.repositoryName --output text
crane append --new_layer {tmp_path}/layer.tar --new_tag "$MOORAGE_REGISTRY/team/app:v1" > /dev/null 2>&1
crane ls "$MOORAGE_REGISTRY/team/app"
skopeo inspect --tls-verify=false --format "{{{{len .Layers}}}}" "docker://$MOORAGE_REGISTRY/team/app:v1"
aws ecr describe-images --repository-name team/app --query "imageDetails[].imageTags[]" --output text
"""
    ended = command("run", "--", "sh", "-c", script)

    assert (ended.code, ended.out.split()) == (0, ["team/app", "v1", "1", "v1"]), ended.err


def test_docker_keeps_the_plugins_and_the_context_of_the_user_but_not_their_logins(
    command: Command, tmp_path: Path
) -> None:
    docker = tmp_path / "docker"
    (docker / "cli-plugins").mkdir(parents=True)
    (docker / "cli-plugins" / "docker-buildx").touch()
    (docker / "config.json").write_text('{"auths": {"x": {"auth": "c2VjcmV0"}}, "currentContext": "colima"}')
    script = (
        "import os; d = os.environ['DOCKER_CONFIG']; print(open(d + '/config.json').read());"
        "print(os.listdir(d + '/cli-plugins'))"
    )

    ended = command("run", "--", sys.executable, "-c", script, extra={"DOCKER_CONFIG": str(docker)})

    configuration, plugins = ended.out.splitlines()
    assert json.loads(configuration)["currentContext"] == "colima"
    assert "c2VjcmV0" not in configuration
    assert plugins == "['docker-buildx']"


def test_commands_of_moorage_find_the_registry_too(command: Command) -> None:
    moorage = f"{sys.executable} -m moorage"
    script = f"{moorage} user create ann && {moorage} user list"
    ended = command("run", "--account", "123456789012", "--", "sh", "-c", script)

    assert ended.code == 0, ended.err
    assert "ann\t-\n" in ended.out


def test_the_registry_and_its_folder_are_gone_afterwards(command: Command) -> None:
    environment = environment_in(command("run", "--", *PRINT_ENVIRONMENT))

    assert not Path(environment["MOORAGE_DATA"]).parent.exists()
    assert not is_served(environment)


def test_variables_of_other_registries_and_of_amazon_do_not_reach_the_command(command: Command) -> None:
    other = {entry.variable: "elsewhere" for entry in TABLE} | {"AWS_PROFILE": "work", "AWS_SESSION_TOKEN": "x"}

    environment = environment_in(command("run", "--", *PRINT_ENVIRONMENT, extra=other))

    assert "elsewhere" not in environment.values()
    assert {"AWS_PROFILE", "AWS_SESSION_TOKEN"}.isdisjoint(environment)


def test_a_registry_that_is_kept_can_be_served_later(command: Command) -> None:
    ended = command("run", "--keep", "--", sys.executable, "-c", PUSH)

    assert ended.code == 5, ended.err
    folder = Path(ended.err.split("moorage serve --data ")[1].strip())
    try:
        os.utime(folder.parent, (0, 0))
        environment_in(command("run", "--keep", "--", *PRINT_ENVIRONMENT))
        assert (folder / "moorage.db").exists()
        assert "root" in command("user", "list", "--data", str(folder)).out
    finally:
        remove_kept(folder.parent)


def test_a_folder_whose_run_was_killed_is_removed_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("moorage.cli.throwaway._MEMORY", tmp_path)
    abandoned, foreign = tmp_path / "moorage-run-old", tmp_path / "moorage-run-foreign"
    (abandoned / "data").mkdir(parents=True)
    (abandoned / "data" / "server.lock").touch()
    foreign.mkdir()
    for folder in (abandoned, foreign):
        os.utime(folder, (0, 0))

    with new_folder(keep=False) as folder:
        assert folder.parent == tmp_path

    assert [path.name for path in tmp_path.iterdir()] == ["moorage-run-foreign"]


@pytest.mark.parametrize(
    ("number", "script", "code"),
    [
        (signal.SIGTERM, "trap 'exit 9' TERM", 9),
        (signal.SIGINT, "trap 'exit 8' INT", 8),
        (signal.SIGTERM, "true", 128 + signal.SIGTERM),
        (signal.SIGHUP, "true", 128 + signal.SIGHUP),
    ],
)
def test_a_signal_reaches_the_command_and_the_registry_goes_with_it(
    number: int, script: str, code: int, tmp_path: Path
) -> None:
    waiting = f'{script}; echo "$MOORAGE_DATA"; while :; do sleep 0.02; done'
    with running(tmp_path, "sh", "-c", waiting) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        assert folder.exists()

        process.send_signal(number)

        assert process.wait(PATIENCE_SECONDS) == code
        assert not folder.parent.exists()


def test_the_registry_ends_with_a_run_that_was_killed(tmp_path: Path) -> None:
    script = "import json, os, sys; print(json.dumps(dict(os.environ)), flush=True); sys.stdin.read()"
    with running(tmp_path, sys.executable, "-c", script) as process:
        assert process.stdout is not None
        environment = json.loads(process.stdout.readline())
        assert is_served(environment)

        process.kill()
        process.wait()

        wait_until(lambda: not is_served(environment))
        remove_kept(Path(environment["MOORAGE_DATA"]).parent)


def test_a_command_that_does_not_exist_ends_as_in_a_shell(command: Command) -> None:
    ended = command("run", "--", "no-such-program")

    assert (ended.code, ended.err) == (127, "Error: no-such-program: command not found\n")


def test_a_configuration_file_sets_what_is_not_a_place(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "moorage.toml"
    file.write_text('quota = "repositories=1"\n')
    script = "import boto3; ecr = boto3.client('ecr'); [ecr.create_repository(repositoryName=n) for n in ('aa', 'bb')]"

    ended = command("run", "--config", str(file), "--", sys.executable, "-c", script)

    assert "LimitExceededException" in ended.err
    file.write_text('database = "postgresql://a@b/c"\n')
    refused = command("run", "--config", str(file), "--", "true")
    assert refused.code == 2
    assert "leave out --database" in refused.err


@contextmanager
def running(home: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """`moorage run` with a command that waits."""
    with subprocess.Popen(
        [sys.executable, "-m", "moorage", "run", "--", *words],
        env=program_environment(home, {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def remove_kept(folder: Path) -> None:
    """Remove the folder of a run, as its user does."""
    assert folder.name.startswith("moorage-run-")
    subprocess.run(["rm", "-rf", str(folder)], check=True)
