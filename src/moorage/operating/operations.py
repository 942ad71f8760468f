"""All operations of the operating API, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from moorage.api.call import ApiCall, HandlerOf
from moorage.operating import (
    audit_records,
    console_sessions,
    deleted_images,
    garbage,
    jobs,
    repositories,
    retention,
    server_status,
    usage,
    verification,
    webhooks,
)

OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = {
    **repositories.OPERATIONS,
    **console_sessions.OPERATIONS,
    **deleted_images.OPERATIONS,
    **jobs.OPERATIONS,
    **webhooks.OPERATIONS,
    **usage.OPERATIONS,
    **garbage.OPERATIONS,
    **audit_records.OPERATIONS,
    **server_status.OPERATIONS,
    **retention.OPERATIONS,
    **verification.OPERATIONS,
}
