"""Webhooks: receivers of events over HTTP. Messages are signed as the Standard Webhooks specification says.

Events of a repository are sent in order, each again until it is accepted. A refusal that will not change by itself (a
status of 300 to 499, but for those of `_PASSING_STATUSES`) sets that event aside; a receiver that does not answer for a
day has all that waits there set aside. What is set aside is kept for a month, and sent again when the operator says so.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import re
import secrets
import uuid
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from moorage.core.clock import DAY, HOUR, SECOND, Clock
from moorage.core.events import record as events
from moorage.core.events.record import Event
from moorage.core.vault import Vault
from moorage.domain.names import Registry
from moorage.domain.ports import Courier, Line, Unreachable
from moorage.metadata import jobs
from moorage.metadata.database import Database, Transaction
from moorage.metadata.events import webhooks
from moorage.metadata.events.webhooks import Delivery, Webhook
from moorage.metadata.jobs import Job, JobFailed

FIRST_DELAY: Final = 5 * SECOND
LONGEST_DELAY: Final = HOUR
ATTEMPTS: Final = 34
"""With the delays above, tries for a day, as EventBridge does by default."""

AT_ONCE: Final = 8
"""Streams that one process delivers beside each other; most of the time they wait for receivers."""

KEEP_FAILED: Final = 30 * DAY

_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the prefix that the specification gives secrets
_SECRET_LENGTHS: Final = range(24, 65)
_BATCH: Final = 32
"""Messages that go out before it is noted that they were accepted: what a crash may send twice."""

_MESSAGE_SECONDS: Final = 30
_PASSING_STATUSES: Final = frozenset({401, 407, 408, 409, 425, 429})
"""Those that EventBridge tries again for API destinations, besides 5xx, and the two that say "not now" (408, 425)."""

_URL: Final = re.compile(r"[!-~]{1,2048}", re.ASCII)


class WebhookError(Exception):
    """What was asked for cannot be; the text is for the operator."""


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """A webhook just made, with its secret, which is shown this once."""

    webhook: Webhook
    secret: str

    def __repr__(self) -> str:
        return f"NewWebhook({self.webhook.id!r}, secret=***)"


# --- Keeping ----------------------------------------------------------------------------------------------------


def add(tx: Transaction, vault: Vault, url: str, wanted: Sequence[str], secret: str | None, now: int) -> NewWebhook:
    """A new receiver of the events named in `wanted`, or of all. Raises WebhookError."""
    _check_url(url)
    unknown = [name for name in wanted if name not in events.NAMES]
    if unknown:
        raise WebhookError(f"{', '.join(unknown)}: no such event; there are {', '.join(events.NAMES)}")
    secret = secret or _SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
    _key_of(secret)
    webhook_id = "wh-" + secrets.token_hex(4)
    sealed = vault.seal(secret, webhook_id)
    webhook = Webhook(webhook_id, url, tuple(wanted) or events.NAMES, sealed, now)
    webhooks.insert(tx, webhook)
    return NewWebhook(webhook, secret)


def get(tx: Transaction, webhook_id: str) -> Webhook:
    """Raises WebhookError."""
    found = webhooks.find(tx, webhook_id)
    if found is None:
        raise WebhookError(f"there is no webhook {webhook_id}")
    return found


def send_again(tx: Transaction, webhook: Webhook, event_id: str | None, now: int) -> int:
    """Let events that were set aside, or one of them, wait again in their old order; returns how many.

    Whatever waits for this webhook is sent at once.
    """
    chosen = [one for one in webhooks.failed(tx, webhook.id) if event_id in (None, one.event_id)]
    for delivery in chosen:
        webhooks.let_wait_again(tx, delivery)
    for stream in webhooks.streams(tx, webhook.id):
        events.ask_for_delivery(tx, webhook, stream, now)
        jobs.hurry(tx, events.JOB, events.job_key(webhook, stream), now)
    return len(chosen)


def _check_url(url: str) -> None:
    """Only what can be shown in lists and connected to: no credentials, no other scheme. Raises WebhookError."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not _URL.fullmatch(url):
        raise WebhookError(f"{url!r} is no http or https URL")
    if parts.username is not None or parts.fragment:
        raise WebhookError("a URL with a user name or a fragment cannot be used; messages are signed instead")


def _key_of(secret: str) -> bytes:
    """The bytes of a secret (Standard Webhooks, "Signature scheme"). Raises WebhookError."""
    try:
        key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_SECRET_PREFIX) or len(key) not in _SECRET_LENGTHS:
        raise WebhookError(f"a secret is {_SECRET_PREFIX} and the base64 of 24 to 64 random bytes")
    return key


