"""Tracing for a collector of OpenTelemetry, when `moorage serve` is asked for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from moorage.config import Settings, SettingWrong
from moorage.telemetry import Log

if TYPE_CHECKING:
    from moorage.tracing.spans import Tracing


def tracing_for(settings: Settings) -> Callable[[Log], Tracing] | None:
    """What each worker traces with; None without `traces`. Raises SettingWrong where the packages are not there."""
    if not settings.traces:
        return None
    if find_spec("opentelemetry") is None:
        raise SettingWrong("traces: needs more packages: pip install 'moorage[traces]'")
    return partial(_tracing, settings.traces, settings.traces_share)


def _tracing(url: str, share: float, log: Log) -> Tracing:
    from moorage.tracing.spans import Tracing  # noqa: PLC0415 - 150 ms in the worker, and an extra

    return Tracing(url, share, log)
