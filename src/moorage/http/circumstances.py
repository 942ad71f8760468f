"""How a request came, as conditions of policies ask for it."""

from __future__ import annotations

from moorage.domain.policies.request import Circumstances
from moorage.http.messages import Request


def circumstances_of(request: Request, time: int) -> Circumstances:
    """Address, transport and program of the client, as the forwarding of a trusted proxy tells them."""
    secure = request.scope.get("scheme") == "https"
    return Circumstances(time, request.client, secure, request.header(b"user-agent"))
