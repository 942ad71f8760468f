"""Commands that change something are recorded in the audit log, without secrets; commands that read are not."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from moorage.cli.main import main
from moorage.cli.recording import RECORDED
from moorage.config.settings import TABLE
from moorage.domain.identity.root_keys import FIRST_ACCOUNT
from moorage.domain.names import Registry, RepositoryName
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.replication import entries
from moorage.metadata.replication.entries import Failure, Stream
from tests.api.audit.conftest import Trail
from tests.api.ecr.pushing import push
from tests.conftest import StartServer
from tests.operations.cli.recorded_commands import (
    ACCESS_TOKEN,
    ACCOUNT,
    ALLOW,
    CHANGES,
    ELSEWHERE,
    FULL,
    KEYS,
    OMITTED,
    READS,
    SECRET,
    TRUST,
    URL,
)
from tests.support.aws import aws_client
from tests.support.commands import Ended, run_here
from tests.support.databases import ON_POSTGRESQL, engine_of
from tests.support.images import image
from tests.support.server import Server


def leaves(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


COMMANDS = dict(leaves(main))


def of_file(path: Path) -> list[dict[str, Any]]:
    """All records of a file."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_every_command_is_known_as_one_that_changes_or_one_that_reads() -> None:
    """If a new command changes something, add it to `CHANGES`, so that a test shows its record."""
    changing = {words for words, _, _ in CHANGES} | ELSEWHERE

    assert changing | READS == set(COMMANDS)
    assert not changing & READS


def test_every_parameter_of_a_changing_command_is_recorded_or_omitted() -> None:
    """A parameter with a secret belongs to the omitted ones."""
    settings = ({entry.name for entry in TABLE} | {"config"}) - {"account"}  # Most commands have an option for it.
    given = {
        str(parameter.name)
        for words, command in COMMANDS.items()
        if words not in READS
        for parameter in command.params
        if parameter.name not in settings
    }

    assert given - {"dry_run", "is_list", "only_plan", "only_schema"} == set(RECORDED) | OMITTED
    assert not set(RECORDED) & OMITTED


IDS = {"KEY": r"ACCESS_KEY_ID=(\w+)", "WEBHOOK": r"^(wh-\w+)\t", "REQUIREMENT": r"^(req-\w+)\t"}
"""What commands print of the ids of what they made."""


class Recorded:
    """A data folder, its audit log, and the ids that commands printed."""

    def __init__(self, server: Server, tmp_path: Path) -> None:
        self.server = server
        self.trail = Trail(server.data / "audit.jsonl")
        self.tmp_path = tmp_path
        self.ids = {
            "FILE": str(tmp_path / "users.json"),
            "BACKUP": str(tmp_path / "backup"),
            "NEW_KEY": str(tmp_path / "new"),
        }
        self.outputs: list[str] = []

    def run(self, words: str, *more: str, stdin: str = "", **variables: str) -> Ended:
        command = [*words.split(), *(self.ids.get(word, word) for word in more), "--data", str(self.server.data)]
        ended = run_here(*command, variables=self.server.settings | variables, stdin=stdin)
        self.outputs.append(ended.out)
        return ended

    def record(self, words: str, *more: str, stdin: str = "") -> dict[str, Any]:
        """The only record of a command, which must succeed."""
        before = len(self.trail.commands())
        ended = self.run(words, *more, stdin=stdin)
        assert ended.code == 0, (words, ended)
        new = self.trail.commands()[before:]
        assert len(new) == 1, (words, new)
        for name, pattern in (
            ("KEY", r"ACCESS_KEY_ID=(\w+)"),
            ("WEBHOOK", r"^(wh-\w+)\t"),
            ("REQUIREMENT", r"^(req-\w+)\t"),
        ):
            if found := re.search(pattern, ended.out):
                self.ids[name] = found[1]
        return new[0]


def add_job(registry: Recorded) -> None:
    engine_of(registry.server.data).transact(lambda tx: jobs.enqueue(tx, "old", "1", {}, 2**60))


def add_failed_replication(registry: Recorded) -> None:
    there = Registry(ACCOUNT, "eu-west-1")
    stream = Stream(Registry(FIRST_ACCOUNT, "us-east-1"), RepositoryName("team/app"), there)

    def add(tx: Transaction) -> None:
        entries.add(tx, [stream], "COPY", "sha256:a", ["v1"], 1)
        entries.fail_stream(tx, stream, Failure("AccessDenied", "reason"), 1)

    engine_of(registry.server.data).transact(add)


def add_rule(registry: Recorded) -> None:
    with aws_client(registry.server) as ecr:
        ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="quay", upstreamRegistryUrl="quay.io")


def delete_image(registry: Recorded) -> None:
    with aws_client(registry.server) as ecr:
        ecr.create_repository(repositoryName="team/app")
        push(ecr, "team/app", image(seed=1), "v1")
        ecr.batch_delete_image(repositoryName="team/app", imageIds=[{"imageTag": "v1"}])


