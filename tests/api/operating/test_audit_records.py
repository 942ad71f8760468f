"""SearchAuditRecords: the newest first, by pages, through rotated files, and only what the caller may see."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from moorage.adapters.audit_reader import AuditReader
from moorage.adapters.audit_rotation import Rotation
from moorage.core.operating.audit_records import AuditRecords, Selection
from tests.api.ecr.wire import refusal
from tests.api.services.calls import ACCOUNT, Person, client_of
from tests.support.aws import aws_client
from tests.support.server import Server

AllOf = Callable[..., list[Any]]


def test_records_are_found_by_operation_time_caller_and_failure(server: Server, moorage: Any, all_of: AllOf) -> None:
    with aws_client(server) as ecr:
        ecr.create_repository(repositoryName="audited/app")
        refusal(ecr.create_repository, repositoryName="audited/app")
        ecr.delete_repository(repositoryName="audited/app")
    search = moorage.search_audit_records

    (deleted,) = search(eventName="DeleteRepository", maxResults=1)["records"]
    assert json.loads(deleted["record"])["requestParameters"]["repositoryName"] == "audited/app"
    assert (deleted["principal"], deleted["accountId"]) == (f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
    (failed,) = search(eventName="CreateRepository", errorsOnly=True, maxResults=1)["records"]
    assert failed["errorCode"] == "RepositoryAlreadyExistsException"
    assert search(principal=server.environment["AWS_ACCESS_KEY_ID"], maxResults=1)["records"]
    assert search(principal="nobody-of-this-name")["records"] == []

    now = datetime.now(UTC)
    assert search(startTime=now + timedelta(hours=1))["records"] == []
    assert search(endTime=now - timedelta(days=1))["records"] == []
    whole = all_of(search, "records", eventName="CreateRepository", startTime=now - timedelta(hours=1))
    times = [record["eventTime"] for record in whole]
    assert times == sorted(times, reverse=True)
    assert all_of(search, "records", eventName="CreateRepository", maxResults=1) == whole


def test_an_account_sees_only_its_own_records_and_the_operator_all(server: Server, moorage: Any) -> None:
    exports = server.moorage("account", "create", "666666666666").splitlines()
    key, secret = (line.partition("=")[2] for line in exports if line.startswith("export "))
    person = Person("root", key, secret)
    stranger = client_of(server, "moorage", person)
    client_of(server, "ecr", person).create_repository(repositoryName="of-six")

    own = stranger.search_audit_records()["records"]
    assert {record["accountId"] for record in own} == {"666666666666"}
    assert "CreateRepository" in {record["eventName"] for record in own}
    of_operator = moorage.search_audit_records()["records"]
    assert {record["accountId"] for record in of_operator} == {ACCOUNT}
    everything = moorage.search_audit_records(scope="SERVER")["records"]
    assert "666666666666" in {record.get("accountId") for record in everything}
    assert refusal(stranger.search_audit_records, scope="SERVER")[1] == "AccessDeniedException"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def write(path: Path, numbers: range, size: int = 0) -> None:
    lines = [
        json.dumps({"eventID": str(number), "eventTime": f"2026-01-01T00:{number:02}:00Z", "fill": "x" * size})
        for number in numbers
    ]
    path.write_text("".join(f"{line}\n" for line in lines))


def searched(log: Path, limit: int) -> list[str]:
    """The numbers of all records, by pages."""
    records = AuditRecords(AuditReader(Rotation(log)).lines)
    found, after = [], None
    while True:
        answer = records._search(Selection(), after, limit)
        found += [record["eventID"] for record in answer.records]
        if answer.end is None:
            return found
        after = answer.end


@pytest.mark.parametrize("limit", [1, 3, 100])
@pytest.mark.parametrize("size", [0, 20_000, 100_000])
def test_all_files_are_read_backwards(log: Path, limit: int, size: int) -> None:
    write(log.with_name("audit-20260101T000000.000000Z.jsonl"), range(5), size)
    write(log.with_name("audit-20260102T000000.000000Z.jsonl"), range(5, 10), size)
    write(log, range(10, 15), size)

    assert searched(log, limit) == [str(number) for number in range(14, -1, -1)]


def test_a_search_reads_a_bounded_part(log: Path) -> None:
    write(log, range(60), 200_000)
    records = AuditRecords(AuditReader(Rotation(log)).lines)

    first = records._search(Selection(event_name="none"), None, 100)

    assert first.records == []
    assert first.end is not None
    assert first.oldest == "2026-01-01T00:39:00Z"  # 21 records are more than 4 MiB.


def test_a_search_goes_on_in_a_file_that_was_rotated_meanwhile(log: Path) -> None:
    write(log, range(5))
    records = AuditRecords(AuditReader(Rotation(log)).lines)
    first = records._search(Selection(), None, 2)
    log.rename(log.with_name("audit-20260101T000000.000000Z.jsonl"))
    write(log, range(5, 7))

    rest = records._search(Selection(), first.end, 9)

    assert [record["eventID"] for record in (*first.records, *rest.records)] == ["4", "3", "2", "1", "0"]


def test_a_line_that_is_being_written_is_left_out(log: Path) -> None:
    write(log, range(2))
    with log.open("a") as file:
        file.write('{"eventID": "2", "eventTi')

    assert searched(log, 9) == ["1", "0"]
