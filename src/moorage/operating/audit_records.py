"""The search of audit records."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from moorage.api.call import ApiCall, HandlerOf
from moorage.core.operating.audit_records import Selection
from moorage.domain.units import SECOND
from moorage.operating.service import requested_page, with_token

if TYPE_CHECKING:
    from moorage.operating import shapes

_COPIED: Final = ("eventName", "eventSource", "sourceIPAddress", "userAgent", "errorCode", "errorMessage")


async def search_audit_records(call: ApiCall, request: shapes.SearchAuditRecordsRequest) -> Mapping[str, Any]:
    selection = Selection(
        account=None if request.get("scope") == "SERVER" else call.caller.account,
        start=_microseconds(request.get("startTime")),
        end=_microseconds(request.get("endTime")),
        event_name=request.get("eventName"),
        principal=request.get("principal"),
        errors_only=request.get("errorsOnly", False),
    )
    start: tuple[int, ...] = ()
    page = requested_page(call, request, f"SearchAuditRecords:{selection}", start)
    after = (page.after[0], page.after[1]) if page.after else None
    found = await call.services.audit_records.search(selection, after, page.limit)
    members: dict[str, Any] = {"records": [_view(record) for record in found.records]}
    if found.oldest is not None:
        members["searchedBackTo"] = _seconds(found.oldest)
    return with_token(members, None if found.end is None else page.token(found.end))


def _microseconds(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * SECOND)


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def _view(record: dict[str, Any]) -> dict[str, Any]:
    identity = record.get("userIdentity", {})
    view = {name: record[name] for name in _COPIED if record.get(name)}
    principal = identity.get("arn") or identity.get("userName")
    if principal:
        view["principal"] = principal
    if record.get("recipientAccountId"):
        view["accountId"] = record["recipientAccountId"]
    return {
        "eventId": record.get("eventID", ""),
        "eventTime": _seconds(record["eventTime"]),
        "readOnly": record.get("readOnly", False),
        "record": msgspec.json.encode(record).decode(),
        **view,
    }


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = {"SearchAuditRecords": search_audit_records}
