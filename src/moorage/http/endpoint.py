"""Endpoints: what answers the requests under a path, and the outcome of each request.

A request is only read. What becomes known while it is served (operation, caller, parameters) is in the outcome, where
the log, metrics, traces and the audit log find it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from moorage.domain.identity.callers import Caller
from moorage.http.bodies import ClientGone
from moorage.http.messages import Request, Response
from moorage.telemetry import Log


@dataclass(slots=True)
class CallDetails:
    """What is known of a call, as far as it got: a refusal or a fault may end it at any step.

    `caller` is the authenticated caller, and `caller_name` how logs name it: by access key id or ARN. `parameters` are
    the members of the operation's request.
    """

    operation: str = ""
    caller: Caller | None = None
    caller_name: str = ""
    parameters: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request. There is no response for a client that is gone."""

    response: Response | None
    details: CallDetails


class Endpoint(ABC):
    """Serves the requests under a path, and answers faults in its own protocol."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def handle(self, request: Request) -> Outcome:
        """Serve a request. Whatever happens there is an outcome; a fault is logged here, once."""
        details = CallDetails()
        try:
            response = await self.respond(request, details)
        except ClientGone:
            return Outcome(None, details)
        except Exception:  # noqa: BLE001 - the one place where a fault is logged and answered
            self._log.fault(request.id, details.operation)
            response = self.fault(request, details)
        return Outcome(response, details)

    @abstractmethod
    async def respond(self, request: Request, details: CallDetails) -> Response:
        """The response to a request; `details` is filled in on the way. Raises ClientGone, and anything for a fault."""

    @abstractmethod
    def fault(self, request: Request, details: CallDetails) -> Response:
        """The response to a request that failed because of an internal error."""
