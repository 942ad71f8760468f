"""The kinds of event targets: the scheme of a target's URL selects the adapter that sends to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from moorage.adapters.http_sender import HttpSender
from moorage.domain.ports import EventSender, TargetConnection, TargetUnavailable, TargetUrlInvalid

SENDERS: Final[Mapping[str, Callable[[], EventSender]]] = {
    "http": HttpSender,
    "https": HttpSender,
}
"""One row for each scheme. docs/events.md says how to add a kind of target."""


class EventSenders:
    """Sends to targets of all kinds."""

    def __init__(self, senders: Mapping[str, Callable[[], EventSender]] = SENDERS) -> None:
        self._senders = {scheme: make() for scheme, make in senders.items()}

    def check(self, url: str) -> None:
        """Check the URL of an event target. Raises TargetUrlInvalid if no sender accepts it."""
        sender = self._sender(url)
        if sender is None:
            raise TargetUrlInvalid(f"{url!r} is not a URL of an event target; schemes are {', '.join(self._senders)}")
        sender.check(url)

    def connect(self, url: str) -> TargetConnection:
        """Return a connection to a target.

        Raises TargetUnavailable, also when only a newer program has a sender for that URL.
        """
        sender = self._sender(url)
        if sender is None:
            raise TargetUnavailable(f"this version of Moorage cannot send to {url}")
        return sender.connect(url)

    def _sender(self, url: str) -> EventSender | None:
        return self._senders.get(url.partition(":")[0].lower())
