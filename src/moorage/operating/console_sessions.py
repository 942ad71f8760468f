"""The sessions of the console of an account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from moorage.api.call import ApiCall, HandlerOf, seconds
from moorage.core.console import sessions
from moorage.metadata.database import LARGEST_INTEGER
from moorage.metadata.identity import console_sessions as rows
from moorage.metadata.identity.console_sessions import ConsoleSession
from moorage.operating.refusals import ResourceNotFound
from moorage.operating.service import requested_page, with_token

if TYPE_CHECKING:
    from moorage.operating import shapes


async def list_console_sessions(call: ApiCall, request: shapes.ListConsoleSessionsRequest) -> Mapping[str, Any]:
    """Sessions that have ended are left out: their rows go with the next sign-in."""
    page = requested_page(call, request, "ListConsoleSessions", (LARGEST_INTEGER, ""))
    found = await call.read(lambda tx: rows.page(tx, call.caller.account, page.after, page.fetch))
    on_page, token = page.cut(found, lambda session: (session.started_at, session.id))
    now = call.services.now()
    return with_token({"sessions": [_view(call, each) for each in on_page if each.expires_at > now]}, token)


async def end_console_session(call: ApiCall, request: shapes.EndConsoleSessionRequest) -> Mapping[str, Any]:
    session_id = request["sessionId"]
    if not await call.write(lambda tx: sessions.end(tx, call.caller.account, session_id)):
        raise ResourceNotFound(reason=f"The account has no session {session_id}")
    return {}


def _view(call: ApiCall, session: ConsoleSession) -> shapes.ConsoleSession:
    own = call.credentials.session
    view: shapes.ConsoleSession = {
        "sessionId": session.id,
        "principalArn": session.principal,
        "startedAt": seconds(session.started_at),
        "expiresAt": seconds(session.expires_at),
        "isLink": session.is_link,
        "isCurrent": own is not None and own.key == session.session_key,
    }
    if not session.is_link:
        view |= {"sourceIpAddress": session.client, "userAgent": session.user_agent}
    return view


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = {
    "ListConsoleSessions": list_console_sessions,
    "EndConsoleSession": end_console_session,
}
