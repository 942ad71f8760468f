"""How a request came, as conditions of policies ask for it."""

from __future__ import annotations

from typing import Final

from moorage.domain.identity.policies.request import RequestContext
from moorage.http.messages import Request

LONGEST_AGENT: Final = 1024
"""Characters of a User-Agent that conditions see: a policy's patterns on 64 KiB would take their time."""


def request_context_of(request: Request, time: int) -> RequestContext:
    """Address, transport and program of the client, as the forwarding of a trusted proxy tells them."""
    secure = request.scope.get("scheme") == "https"
    agent = request.header(b"user-agent")
    return RequestContext(time, request.client, secure, agent[:LONGEST_AGENT] if agent else None)
