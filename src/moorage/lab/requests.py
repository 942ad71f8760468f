"""The request log of a lab: the last requests with their operations, callers and parameters, for tests to assert on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any, Final

import msgspec

from moorage.bounds import shortened
from moorage.http.messages import CallDetails, Request

MOST_REQUESTS: Final = 10_000
_PARAMETER_BYTES: Final = 512
"""The longest parameter that is kept. Layers and manifests are longer."""

_WITHOUT_SECRETS: Final = "AmazonEC2ContainerRegistry_"
"""The target prefix of the service whose parameters are kept: no member of a request to ECR is a secret."""


class RequestLog:
    """A `RequestMeter` that keeps the last requests."""

    def __init__(self) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=MOST_REQUESTS)
        self._numbers = count(1)

    def count(self, request: Request, details: CallDetails, status: int, seconds: float, sent: int) -> None:
        caller = details.caller
        self._entries.append(
            {
                "number": next(self._numbers),
                "time": round(time.time(), 3),
                "method": request.method,
                "path": shortened(request.path),
                "operation": shortened(details.operation),
                "caller": shortened("" if caller is None else caller.arn),
                "region": "" if caller is None else caller.region,
                "parameters": _parameters(request, details),
                "userAgent": shortened(request.header(b"user-agent") or ""),
                "status": status,
                "received": request.body.received,
                "sent": sent,
                "milliseconds": round(seconds * 1000, 3),
            }
        )

    def clear(self) -> None:
        self._entries.clear()

    def found(self, wanted: Iterable[tuple[str, str]], after: int) -> Iterator[dict[str, Any]]:
        """The requests after a number whose entries have these values, oldest first."""
        wanted = list(wanted)
        for entry in self._entries:
            if entry["number"] > after and all(str(entry[name]) == value for name, value in wanted):
                yield entry


def _parameters(request: Request, details: CallDetails) -> dict[str, Any]:
    if not details.parameters or not (request.header(b"x-amz-target") or "").startswith(_WITHOUT_SECRETS):
        return {}
    return {name: value for name, value in details.parameters.items() if _is_short(value)}


def _is_short(value: Any) -> bool:
    return not isinstance(value, bytes) and len(msgspec.json.encode(value)) <= _PARAMETER_BYTES
