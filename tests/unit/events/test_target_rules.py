"""Rules of event targets and of delivery, without a server. A fake sender returns what the tests choose."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from moorage.core.clock import system_clock
from moorage.core.events import targets
from moorage.core.events.delivery import ATTEMPTS, FIRST_DELAY, KEEP_FAILED, LONGEST_DELAY, DeliveryJobs
from moorage.core.events.formats import EVENTBRIDGE
from moorage.core.events.record import JOB, NAMES, PUSH, request_delivery
from moorage.core.events.signing import signature_headers
from moorage.core.events.targets import EventTargetError, NewTarget, TargetRequest
from moorage.core.vault import Vault
from moorage.domain.ports import Message, MessageRejected, TargetUnavailable, TargetUrlInvalid
from moorage.domain.units import DAY, SECOND
from moorage.metadata import gauges as overview
from moorage.metadata import jobs
from moorage.metadata.events import deliveries
from moorage.metadata.events import targets as rows
from moorage.metadata.events.deliveries import Delivery
from moorage.metadata.jobs import Job, JobFailed
from moorage.worker import JobKind
from tests.support.databases import engine_of

VAULT = Vault(bytes(32))
STREAM = "arn:aws:ecr:us-east-1:000000000000:repository/team/app"


UNAVAILABLE = TargetUnavailable("Connection refused")
REJECTED = MessageRejected("the receiver answered 422")


class FakeSender:
    """A sender and a connection in one. It raises `answers` in turn, or accepts (None); then it accepts everything."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.sent: list[str] = []
        self.bodies: list[bytes] = []

    def check(self, url: str) -> None:
        if not url.startswith("http"):
            raise TargetUrlInvalid("not a URL for this sender")

    def connect(self, url: str) -> FakeSender:
        return self

    async def send(self, message: Message) -> str:
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        self.sent.append(message.headers["webhook-id"])
        self.bodies.append(message.body)
        return "accepted"

    def close(self) -> None:
        """There is nothing to close."""


class OlderSender(FakeSender):
    """The sender of a program that cannot send to the target's URL."""

    def connect(self, url: str) -> FakeSender:
        raise TargetUnavailable("this version of Moorage cannot send there")


class Registry:
    """A database with one event target, and events that wait for it."""

    def __init__(self, folder: Path) -> None:
        self.database = engine_of(folder).open()
        self.database.start()
        self.target = self.add(TargetRequest("http://example.org/")).target

    def add(self, request: TargetRequest) -> NewTarget:
        return asyncio.run(self.database.write(lambda tx: targets.add(tx, VAULT, FakeSender(), request, 1)))

    def record(self, *event_ids: str, at: int = 0) -> None:
        for event_id in event_ids:
            delivery = Delivery(0, self.target.id, STREAM, event_id, "{}", at or system_clock())
            asyncio.run(self.database.write(partial(deliveries.insert, delivery=delivery)))
        asyncio.run(self.database.write(lambda tx: request_delivery(tx, self.target, STREAM, 1)))

    def deliver(self, sender: FakeSender, attempt: int = 1) -> None:
        """Run the job of the stream once, as a worker process does; `attempt` counts from 1."""

        async def run() -> None:
            now = system_clock()
            (claimed,) = await self.database.write(lambda tx: jobs.claim(tx, [JOB], now, now + 60 * SECOND, 1))
            job = Job(claimed.kind, claimed.key, claimed.payload, attempt, claimed.lease)
            await DeliveryJobs(self.database, VAULT, sender, system_clock).deliver(job)
            await self.database.write(lambda tx: jobs.finish(tx, job))

        asyncio.run(run())

    def set_due(self) -> None:
        asyncio.run(self.database.write(lambda tx: tx.run("UPDATE job SET due_at = 1, lease = NULL")))

    def waiting(self) -> list[str]:
        found = self.database.read_blocking(lambda tx: deliveries.waiting(tx, self.target.id, STREAM, 100))
        return [delivery.event_id for delivery in found]

    def failed(self) -> dict[str, str | None]:
        found = self.database.read_blocking(lambda tx: deliveries.failed(tx, self.target.id))
        return {delivery.event_id: delivery.error for delivery in found}

    def next_due(self) -> int:
        return self.database.read_blocking(lambda tx: jobs.next_due(tx, [JOB]))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    registry = Registry(tmp_path)
    yield registry
    registry.database.close()


