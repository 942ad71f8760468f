"""Traces for an OpenTelemetry collector: `moorage serve --traces`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from moorage.config.settings import Settings
from moorage.config.table import InvalidSetting
from moorage.telemetry import Log

if TYPE_CHECKING:
    from moorage.tracing.spans import Tracing


def tracing_for(settings: Settings) -> Callable[[Log], Tracing] | None:
    """A factory for the tracing of each worker process; None without `traces`. Raises InvalidSetting."""
    if not settings.traces:
        return None
    if find_spec("opentelemetry") is None:
        raise InvalidSetting("--traces needs more packages: install moorage[traces] in place of moorage.")
    return partial(_tracing, settings.traces, settings.traces_share)


def _tracing(url: str, share: float, log: Log) -> Tracing:
    from moorage.tracing.spans import Tracing  # noqa: PLC0415 - takes 150 ms, and needs an extra

    return Tracing(url, share, log)