def delete_again(registry: Recorded) -> None:
    with aws_client(registry.server) as ecr:
        ecr.batch_delete_image(repositoryName="team/app", imageIds=[{"imageTag": "v1"}])


def add_unknown_file(registry: Recorded) -> None:
    name = f"{'0' * 64}-00000000-0000-4000-8000-000000000000"
    (registry.server.data / "blobs" / "sha256" / "00" / name).write_bytes(b"")


def stop(registry: Recorded) -> None:
    registry.server.stop()


def write_file(registry: Recorded) -> None:
    Path(registry.ids["FILE"]).write_text(json.dumps({"users": {"bob": {"policies": [FULL]}}}))


def write_key(registry: Recorded) -> None:
    Path(registry.ids["NEW_KEY"]).write_text(base64.b64encode(b"k" * 32).decode())


PREPARATIONS: dict[str, Callable[[Recorded], object]] = {
    "jobs retry": add_job,
    "replication retry": add_failed_replication,
    "pull-through set": add_rule,
    "undelete": delete_image,
    "collect": delete_again,
    "verify": add_unknown_file,
    "adopt-blobs": stop,
    "apply": write_file,
    "master-key rotate": write_key,
}
"""What has to happen before a command can change something."""


@pytest.fixture
def registry(fresh_server: StartServer, tmp_path: Path) -> Recorded:
    server = fresh_server(extra_args=["--workers", "1"])
    server.restart(extra_args=["--workers", "1"])  # Its first start may still run recurring jobs.
    return Recorded(server, tmp_path)


def text_for(words: str) -> str:
    """The standard input of a command: its document or its secret."""
    if words == "secret put":
        return ACCESS_TOKEN
    if words.startswith("oidc"):
        return KEYS
    return TRUST if words in {"role create", "role trust"} else ALLOW


def test_each_changing_command_has_one_record_without_secrets(registry: Recorded) -> None:
    for words, more, expected in CHANGES:
        if words == "backup" and ON_POSTGRESQL:
            continue
        if words in PREPARATIONS:
            PREPARATIONS[words](registry)
        record = registry.record(words, *more, stdin=text_for(words))
        assert record["eventName"] == words
        assert record["requestParameters"].items() >= expected.items(), record
        assert (record["sourceIPAddress"], record["eventSource"]) == ("command line", "command line")
        assert record["userIdentity"]["type"] == "SystemUser"
        assert record["userIdentity"]["principalId"] == str(os.getuid())
        account = ACCOUNT if words == "account create" else FIRST_ACCOUNT
        assert record["recipientAccountId"] == record["userIdentity"]["accountId"] == account
        assert (record["readOnly"], record["eventType"]) == (False, "MoorageCommand")

    text = registry.trail.path.read_text()
    secrets = set(re.findall(r"SECRET_ACCESS_KEY=(\S+)", "".join(registry.outputs)))
    assert len(secrets) == 3
    assert [secret for secret in {*secrets, SECRET, ACCESS_TOKEN, "secret-path", "token=abc"} if secret in text] == []


def test_of_a_url_only_scheme_and_host_are_recorded() -> None:
    assert RECORDED["url"]("https://user:password@hooks.example/a?token=b") == "https://hooks.example"
    assert RECORDED["url"]("https://user:password@[::1]:8443/a#b") == "https://[::1]:8443"


def test_the_result_of_a_command_is_recorded_with_ids(registry: Recorded) -> None:
    key = registry.record("key create")["responseElements"]
    hook = registry.record("webhook add", URL)["responseElements"]
    role = registry.record("role create", "ci", "--trust", "-", stdin=TRUST)["responseElements"]
    write_file(registry)
    applied = registry.record("apply", "FILE", "--yes")["responseElements"]

    assert key == {"accessKeyId": registry.ids["KEY"]}
    assert hook == {"webhookId": registry.ids["WEBHOOK"]}
    assert role == {"arn": f"arn:aws:iam::{FIRST_ACCOUNT}:role/ci"}
    assert len(applied["changes"]) == 2
    assert "bob" in applied["changes"][0]


READING = (
    *("account list", "user list", "key list", "role list", "policy list", "oidc list", "webhook list", "jobs list"),
    *("env", "user show-policy root none", "role show none", f"policy show {FULL}", "webhook failed wh-0"),
    *("secret list", "pull-through list", "secret delete none", "pull-through set none --refresh 1h"),
    *("explain --user root --action ecr:PutImage --repository a", "why sha256:0", "undelete --list"),
    *("collect --dry-run", "verify", "tls ca", "webhook test wh-0"),
    *("user create root", "user attach none x", "key delete AKIA", "jobs retry none"),
)
"""Commands that change nothing: they read, are refused, or find nothing to change."""


