"""The status of the server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from moorage.api.call import ApiCall, HandlerOf, seconds
from moorage.core.operating import status
from moorage.core.operating.status import Background
from moorage.domain.errors import Unavailable

if TYPE_CHECKING:
    from moorage.operating import shapes


async def get_server_status(call: ApiCall, _request: shapes.GetServerStatusRequest) -> Mapping[str, Any]:
    server = call.services.status
    if server is None:
        raise Unavailable(reason="No server runs this request")
    background = await call.read(status.background)
    disks = await asyncio.to_thread(server.disks)
    free, reserves = disks["moorage_disk_free_bytes"], disks["moorage_disk_reserve_bytes"]
    return _last_verification(background) | {
        "version": server.version,
        "node": server.node,
        "startedAt": server.traffic.started_at,
        "isReady": await server.is_ready(for_writing=False),
        "isReadyForWriting": await server.is_ready(for_writing=True),
        "traffic": [
            {
                "beganAt": minute.began_at,
                "requests": minute.requests,
                "clientErrors": minute.client_errors,
                "serverErrors": minute.server_errors,
            }
            for minute in server.traffic.minutes()
        ],
        "disks": [
            {"content": content, "freeBytes": int(size), "reserveBytes": int(reserves[content])}
            for content, size in free.items()
        ],
        "migrations": [
            {"role": each.role, "state": each.state, "other": each.other, "beganAt": seconds(each.began_at)}
            for each in background.migrations
        ],
        "isVerificationInterrupted": background.verified_to > 0,
        "replicationsWaiting": background.replications_waiting,
        "replicationsFailed": background.replications_failed,
    }


def _last_verification(background: Background) -> dict[str, Any]:
    last = background.last_verification
    if last is None:
        return {}
    return {
        "lastVerification": {
            "beganAt": seconds(last.began_at),
            "endedAt": seconds(last.ended_at),
            "findings": last.findings,
            "unrepaired": last.unrepaired,
        }
    }


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = {"GetServerStatus": get_server_status}
