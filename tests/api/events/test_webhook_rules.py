"""What may be a webhook, and when an event is given up: the rules alone, with a courier that answers as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from moorage.core.clock import DAY, SECOND, system_clock
from moorage.core.events import webhooks
from moorage.core.events.record import JOB, NAMES, PUSH, ask_for_delivery
from moorage.core.events.webhooks import ATTEMPTS, FIRST_DELAY, KEEP_FAILED, LONGEST_DELAY, DeliveryJobs, WebhookError
from moorage.core.vault import Vault
from moorage.domain.ports import Unreachable
from moorage.metadata import gauges as overview
from moorage.metadata import jobs
from moorage.metadata.events import webhooks as rows
from moorage.metadata.events.webhooks import Delivery, Webhook
from moorage.metadata.jobs import Job, JobFailed
from moorage.worker import JobKind
from tests.support.databases import engine_of

VAULT = Vault(bytes(32))
STREAM = "arn:aws:ecr:us-east-1:000000000000:repository/team/app"


class Receiver:
    """A courier and a line in one. `answers` are statuses, or texts of Unreachable; then everything is accepted."""

    def __init__(self, *answers: int | str) -> None:
        self.answers = list(answers)
        self.sent: list[str] = []

    def line(self, url: str) -> Receiver:
        return self

    async def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        answer = self.answers.pop(0) if self.answers else 204
        if isinstance(answer, str):
            raise Unreachable(answer)
        self.sent.append(headers["webhook-id"])
        return answer

    def close(self) -> None:
        """Nothing to hang up."""


class Registry:
    """A database with one webhook, and events that wait for it."""

    def __init__(self, folder: Path) -> None:
        self.database = engine_of(folder).open()
        self.database.start()
        self.webhook = self._added()

    def _added(self) -> Webhook:
        url = "http://example.org/"
        return asyncio.run(self.database.write(lambda tx: webhooks.add(tx, VAULT, url, (), None, 1))).webhook

    def record(self, *event_ids: str, at: int = 0) -> None:
        for event_id in event_ids:
            delivery = Delivery(0, self.webhook.id, STREAM, event_id, "{}", at or system_clock())
            asyncio.run(self.database.write(partial(rows.add_delivery, delivery=delivery)))
        asyncio.run(self.database.write(lambda tx: ask_for_delivery(tx, self.webhook, STREAM, 1)))

    def deliver(self, receiver: Receiver, attempt: int = 1) -> None:
        """What a worker does with the job of the stream at its so-and-so-manieth attempt."""

        async def run() -> None:
            now = system_clock()
            (job,) = await self.database.write(lambda tx: jobs.claim(tx, [JOB], now, now + 60 * SECOND, 1))
            tried = Job(job.kind, job.key, job.payload, attempt, job.lease)
            await DeliveryJobs(self.database, VAULT, receiver, system_clock).deliver(tried)
            await self.database.write(lambda tx: jobs.finish(tx, tried))

        asyncio.run(run())

    def waiting(self) -> list[str]:
        found = self.database.read_blocking(lambda tx: rows.waiting(tx, self.webhook.id, STREAM, 100))
        return [delivery.event_id for delivery in found]

    def failed(self) -> dict[str, str | None]:
        found = self.database.read_blocking(lambda tx: rows.failed(tx, self.webhook.id))
        return {delivery.event_id: delivery.error for delivery in found}

    def next_due(self) -> int:
        return self.database.read_blocking(lambda tx: jobs.next_due(tx, [JOB]))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    one = Registry(tmp_path)
    yield one
    one.database.close()


def test_more_events_than_go_out_at_once_are_all_delivered_in_order(registry: Registry) -> None:
    events = [f"event-{number:03}" for number in range(70)]
    registry.record(*events)
    receiver = Receiver()

    registry.deliver(receiver)

    assert receiver.sent == events
    assert (registry.waiting(), registry.failed(), registry.next_due()) == ([], {}, jobs.NEVER)


@pytest.mark.parametrize("answer", ["Connection refused", 500, 503, 599, 401, 407, 408, 409, 425, 429])
def test_a_failure_that_may_pass_keeps_everything_waiting(registry: Registry, answer: int | str) -> None:
    registry.record("a", "b")

    with pytest.raises(JobFailed, match=str(answer)):
        registry.deliver(Receiver(answer))

    assert (registry.waiting(), registry.failed()) == (["a", "b"], {})


@pytest.mark.parametrize("answer", [301, 302, 307, 400, 403, 404, 410, 413, 422])
def test_a_refusal_that_will_not_change_sets_one_event_aside(registry: Registry, answer: int) -> None:
    registry.record("a", "b")

    registry.deliver(Receiver(answer))

    assert registry.waiting() == []
    assert registry.failed() == {"a": f"the receiver answered {answer}"}


def test_a_receiver_that_took_something_is_asked_again_soon(registry: Registry) -> None:
    registry.record("a", "b", "c")

    registry.deliver(Receiver(200, 503), attempt=ATTEMPTS)

    assert (registry.waiting(), registry.failed()) == (["b", "c"], {})
    assert 0 < registry.next_due() - system_clock() <= FIRST_DELAY


def test_after_a_day_of_silence_all_that_waits_is_set_aside(registry: Registry) -> None:
    registry.record("a", "b")
    with pytest.raises(JobFailed):
        registry.deliver(Receiver("Connection refused"), attempt=ATTEMPTS - 1)
    asyncio.run(registry.database.write(lambda tx: tx.run("UPDATE job SET due_at = 1, lease = NULL")))

    registry.deliver(Receiver("Connection refused"), attempt=ATTEMPTS)

    assert registry.waiting() == []
    assert registry.failed() == {"a": "Connection refused", "b": "Connection refused"}


def test_the_tries_take_a_day() -> None:
    async def do(_: Job) -> None: ...

    job_kind = JobKind(do, attempts=ATTEMPTS, first_delay=FIRST_DELAY, longest_delay=LONGEST_DELAY)

    assert DAY <= sum(job_kind.delay(attempt) for attempt in range(1, ATTEMPTS)) < DAY + LONGEST_DELAY


def test_what_was_set_aside_a_month_ago_is_forgotten_and_nothing_that_waits(registry: Registry) -> None:
    registry.record("old", "older", at=system_clock() - KEEP_FAILED - SECOND)
    registry.deliver(Receiver(400, 400))
    registry.record("waiting", at=system_clock() - KEEP_FAILED - SECOND)
    registry.record("new")
    deliveries = DeliveryJobs(registry.database, VAULT, Receiver(), system_clock)

    asyncio.run(deliveries.forget_old(Job("forget", "", {}, 1, "")))

    assert (registry.waiting(), registry.failed()) == (["waiting", "new"], {})


def test_metrics_count_what_waits_and_what_failed(registry: Registry) -> None:
    registry.record("refused")
    registry.deliver(Receiver(400))
    registry.record("a", "b")

    gauges = registry.database.read_blocking(partial(overview.gauges, now=system_clock()))

    assert gauges["moorage_events"] == {"waiting": 2, "failed": 1}


def test_events_for_a_webhook_that_was_removed_are_forgotten(registry: Registry) -> None:
    registry.record("a")
    asyncio.run(registry.database.write(lambda tx: rows.delete(tx, registry.webhook.id)))
    receiver = Receiver()

    registry.deliver(receiver)

    assert (receiver.sent, registry.next_due()) == ([], jobs.NEVER)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "file:///etc/passwd",
        "http:///nowhere",
        "//example.org/",
        "http://example.org:99999/",
        "http://example.org:x/",
        "http://example.org/a\r\nX-Evil: yes",
        "http://example.org/a b",
        "http://[::1/",
        "http://example.org/#part",
        "https://user@example.org/",
        "http://example.org/" + "a" * 2048,
    ],
)
def test_what_is_no_address_of_a_receiver_is_refused(registry: Registry, url: str) -> None:
    with pytest.raises(WebhookError, match="URL"):
        asyncio.run(registry.database.write(lambda tx: webhooks.add(tx, VAULT, url, (), None, 1)))


@pytest.mark.parametrize("secret", ["whsec_c2hvcnQ=", "whsec_", "whsec_!!!", "a" * 40, "whsec_" + "YWFh" * 22])
def test_a_secret_that_is_too_short_too_long_or_none_is_refused(registry: Registry, secret: str) -> None:
    with pytest.raises(WebhookError, match="a secret is whsec_ and the base64 of 24 to 64 random bytes"):
        asyncio.run(registry.database.write(lambda tx: webhooks.add(tx, VAULT, "http://example.org/", (), secret, 1)))


def test_an_event_that_does_not_exist_cannot_be_wanted(registry: Registry) -> None:
    with pytest.raises(WebhookError, match="PULL: no such event; there are PUSH, DELETE"):
        asyncio.run(registry.database.write(lambda tx: webhooks.add(tx, VAULT, "http://a/", (PUSH, "PULL"), None, 1)))


def test_a_webhook_wants_everything_unless_told(registry: Registry) -> None:
    assert registry.webhook.events == NAMES


def test_signatures_are_those_of_the_standard() -> None:
    """The example of the specification's reference libraries."""
    secret, event_id = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"

    headers = webhooks.signed_headers(secret, event_id, b'{"test": 2432232314}', 1_614_265_330 * SECOND)

    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
