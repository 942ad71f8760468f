"""Jobs, webhooks and their failed events, usage and garbage, as an operator sees and repairs them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from moorage.core.garbage.jobs import COLLECTION
from tests.api.ecr.wire import refusal
from tests.api.services.calls import Person, allow, client_of, person_with
from tests.conftest import StartServer
from tests.support.databases import engine_of
from tests.support.server import Server
from tests.support.waiting import wait_until

AllOf = Callable[..., list[Any]]


@pytest.fixture
def rows(server: Server) -> Any:
    """Runs a function in a transaction of the shared server's database."""
    return engine_of(server.data).transact


def add_jobs(tx: Any, *jobs: tuple[str, str, str]) -> None:
    for kind, key, state in jobs:
        tx.run(
            "INSERT INTO job (kind, key, payload, state, due_at, attempts, last_error)"
            " VALUES (:kind, :key, '{}', :state, 4102444800000000, 3, 'broken')",
            kind=kind,
            key=key,
            state=state,
        )


@pytest.fixture
def test_jobs(rows: Any) -> Any:
    """Jobs of a kind that no worker process runs."""
    rows(lambda tx: add_jobs(tx, ("of-tests", "a", "dead"), ("of-tests", "b", "waiting"), ("of-tests", "c", "dead")))
    yield
    rows(lambda tx: tx.run("DELETE FROM job WHERE kind = 'of-tests'"))


def of_tests(jobs: list[Any]) -> list[tuple[str, str]]:
    return [(job["key"], job["status"]) for job in jobs if job["kind"] == "of-tests"]


@pytest.mark.usefixtures("test_jobs")
def test_jobs_are_listed_by_state_and_by_pages(moorage: Any, all_of: AllOf) -> None:
    everything = moorage.list_jobs()["jobs"]

    assert of_tests(everything) == [("a", "DEAD"), ("b", "WAITING"), ("c", "DEAD")]
    assert [(job["kind"], job["key"]) for job in all_of(moorage.list_jobs, "jobs", maxResults=1)] == [
        (job["kind"], job["key"]) for job in everything
    ]
    assert of_tests(all_of(moorage.list_jobs, "jobs", status="DEAD", maxResults=1)) == [("a", "DEAD"), ("c", "DEAD")]
    assert of_tests(moorage.list_jobs(status="WAITING")["jobs"]) == [("b", "WAITING")]
    assert of_tests(moorage.list_jobs(status="RUNNING")["jobs"]) == []
    (dead,) = (job for job in everything if (job["kind"], job["key"]) == ("of-tests", "a"))
    assert (dead["attempts"], dead["lastError"], "dueAt" in dead) == (3, "broken", False)


@pytest.mark.usefixtures("test_jobs")
def test_jobs_are_retried_and_dropped(moorage: Any) -> None:
    moorage.retry_job(kind="of-tests", key="a")
    moorage.drop_job(kind="of-tests", key="c")

    assert of_tests(moorage.list_jobs()["jobs"]) == [("a", "WAITING"), ("b", "WAITING")]
    assert refusal(moorage.retry_job, kind="of-tests", key="x") == (
        400,
        "ResourceNotFoundException",
        "There is no job 'of-tests' with the key 'x'",
    )
    assert refusal(moorage.drop_job, kind=COLLECTION, key="")[:2] == (400, "ConflictException")


@pytest.fixture
def webhook(server: Server, rows: Any) -> Any:
    """The id of a webhook with failed and waiting events in three streams."""
    webhook_id = server.moorage("webhook", "add", "http://127.0.0.1:9/events").split()[0]
    rows(lambda tx: [tx.run("DELETE FROM delivery WHERE webhook_id = :id", id=webhook_id)])

    def add(tx: Any) -> None:
        for number in range(9):
            tx.run(
                "INSERT INTO delivery (webhook_id, stream, event_id, body, recorded_at, error)"
                " VALUES (:id, :stream, :event, '{}', 7000000, :error)",
                id=webhook_id,
                stream=f"stream-{number % 3}",
                event=f"event-{number}",
                error=None if number < 3 else "refused",
            )

    rows(add)
    yield webhook_id
    server.moorage("webhook", "remove", webhook_id)


def test_failed_events_are_listed_and_sent_again(moorage: Any, all_of: AllOf, webhook: str) -> None:
    (shown,) = (each for each in moorage.list_webhooks()["webhooks"] if each["webhookId"] == webhook)
    assert (shown["waitingEvents"], shown["failedEvents"], shown["isCountPartial"]) == (3, 6, False)

    failed = all_of(moorage.list_failed_events, "failedEvents", webhookId=webhook, maxResults=2)
    order = ["event-3", "event-6", "event-4", "event-7", "event-5", "event-8"]
    assert [event["eventId"] for event in failed] == order
    assert (failed[0]["error"], failed[0]["event"], failed[0]["stream"]) == ("refused", "{}", "stream-0")

    one = moorage.replay_failed_events(webhookId=webhook, stream="stream-1", eventId="event-7")
    assert one == {"replayedEvents": 1, "ResponseMetadata": one["ResponseMetadata"]}
    assert moorage.replay_failed_events(webhookId=webhook, stream="stream-1")["replayedEvents"] == 1
    assert moorage.replay_failed_events(webhookId=webhook)["replayedEvents"] == 4
    assert moorage.list_failed_events(webhookId=webhook)["failedEvents"] == []
    assert json.dumps(of_webhook(moorage, webhook)) != "[]"