def test_a_command_that_changes_nothing_is_not_recorded(registry: Recorded) -> None:
    write_file(registry)
    registry.run("apply", "FILE", "--yes")
    registry.run("user attach", "bob", FULL)
    before = registry.trail.commands()

    for words in READING:
        assert registry.run(words).code in range(4)  # docs/commands.md, "Exit codes"
    for more in ((), ("--plan",), ("--prune", "--plan")):
        assert registry.run("apply", "FILE", *more).code == 0

    assert registry.trail.commands() == before
    assert [record["eventName"] for record in before] == ["apply"]


def test_commands_and_the_server_append_to_the_same_file_at_once(registry: Recorded) -> None:
    def push_images() -> None:
        with aws_client(registry.server) as ecr:
            for number in range(60):
                ecr.create_repository(repositoryName=f"at-once/{number}")

    pushing = threading.Thread(target=push_images)
    pushing.start()
    for number in range(15):
        assert registry.run("user create", f"user-{number}").code == 0
    pushing.join()

    assert registry.trail.names().count("CreateRepository") == 60
    assert [record["eventName"] for record in registry.trail.commands()] == ["user create"] * 15


def test_the_audit_log_of_the_settings_is_used(registry: Recorded, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere" / "audit.jsonl"

    registry.run("user create", "one", MOORAGE_AUDIT_LOG=str(path))
    registry.run("user create", "two", MOORAGE_AUDIT_LOG="none")

    assert [record["requestParameters"]["name"] for record in of_file(path)] == ["one"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert registry.trail.commands() == []


def test_records_go_to_the_standard_output_of_the_server_if_its_own_do(registry: Recorded) -> None:
    stream = {"MOORAGE_AUDIT_LOG": "/dev/stdout"}
    registry.server.restart(extra_env=stream, extra_args=["--no-access-log"])
    first = registry.run("user create", "one", **stream)
    registry.server.stop()
    second = registry.run("user create", "two", **stream)

    assert "MoorageCommand" not in first.out + second.out
    (line,) = (line for line in registry.server.output().splitlines() if "MoorageCommand" in line)
    assert json.loads(line)["requestParameters"]["name"] == "one"
    assert first.err == ""
    assert "not recorded in /dev/stdout: no server of this data folder runs here" in second.err


def test_no_other_process_gets_records_if_the_server_runs_in_another_container(
    registry: Recorded, tmp_path: Path
) -> None:
    """There, its number is that of another process here."""
    registry.server.stop()
    output = tmp_path / "output"
    with output.open("wb") as file, subprocess.Popen(["sleep", "600"], stdout=file) as other:
        with (registry.server.data / "server.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.pwrite(lock.fileno(), str(other.pid).encode(), 0)
            ended = registry.run("user create", "one", MOORAGE_AUDIT_LOG="/dev/stdout")
        other.kill()

    assert "not recorded in /dev/stdout: no server of this data folder runs here" in ended.err
    assert output.read_bytes() == b""


@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
def test_a_log_that_root_creates_belongs_to_the_owner_of_its_folder(registry: Recorded, tmp_path: Path) -> None:
    folder = tmp_path / "of-the-server"
    folder.mkdir()
    os.chown(folder, 12345, 12346)

    registry.run("user create", "one", MOORAGE_AUDIT_LOG=str(folder / "audit.jsonl"))

    status = (folder / "audit.jsonl").stat()
    assert (status.st_uid, status.st_gid) == (12345, 12346)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("", "it is not a file"), ("a-file/audit.jsonl", "Not a directory"), ("x" * 300, "File name too long")],
)
def test_a_change_that_cannot_be_recorded_is_made_with_a_warning(
    registry: Recorded, tmp_path: Path, name: str, reason: str
) -> None:
    """For the last one, Path.exists raises, as it does on a failing disk."""
    (tmp_path / "a-file").touch()
    path = tmp_path / name

    ended = registry.run("user create", "one", MOORAGE_AUDIT_LOG=str(path))

    assert ended.code == 0
    assert ended.err == f"Warning: the change was made, but not recorded in {path}: {reason}.\n"
    assert "one\t-\n" in registry.run("user list").out


@pytest.mark.skipif(ON_POSTGRESQL, reason="moves a data folder")
def test_a_move_is_recorded_on_both_sides(registry: Recorded, tmp_path: Path) -> None:
    delete_image(registry)
    source, target = registry.server.data, tmp_path / "target"
    registry.server.stop()

    ended = run_here("migrate", "--from", source, "--to", target)

    assert ended.code == 0, ended
    for folder in (source, target):
        record = of_file(folder / "audit.jsonl")[-1]
        assert record["eventName"] == "migrate"
        assert record["responseElements"] == {"from": str(source), "to": str(target)}