def test_more_events_than_a_batch_are_all_delivered_in_order(registry: Registry) -> None:
    events = [f"event-{number:03}" for number in range(70)]
    registry.record(*events)
    sender = FakeSender()

    registry.deliver(sender)

    assert sender.sent == events
    assert (registry.waiting(), registry.failed(), registry.next_due()) == ([], {}, jobs.NEVER)


def test_an_unavailable_target_keeps_everything_waiting(registry: Registry) -> None:
    registry.record("a", "b")

    with pytest.raises(JobFailed, match="Connection refused"):
        registry.deliver(FakeSender(UNAVAILABLE))

    assert (registry.waiting(), registry.failed()) == (["a", "b"], {})


def test_a_rejection_fails_one_event(registry: Registry) -> None:
    registry.record("a", "b")

    registry.deliver(FakeSender(REJECTED))

    assert registry.waiting() == []
    assert registry.failed() == {"a": "the receiver answered 422"}


def test_a_target_that_accepted_an_event_is_retried_soon(registry: Registry) -> None:
    registry.record("a", "b", "c")

    registry.deliver(FakeSender(None, UNAVAILABLE), attempt=ATTEMPTS)

    assert (registry.waiting(), registry.failed()) == (["b", "c"], {})
    assert 0 < registry.next_due() - system_clock() <= FIRST_DELAY


def test_after_a_day_of_silence_everything_that_waits_fails(registry: Registry) -> None:
    registry.record("a", "b")
    with pytest.raises(JobFailed):
        registry.deliver(FakeSender(UNAVAILABLE), attempt=ATTEMPTS - 1)
    registry.set_due()

    registry.deliver(FakeSender(UNAVAILABLE), attempt=ATTEMPTS)

    assert registry.waiting() == []
    assert registry.failed() == {"a": "Connection refused", "b": "Connection refused"}


def test_what_waits_in_a_stream_fails_when_its_job_dies_of_a_fault(registry: Registry) -> None:
    registry.record("a", "b")
    delivery_jobs = DeliveryJobs(registry.database, VAULT, FakeSender(), system_clock)
    key = registry.database.read_blocking(lambda tx: jobs.page(tx, ("", ""), 1, dead_only=False))[0].key
    died = Job(JOB, key, {}, ATTEMPTS, "")

    asyncio.run(registry.database.write(lambda tx: delivery_jobs.give_up(tx, died, "ValueError: a fault")))

    assert registry.waiting() == []
    assert registry.failed() == {"a": "ValueError: a fault", "b": "ValueError: a fault"}


def test_events_wait_for_a_program_that_can_send_to_the_target(registry: Registry) -> None:
    """In a rolling upgrade, nodes of the version before see targets that only the new version can send to."""
    registry.record("a")

    with pytest.raises(JobFailed, match="cannot send there"):
        registry.deliver(OlderSender())

    assert registry.waiting() == ["a"]


def test_events_wait_for_a_program_that_has_the_format_of_the_target(registry: Registry) -> None:
    registry.record("a")
    asyncio.run(registry.database.write(lambda tx: rows.set_format(tx, registry.target.id, "smoke-signals")))

    with pytest.raises(JobFailed, match="does not have the event format smoke-signals"):
        registry.deliver(FakeSender())

    assert registry.waiting() == ["a"]


def test_the_attempts_take_a_day() -> None:
    async def do(_: Job) -> None: ...

    job_kind = JobKind(do, attempts=ATTEMPTS, first_delay=FIRST_DELAY, longest_delay=LONGEST_DELAY)

    assert DAY <= sum(job_kind.delay(attempt) for attempt in range(1, ATTEMPTS)) < DAY + LONGEST_DELAY


