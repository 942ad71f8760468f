"""Event targets: add them, change their format, and send failed events again."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from moorage.core.events import record as events
from moorage.core.events.formats import EVENTBRIDGE, FORMATS
from moorage.core.events.signing import SecretInvalid, key_of, new_secret
from moorage.core.vault import Vault
from moorage.domain.ports import EventSender, TargetUrlInvalid
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.events import deliveries, targets
from moorage.metadata.events.deliveries import Delivery
from moorage.metadata.events.targets import EventTarget

_READ_AT_ONCE: Final = 2000
_URL: Final = re.compile(r"[!-~]{1,2048}", re.ASCII)


class EventTargetError(Exception):
    """A request about an event target cannot be done. The text is for the operator."""


@dataclass(frozen=True, slots=True)
class TargetRequest:
    """An event target to add. Without `events` it gets all events; without `secret` it gets a new one."""

    url: str
    format: str = EVENTBRIDGE
    events: tuple[str, ...] = ()
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class NewTarget:
    """A new event target with its secret, which is shown only once."""

    target: EventTarget
    secret: str = field(repr=False)


def add(tx: Transaction, vault: Vault, sender: EventSender, request: TargetRequest, now: int) -> NewTarget:
    """Add an event target. Raises EventTargetError."""
    _check_url(sender, request.url)
    _check_names("event", request.events, events.NAMES)
    _check_names("format", [request.format], FORMATS)
    secret = request.secret or new_secret()
    try:
        key_of(secret)
    except SecretInvalid as error:
        raise EventTargetError(str(error)) from None
    target_id = "wh-" + secrets.token_hex(4)
    names = tuple(request.events) or events.NAMES
    target = EventTarget(target_id, request.url, request.format, names, vault.seal(secret, target_id), now)
    targets.insert(tx, target)
    return NewTarget(target, secret)


def get(tx: Transaction, target_id: str) -> EventTarget:
    """Raises EventTargetError."""
    found = targets.find(tx, target_id)
    if found is None:
        raise EventTargetError(f"there is no webhook {target_id}")
    return found


def set_format(tx: Transaction, target_id: str, name: str) -> None:
    """Choose the format of all events that are sent from now on, waiting events included. Raises EventTargetError."""
    _check_names("format", [name], FORMATS)
    targets.set_format(tx, get(tx, target_id).id, name)


def send_again(tx: Transaction, target: EventTarget, event_id: str | None, now: int) -> int:
    """Let failed deliveries, or the one of `event_id`, wait again in their old order; returns how many.

    Everything that waits for this target becomes due.
    """
    chosen = [delivery for delivery in deliveries.failed(tx, target.id) if event_id in (None, delivery.event_id)]
    for delivery in chosen:
        deliveries.wait_again(tx, delivery)
    for stream in deliveries.waiting_streams(tx, target.id):
        _send_now(tx, target, stream, now)
    return len(chosen)


def failed_after(
    tx: Transaction, target: EventTarget, after: tuple[str, int], limit: int, stream: str | None = None
) -> tuple[list[Delivery], tuple[str, int] | None]:
    """At most `limit` failed deliveries behind a stream and id, and where to continue, if there may be more.

    With `stream`, only those of this stream. It reads a bounded number of deliveries.
    """
    read = deliveries.page(tx, target.id, after, _READ_AT_ONCE)
    chosen = [one for one in read if stream in (None, one.stream)]
    failed = [one for one in chosen if one.error is not None]
    if len(failed) > limit:
        return failed[:limit], (failed[limit - 1].stream, failed[limit - 1].id)
    may_go_on = len(read) == _READ_AT_ONCE and len(chosen) == len(read)
    return failed, (read[-1].stream, read[-1].id) if may_go_on else None


def replay(tx: Transaction, target: EventTarget, failed: Iterable[Delivery], now: int) -> int:
    """Let failed deliveries wait again in their old order, and send their streams at once; returns how many."""
    streams = []
    for delivery in failed:
        deliveries.wait_again(tx, delivery)
        streams.append(delivery.stream)
    for stream in dict.fromkeys(streams):
        _send_now(tx, target, stream, now)
    return len(streams)


def _send_now(tx: Transaction, target: EventTarget, stream: str, now: int) -> None:
    events.request_delivery(tx, target, stream, now)
    jobs.hurry(tx, events.JOB, events.job_key(target, stream), now)


def _check_url(sender: EventSender, url: str) -> None:
    """Accept what a list can show and a sender can send to. Raises EventTargetError."""
    if not _URL.fullmatch(url):
        raise EventTargetError(f"{url!r} is not a URL: it has 1 to 2048 printable ASCII characters, and no spaces")
    try:
        sender.check(url)
    except TargetUrlInvalid as error:
        raise EventTargetError(str(error)) from None


def _check_names(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raises EventTargetError."""
    unknown = [name for name in names if name not in known]
    if unknown:
        raise EventTargetError(f"{', '.join(unknown)}: no such {kind}; there are {', '.join(known)}")
