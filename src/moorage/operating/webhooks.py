"""The receivers of events, and the events that failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from moorage.api.call import ApiCall, HandlerOf, seconds
from moorage.core.events import targets
from moorage.core.events.targets import EventTargetError
from moorage.core.operating.status import COUNTED
from moorage.domain.errors import Validation
from moorage.metadata.database import Transaction
from moorage.metadata.events import deliveries
from moorage.metadata.events import targets as rows
from moorage.metadata.events.deliveries import Delivery
from moorage.metadata.events.targets import EventTarget
from moorage.operating.refusals import ResourceNotFound
from moorage.operating.service import requested_page, with_token

if TYPE_CHECKING:
    from moorage.operating import shapes

_START: Final = ("", 0)


async def list_webhooks(call: ApiCall, request: shapes.ListWebhooksRequest) -> Mapping[str, Any]:
    page = requested_page(call, request, "ListWebhooks", (-1, ""))

    def read(tx: Transaction) -> list[tuple[EventTarget, int, int]]:
        found = rows.page(tx, page.after, page.fetch)
        return [(target, *deliveries.count_some(tx, target.id, COUNTED + 1)) for target in found]

    on_page, token = page.cut(await call.read(read), lambda row: (row[0].created_at, row[0].id))
    return with_token({"webhooks": [_view(*row) for row in on_page]}, token)


async def list_failed_events(call: ApiCall, request: shapes.ListFailedEventsRequest) -> Mapping[str, Any]:
    webhook_id = request["webhookId"]
    page = requested_page(call, request, f"ListFailedEvents:{webhook_id}", _START)
    found, end = await call.read(lambda tx: targets.failed_after(tx, _target(tx, webhook_id), page.after, page.limit))
    return with_token({"failedEvents": [_event(one) for one in found]}, None if end is None else page.token(end))


async def replay_failed_events(call: ApiCall, request: shapes.ReplayFailedEventsRequest) -> Mapping[str, Any]:
    webhook_id, stream, event_id = request["webhookId"], request.get("stream"), request.get("eventId")
    if event_id is not None and stream is None:
        raise Validation(reason="eventId needs stream")
    scope = f"ReplayFailedEvents:{webhook_id}:{stream}:{event_id}"
    page = requested_page(call, request, scope, _START if stream is None else (stream, 0))
    now = call.services.now()

    def work(tx: Transaction) -> tuple[int, tuple[str, int] | None]:
        target = _target(tx, webhook_id)
        failed, end = targets.failed_after(tx, target, page.after, page.limit, stream)
        chosen = [one for one in failed if event_id in (None, one.event_id)]
        return targets.replay(tx, target, chosen, now), end

    replayed, end = await call.write(work)
    return with_token({"replayedEvents": replayed}, None if end is None else page.token(end))


def _target(tx: Transaction, webhook_id: str) -> EventTarget:
    try:
        return targets.get(tx, webhook_id)
    except EventTargetError:
        raise ResourceNotFound(reason=f"There is no webhook {webhook_id}") from None


def _view(target: EventTarget, waiting: int, failed: int) -> dict[str, Any]:
    return {
        "webhookId": target.id,
        "url": target.url,
        "format": target.format,
        "events": list(target.events),
        "createdAt": seconds(target.created_at),
        "waitingEvents": waiting,
        "failedEvents": failed,
        "isCountPartial": waiting + failed > COUNTED,
    }


def _event(delivery: Delivery) -> dict[str, Any]:
    return {
        "eventId": delivery.event_id,
        "stream": delivery.stream,
        "recordedAt": seconds(delivery.recorded_at),
        "error": delivery.error or "",
        "event": delivery.body,
    }


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = {
    "ListWebhooks": list_webhooks,
    "ListFailedEvents": list_failed_events,
    "ReplayFailedEvents": replay_failed_events,
}
