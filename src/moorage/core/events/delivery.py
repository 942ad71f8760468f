"""Deliver events to their targets: in order for each repository, and again until the target accepts them.

A target that rejects an event makes that event fail. A target that is unavailable for a day makes everything fail that
waits in the same stream. Failed events are kept for a month, and are sent again when the operator asks for it.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import msgspec

from moorage.core.clock import Clock
from moorage.core.events import record as events
from moorage.core.events.formats import render
from moorage.core.events.record import Event
from moorage.core.events.signing import signature_headers
from moorage.core.vault import Vault
from moorage.domain.names import Registry
from moorage.domain.ports import EventSender, Message, MessageRejected, TargetConnection, TargetUnavailable
from moorage.domain.units import DAY, HOUR, SECOND
from moorage.metadata.database import Database, Transaction
from moorage.metadata.events import deliveries, targets
from moorage.metadata.events.deliveries import Delivery
from moorage.metadata.events.targets import EventTarget
from moorage.metadata.jobs import Job, JobFailed

FIRST_DELAY: Final = 5 * SECOND
LONGEST_DELAY: Final = HOUR
ATTEMPTS: Final = 34
"""With the delays above, attempts for a day, as EventBridge does by default."""

AT_ONCE: Final = 8
"""Streams that one process delivers concurrently. Most of the time it waits for receivers."""

KEEP_FAILED: Final = 30 * DAY

_BATCH: Final = 32
"""Messages that are sent before their acceptance is saved: a crash may send so many again."""

_MESSAGE_SECONDS: Final = 30


async def send(connection: TargetConnection, target: EventTarget, secret: str, delivery: Delivery, now: int) -> str:
    """Send one event in the target's format, signed, and return the target's answer.

    Raises TargetUnavailable, MessageRejected.
    """
    message = render(target.format, delivery)
    signature = signature_headers(secret, delivery.event_id, message.body, now)
    try:
        async with asyncio.timeout(_MESSAGE_SECONDS):
            return await connection.send(Message(message.body, {**message.headers, **signature}))
    except TimeoutError:
        raise TargetUnavailable(f"no answer within {_MESSAGE_SECONDS} seconds") from None


def test_delivery(target: EventTarget, registry: Registry, now: int) -> Delivery:
    """An event that only shows that messages arrive. It is not stored."""
    event_id = str(uuid.uuid4())
    event = Event("TEST", "Moorage Webhook Test", registry, "", now, {"result": "SUCCESS"})
    body = events.envelope(event, event_id) | {"source": "moorage"}
    return Delivery(0, target.id, event.stream, event_id, msgspec.json.encode(body).decode(), now)


@dataclass(slots=True)
class _Outcome:
    """The result of a batch, up to the first message that must be sent again, and the reason for that."""

    accepted: list[Delivery] = field(default_factory=list)
    rejected: list[tuple[Delivery, str]] = field(default_factory=list)
    failure: str | None = None


class DeliveryJobs:
    """Runs the jobs that deliver events."""

    def __init__(self, database: Database, vault: Vault, sender: EventSender, now: Clock) -> None:
        self._database = database
        self._vault = vault
        self._sender = sender
        self._now = now

    async def deliver(self, job: Job) -> None:
        """Send everything that waits in a stream. Raises JobFailed when the target is unavailable."""
        target_id, _, stream = job.key.partition(" ")
        target = await self._database.read(partial(targets.find, target_id=target_id))
        if target is None:
            return
        try:
            connection = self._sender.connect(target.url)
        except TargetUnavailable as error:
            await self._database.write(
                partial(self._save, job=job, target=target, outcome=_Outcome(failure=str(error)))
            )
            return
        with closing(connection):
            waiting = partial(deliveries.waiting, target_id=target_id, stream=stream, limit=_BATCH)
            while batch := await self._database.read(waiting):
                outcome = await self._send_batch(connection, target, batch)
                await self._database.write(partial(self._save, job=job, target=target, outcome=outcome))
                if outcome.failure is not None:
                    return

    def give_up(self, tx: Transaction, job: Job, error: str) -> None:
        """Fail what waits in the stream of a job that died, so that `moorage webhook failed` shows it."""
        target_id, _, stream = job.key.partition(" ")
        deliveries.fail_stream(tx, target_id, stream, error)

    async def remove_old(self, _: Job) -> None:
        """Remove deliveries that failed long ago."""
        before = self._now() - KEEP_FAILED
        await self._database.write(partial(deliveries.remove_failed, before=before))

    async def _send_batch(
        self, connection: TargetConnection, target: EventTarget, batch: Iterable[Delivery]
    ) -> _Outcome:
        secret = self._vault.open(target.sealed_secret, target.id)
        outcome = _Outcome()
        for delivery in batch:
            try:
                await send(connection, target, secret, delivery, self._now())
            except MessageRejected as error:
                outcome.rejected.append((delivery, str(error)))
            except TargetUnavailable as error:
                outcome.failure = str(error)
                break
            else:
                outcome.accepted.append(delivery)
        return outcome

    def _save(self, tx: Transaction, job: Job, target: EventTarget, outcome: _Outcome) -> None:
        """Save the outcome of a batch. Raises JobFailed when the target took nothing and the job must be retried."""
        deliveries.remove(tx, outcome.accepted)
        for delivery, reason in outcome.rejected:
            deliveries.fail(tx, delivery, reason)
        if outcome.failure is None:
            return
        stream = job.key.partition(" ")[2]
        if outcome.accepted or outcome.rejected:  # The target answered: the delays start again.
            events.request_delivery(tx, target, stream, self._now() + FIRST_DELAY)
        elif job.attempts < ATTEMPTS:
            raise JobFailed(outcome.failure)
        else:
            self.give_up(tx, job, outcome.failure)
