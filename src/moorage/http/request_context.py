"""The context of a request for policy conditions."""

from __future__ import annotations

from typing import Final

from moorage.domain.identity.policies.request import RequestContext
from moorage.http.messages import Request

MAX_USER_AGENT_LENGTH: Final = 1024
"""Maximum length of the User-Agent in conditions; matching patterns against 64 KiB would take long."""


def request_context_of(request: Request, time: int) -> RequestContext:
    """The client's address, transport and program, after the headers of a trusted proxy were applied."""
    secure = request.scheme == "https"
    agent = request.header(b"user-agent")
    return RequestContext(time, request.client, secure, agent[:MAX_USER_AGENT_LENGTH] if agent else None)