# --- Sending ----------------------------------------------------------------------------------------------------


def signed_headers(secret: str, event_id: str, body: bytes, now: int) -> dict[str, str]:
    """The headers of a message. The time is signed, too: a receiver can refuse a message that was kept and replayed."""
    timestamp = str(now // SECOND)
    signature = hmac.digest(_key_of(secret), f"{event_id}.{timestamp}.".encode() + body, "sha256")
    return {
        "content-type": "application/json",
        "user-agent": "moorage",
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": "v1," + base64.b64encode(signature).decode(),
    }


async def post(line: Line, secret: str, event_id: str, body: bytes, now: int) -> int:
    """Send one message; returns the status. Raises Unreachable."""
    try:
        async with asyncio.timeout(_MESSAGE_SECONDS):
            return await line.post(body, signed_headers(secret, event_id, body, now))
    except TimeoutError:
        raise Unreachable(f"no answer within {_MESSAGE_SECONDS} seconds") from None


def is_acceptance(status: int) -> bool:
    """Whether the receiver has taken the message."""
    return 200 <= status < 300


def test_event(account: str, now: int) -> tuple[str, dict[str, Any]]:
    """An event that says nothing but that the way is open, and its id."""
    event_id = str(uuid.uuid4())
    event = Event("TEST", "Moorage Webhook Test", Registry(account, "us-east-1"), "", now, {"result": "SUCCESS"})
    return event_id, events.envelope(event, event_id) | {"source": "moorage"}


@dataclass(slots=True)
class _Outcome:
    """What became of a batch, up to the first message that must be tried again, and why it must."""

    accepted: list[Delivery]
    refused: list[tuple[Delivery, str]]
    failure: str | None = None


class DeliveryJobs:
    """Does the jobs that deliver."""

    def __init__(self, database: Database, vault: Vault, courier: Courier, now: Clock) -> None:
        self._database = database
        self._vault = vault
        self._courier = courier
        self._now = now

    async def deliver(self, job: Job) -> None:
        """Send all that waits in a stream. Raises JobFailed when the receiver should be asked again later."""
        webhook_id, _, stream = job.key.partition(" ")
        webhook = await self._database.read(partial(webhooks.find, webhook_id=webhook_id))
        if webhook is None:
            return
        secret = self._vault.open(webhook.sealed_secret, webhook.id)
        with closing(self._courier.line(webhook.url)) as line:
            waiting = partial(webhooks.waiting, webhook_id=webhook_id, stream=stream, limit=_BATCH)
            while batch := await self._database.read(waiting):
                outcome = await self._send(line, secret, batch)
                await self._database.write(partial(self._note, job=job, webhook=webhook, outcome=outcome))
                if outcome.failure is not None:
                    return

    async def forget_old(self, _: Job) -> None:
        """Remove what was set aside long ago."""
        before = self._now() - KEEP_FAILED
        await self._database.write(partial(webhooks.forget_failed, before=before))

    async def _send(self, line: Line, secret: str, batch: Iterable[Delivery]) -> _Outcome:
        outcome = _Outcome([], [])
        for delivery in batch:
            try:
                status = await post(line, secret, delivery.event_id, delivery.body.encode(), self._now())
            except Unreachable as error:
                outcome.failure = str(error)
                return outcome
            if is_acceptance(status):
                outcome.accepted.append(delivery)
            elif status < 500 and status not in _PASSING_STATUSES:
                outcome.refused.append((delivery, f"the receiver answered {status}"))
            else:
                outcome.failure = f"the receiver answered {status}"
                return outcome
        return outcome

    def _note(self, tx: Transaction, job: Job, webhook: Webhook, outcome: _Outcome) -> None:
        """Write down what a batch came to. Raises JobFailed when it came to nothing, and is to be tried again."""
        webhooks.remove(tx, outcome.accepted)
        for delivery, reason in outcome.refused:
            webhooks.give_up(tx, delivery, reason)
        if outcome.failure is None:
            return
        stream = job.key.partition(" ")[2]
        if outcome.accepted or outcome.refused:  # It did answer: the delays begin anew.
            events.ask_for_delivery(tx, webhook, stream, self._now() + FIRST_DELAY)
        elif job.attempts < ATTEMPTS:
            raise JobFailed(outcome.failure)
        else:
            webhooks.give_up_stream(tx, webhook.id, stream, outcome.failure)
