"""Attempts to cache something: their events, and how often this process asked upstream registries, with what result.

The events are those of the ECR user guide ("Events and EventBridge": ECR Pull Through Cache Action).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from moorage.core.events.record import PULL_THROUGH, Event
from moorage.core.events.record import record as record_event
from moorage.core.pull_through.failures import NotUpstream, translated
from moorage.core.pull_through.source import Source
from moorage.domain.names import Registry
from moorage.domain.pull_through.rules import Rule
from moorage.domain.pull_through.upstream_errors import (
    UpstreamAccessDenied,
    UpstreamInvalid,
    UpstreamRefusal,
    UpstreamTooManyRequests,
    UpstreamUnavailable,
)
from moorage.metadata.database import Transaction

_DETAIL_TYPE: Final = "ECR Pull Through Cache Action"
_RESULTS: Final = {
    UpstreamAccessDenied: "denied",
    UpstreamInvalid: "invalid",
    UpstreamTooManyRequests: "throttled",
    UpstreamUnavailable: "unavailable",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to get an image of a repository by tag or digest, as far as they are known."""

    registry: Registry
    name: str
    rule: Rule
    tag: str | None
    digest: str | None

    @classmethod
    def of(cls, source: Source, tag: str | None, digest: str | None) -> Attempt:
        return cls(source.registry, source.name, source.rule, tag, digest)


def record(tx: Transaction, attempt: Attempt, failure: UpstreamRefusal | None, now: int) -> None:
    """Record the event of an attempt. `failure` is None for a success."""
    detail: dict[str, Any] = {
        "rule-version": "1",
        "sync-status": "FAILED" if failure else "SUCCESS",
        "ecr-repository-prefix": attempt.rule.prefix,
        "repository-name": attempt.name,
        "upstream-registry-url": attempt.rule.url,
        "image-tag": attempt.tag or "",
        "image-digest": attempt.digest or "",
    }
    if failure is not None:
        detail |= {"failure-code": failure.failure_code, "failure-reason": str(failure)}
    arn = attempt.registry.repository_arn(attempt.name)
    record_event(tx, Event(PULL_THROUGH, _DETAIL_TYPE, attempt.registry, arn, now, detail, (arn,)))


class CacheMeter(Protocol):
    """Counts fetches by the name of the upstream registry, content and result, and hits."""

    def count_fetch(self, upstream: str, content: str, result: str) -> None: ...
    def count_hit(self) -> None: ...


class CacheCounts:
    """The counts of one process. Before `report_to` nothing is counted."""

    def __init__(self) -> None:
        self._meter: CacheMeter | None = None

    def report_to(self, meter: CacheMeter) -> None:
        self._meter = meter

    def hit(self) -> None:
        """Count a pull of a cached tag that asked nobody."""
        if self._meter is not None:
            self._meter.count_hit()

    @contextmanager
    def counted(self, upstream: str, content: str) -> Iterator[None]:
        """Count a request to an upstream registry by its result, unless this server failed.

        Raises NotUpstream, UpstreamRefusal.
        """
        try:
            with translated():
                yield
        except NotUpstream:
            self._count(upstream, content, "missing")
            raise
        except UpstreamRefusal as refusal:
            self._count(upstream, content, _RESULTS[type(refusal)])
            raise
        self._count(upstream, content, "success")

    def _count(self, upstream: str, content: str, result: str) -> None:
        if self._meter is not None:
            self._meter.count_fetch(upstream, content, result)