def of_webhook(moorage: Any, webhook: str) -> list[str]:
    return [job["key"] for job in moorage.list_jobs()["jobs"] if job["key"].startswith(webhook)]


def test_a_webhook_that_does_not_exist_is_named(moorage: Any) -> None:
    expected = (400, "ResourceNotFoundException", "There is no webhook wh-none")
    assert refusal(moorage.list_failed_events, webhookId="wh-none") == expected
    assert refusal(moorage.replay_failed_events, webhookId="wh-none") == expected
    without = refusal(moorage.replay_failed_events, webhookId="wh-none", eventId="event")
    assert without == (400, "ValidationException", "eventId needs stream")


def test_usage_is_that_of_the_command(server: Server, moorage: Any, all_of: AllOf) -> None:
    ecr = client_of(server, "ecr")
    for name in ("usage/a", "usage/b", "usage/c"):
        ecr.create_repository(repositoryName=name)
    lines = [line.split("\t") for line in server.moorage("usage").splitlines()[:-1]]

    every = all_of(moorage.list_usage, "repositories", scope="SERVER", maxResults=2)
    shown = {
        "/".join((each["registryId"], each["region"], each["repositoryName"])): [
            str(each[member]) for member in ("images", "layers", "bytes", "ownBytes")
        ]
        for each in every
    }
    assert shown == {line[0]: line[1:] for line in lines}

    own = all_of(moorage.list_usage, "repositories", maxResults=2)
    names = [each["repositoryName"] for each in own]
    assert names == sorted(names)
    assert {"usage/a", "usage/b", "usage/c"} <= set(names)
    assert not any("ownBytes" in each for each in own)
    accounts = moorage.list_usage(maxResults=2)["accounts"]
    assert [(each["registryId"], each["repositories"]) for each in accounts] == [("000000000000", 2)]


def test_the_whole_server_is_for_the_operator(server: Server) -> None:
    exports = server.moorage("account", "create", "555555555555").splitlines()
    key, secret = (line.partition("=")[2] for line in exports if line.startswith("export "))
    stranger = client_of(server, "moorage", Person("root", key, secret))
    helper = client_of(server, "moorage", person_with(server, allow("moorage:ListUsage")))

    assert stranger.list_usage()["repositories"] == []
    status, code, text = refusal(stranger.list_usage, scope="SERVER")
    assert (status, code) == (400, "AccessDeniedException")
    assert text.endswith("because it is about the whole server, which only the operator's account may operate")
    assert helper.list_usage(scope="SERVER")["accounts"] is not None
    assert refusal(helper.list_jobs)[1] == "AccessDeniedException"


def test_garbage_is_listed_with_reasons_and_collected(fresh_server: StartServer) -> None:
    server = fresh_server(extra_args=["--grace-period", "1s"])
    moorage, ecr = client_of(server, "moorage"), client_of(server, "ecr")
    ecr.create_repository(repositoryName="garbage/app")
    assert moorage.list_garbage()["items"] == []

    def is_idle() -> bool:
        """Whether the collection at the start of the server has ended."""
        jobs = [each for each in moorage.list_jobs()["jobs"] if each["kind"] == COLLECTION]
        return any(each["status"] == "WAITING" and each["dueAt"] > datetime.now(UTC) for each in jobs)

    wait_until(is_idle)

    def abandon(tx: Any) -> None:
        for number in range(3):
            tx.run(
                "INSERT INTO blob (digest, size, storage_key, created_at) VALUES (:digest, 5, :key, 1)",
                digest=f"sha256:{number}",
                key=f"key-{number}",
            )

    engine_of(server.data).transact(abandon)

    whole, part = moorage.list_garbage(), moorage.list_garbage(maxResults=2)
    assert [(item["kind"], item["name"], item["size"]) for item in whole["items"]] == [
        ("blob", f"sha256:{number}", 5) for number in range(3)
    ]
    assert whole["items"][0]["reason"] == "it is not a layer of any repository"
    assert (whole["isComplete"], part["isComplete"]) == (True, False)
    assert part["items"] == whole["items"][:2]

    moorage.start_collection()
    (job,) = (each for each in moorage.list_jobs()["jobs"] if each["kind"] == COLLECTION)
    assert job["status"] in ("WAITING", "RUNNING")


def test_the_status_counts_requests_and_errors(server: Server, moorage: Any) -> None:
    def totals() -> tuple[int, int]:
        minutes = moorage.get_server_status()["traffic"]
        assert 0 < len(minutes) <= 60
        return sum(each["requests"] for each in minutes), sum(each["clientErrors"] for each in minutes)

    requests, errors = totals()
    refusal(moorage.drop_job, kind="no-such-kind", key="x")
    later, more_errors = totals()

    assert later >= requests + 2
    assert more_errors > errors
    status = moorage.get_server_status()
    assert (status["isReady"], status["isReadyForWriting"]) == (True, True)
    assert (status["migrations"], status["replicationsFailed"]) == ([], 0)
    assert {disk["content"] for disk in status["disks"]} >= {"data", "layers"}
    assert all(disk["freeBytes"] > disk["reserveBytes"] > 0 for disk in status["disks"])
