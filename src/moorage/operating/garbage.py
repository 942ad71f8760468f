"""What a garbage collection would remove, and its start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from moorage.api.call import ApiCall, HandlerOf
from moorage.core.garbage.collect import Collector
from moorage.core.jobs import JobError
from moorage.core.operating import garbage
from moorage.operating.refusals import Conflict

if TYPE_CHECKING:
    from moorage.operating import shapes

_DEFAULT: Final = 100


async def list_garbage(call: ApiCall, request: shapes.ListGarbageRequest) -> Mapping[str, Any]:
    services = call.services
    collector = Collector(services.database, services.blobs, services.now)
    found, is_complete = await garbage.listed(
        collector, services.limits.grace_period, request.get("maxResults", _DEFAULT)
    )
    items = [{"kind": item.kind, "name": item.name, "size": item.size, "reason": item.why} for item in found]
    return {"items": items, "isComplete": is_complete}


async def start_collection(call: ApiCall, _request: shapes.StartCollectionRequest) -> Mapping[str, Any]:
    now = call.services.now()
    try:
        await call.write(lambda tx: garbage.start_collection(tx, now))
    except JobError as error:
        raise Conflict(reason=str(error)) from None
    return {}


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = {
    "ListGarbage": list_garbage,
    "StartCollection": start_collection,
}
