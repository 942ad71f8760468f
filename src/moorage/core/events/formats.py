"""The formats of events: how a stored event becomes a message.

Events are stored in EventBridge's shape and rendered when they are sent. So a target's format can change while events
wait for it, and a program that does not have a format can still store events for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from moorage.core.events import cloudevents
from moorage.domain.ports import Message, TargetUnavailable
from moorage.metadata.events.deliveries import Delivery

EVENTBRIDGE: Final = "eventbridge"


def render(name: str, delivery: Delivery) -> Message:
    """The message for a target of that format. Raises TargetUnavailable when only a newer program has the format."""
    if name not in FORMATS:
        raise TargetUnavailable(f"this version of Moorage does not have the event format {name}")
    return FORMATS[name](delivery)


def _as_stored(delivery: Delivery) -> Message:
    return Message(delivery.body.encode(), {"content-type": "application/json"})


FORMATS: Final[Mapping[str, Callable[[Delivery], Message]]] = {
    EVENTBRIDGE: _as_stored,
    "cloudevents": cloudevents.structured,
    "cloudevents-binary": cloudevents.binary,
}
"""One row for each format. docs/events.md says how to add a format."""
