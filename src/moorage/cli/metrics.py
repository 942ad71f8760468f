"""Counting for Prometheus, when `moorage serve` is asked for it."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial

from moorage import app
from moorage.adapters.data_folder import DataFolder
from moorage.config import Settings, share_counts
from moorage.http.application import RequestMeter


def meter_for(settings: Settings, folder: DataFolder) -> Callable[[], RequestMeter] | None:
    """Answer whoever asks on the address of `metrics`, until this process ends; returns what each worker counts with.

    To be called before worker processes start: they inherit where to count. None without `metrics`. Raises OSError.
    """
    if settings.metrics_address is None:
        return None
    counts = tempfile.mkdtemp(prefix="moorage-counts-")
    atexit.register(_remove, counts, os.getpid())
    share_counts(counts)
    from moorage import metrics  # noqa: PLC0415 - it looks for the folder when it is imported

    host, port = settings.metrics_address
    metrics.serve(host.strip("[]"), port, counts, partial(app.gauges, settings, folder))
    return metrics.Meter


def _remove(counts: str, owner: int) -> None:
    """Worker processes are forks: what the main process is to do at its end is not theirs."""
    if os.getpid() == owner:
        shutil.rmtree(counts, ignore_errors=True)
