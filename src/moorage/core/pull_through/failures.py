"""What the failures of upstream registries mean for a pull."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from moorage.domain.pull_through.upstream_errors import (
    UpstreamAccessDenied,
    UpstreamInvalid,
    UpstreamRefusal,
    UpstreamTooManyRequests,
    UpstreamUnavailable,
)
from moorage.domain.remote_registries import (
    RemoteDenied,
    RemoteFailure,
    RemoteInvalid,
    RemoteMissing,
    RemoteThrottled,
)
from moorage.telemetry import Log

_LONGEST_PAUSE: Final = 3600
"""Longest pause in seconds that a client is asked to make, even if an upstream registry demands a longer one."""


class NotUpstream(Exception):
    """The upstream registry does not have it."""


@contextmanager
def translated() -> Iterator[None]:
    """Translate failures of an upstream registry into refusals. Raises NotUpstream, UpstreamRefusal."""
    try:
        yield
    except RemoteMissing:
        raise NotUpstream from None
    except RemoteFailure as failure:
        raise refusal_of(failure) from None
    except TimeoutError:
        raise UpstreamUnavailable(reason="The upstream registry does not answer in time") from None


def refusal_of(failure: RemoteFailure) -> UpstreamRefusal:
    """The refusal of a pull. Callers read what happened, without the port's text, which can have addresses."""
    refusal = _refusal_of(failure)
    refusal.detail = str(failure)
    return refusal


def _refusal_of(failure: RemoteFailure) -> UpstreamRefusal:
    answered = f". It answered {failure.status}" if failure.status else ""
    match failure:
        case RemoteThrottled():
            pause = min(max(math.ceil(failure.retry_after), 1), _LONGEST_PAUSE)
            reason = "The upstream registry asks for fewer requests"
            return UpstreamTooManyRequests(reason=reason, members={"retry_after": pause})
        case RemoteDenied():
            return UpstreamAccessDenied(reason=f"Access to the upstream registry is denied{answered}")
        case RemoteInvalid():
            return UpstreamInvalid(reason="The answer of the upstream registry is not valid")
        case _:
            reason = "The upstream registry has failed" if answered else "The upstream registry cannot be reached"
            return UpstreamUnavailable(reason=f"{reason}{answered}")


def report(log: Log, host: str, refusal: UpstreamRefusal) -> None:
    """Log why an upstream registry failed. The same failure is logged once in a while."""
    log.event_once("upstream", registry=host, error=refusal.detail or str(refusal))