def test_events_that_failed_a_month_ago_are_removed_and_waiting_events_are_not(registry: Registry) -> None:
    registry.record("old", "older", at=system_clock() - KEEP_FAILED - SECOND)
    registry.deliver(FakeSender(REJECTED, REJECTED))
    registry.record("waiting", at=system_clock() - KEEP_FAILED - SECOND)
    registry.record("new")
    delivery_jobs = DeliveryJobs(registry.database, VAULT, FakeSender(), system_clock)

    asyncio.run(delivery_jobs.remove_old(Job("forget", "", {}, 1, "")))

    assert (registry.waiting(), registry.failed()) == (["waiting", "new"], {})


def test_metrics_count_waiting_and_failed_events(registry: Registry) -> None:
    registry.record("rejected")
    registry.deliver(FakeSender(REJECTED))
    registry.record("a", "b")

    gauges = registry.database.read_blocking(partial(overview.gauges, now=system_clock()))

    assert gauges["moorage_events"] == {"waiting": 2, "failed": 1}


def test_events_for_a_removed_target_are_dropped(registry: Registry) -> None:
    registry.record("a")
    asyncio.run(registry.database.write(lambda tx: rows.delete(tx, registry.target.id)))
    sender = FakeSender()

    registry.deliver(sender)

    assert (sender.sent, registry.next_due()) == ([], jobs.NEVER)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "smtp://example.org/",
        "http://example.org/a\r\nX-Evil: yes",
        "http://example.org/a b",
        "http://a/" + "a" * 2048,
    ],
)
def test_a_url_that_cannot_be_shown_or_used_is_refused(registry: Registry, url: str) -> None:
    """The rules of http and https URLs: tests/contract/adapters/test_http_sender.py."""
    with pytest.raises(EventTargetError, match="URL"):
        registry.add(TargetRequest(url))


@pytest.mark.parametrize("secret", ["whsec_c2hvcnQ=", "whsec_", "whsec_!!!", "a" * 40, "whsec_" + "YWFh" * 22])
def test_a_secret_that_is_too_short_too_long_or_none_is_refused(registry: Registry, secret: str) -> None:
    with pytest.raises(EventTargetError, match="a secret is whsec_ and the base64 of 24 to 64 random bytes"):
        registry.add(TargetRequest("http://example.org/", secret=secret))


def test_an_unknown_event_is_refused_with_the_list(registry: Registry) -> None:
    with pytest.raises(EventTargetError, match="PULL: no such event; there are PUSH, DELETE"):
        registry.add(TargetRequest("http://example.org/", events=(PUSH, "PULL")))


def test_an_unknown_format_is_refused_with_the_list(registry: Registry) -> None:
    expected = "xml: no such format; there are eventbridge, cloudevents, cloudevents-binary"
    with pytest.raises(EventTargetError, match=expected):
        registry.add(TargetRequest("http://example.org/", format="xml"))
    with pytest.raises(EventTargetError, match=expected):
        registry.database.read_blocking(lambda tx: targets.set_format(tx, registry.target.id, "xml"))


def test_a_target_gets_all_events_in_the_shape_of_eventbridge_by_default(registry: Registry) -> None:
    assert (registry.target.events, registry.target.format) == (NAMES, EVENTBRIDGE)


def test_secrets_do_not_appear_in_representations(registry: Registry) -> None:
    new = registry.add(TargetRequest("http://example.org/"))

    assert new.secret not in repr(new)
    assert new.secret not in repr(TargetRequest("http://example.org/", secret=new.secret))


def test_signatures_are_those_of_the_standard() -> None:
    """The example of the specification's reference libraries."""
    secret, event_id = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"

    headers = signature_headers(secret, event_id, b'{"test": 2432232314}', 1_614_265_330 * SECOND)

    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
