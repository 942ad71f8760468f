"""Metrics for Prometheus: `moorage serve --metrics`."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from moorage.adapters.data_folder import DataFolder
from moorage.app import WorkerMeter
from moorage.config.settings import Settings
from moorage.config.sources import share_counts
from moorage.gauges import Gauges


class Metering(NamedTuple):
    """What counts: `meter` creates the meter of a worker process, `worker_died` counts those that died."""

    meter: Callable[[], WorkerMeter] | None
    worker_died: Callable[[], None]


def metering_for(settings: Settings, folder: DataFolder, certificate: Path | None) -> Metering:
    """Serve metrics on the address of `metrics` until this process ends; count nothing without `metrics`.

    `certificate` is the file with the server's certificate, if it has one. Call this before worker processes start,
    since they inherit the folder in which they count. Raises OSError.
    """
    if settings.metrics is None:
        return Metering(None, lambda: None)
    counts = tempfile.mkdtemp(prefix="moorage-counts-")
    atexit.register(_remove, counts, os.getpid())
    share_counts(counts)
    from moorage import metrics  # noqa: PLC0415 - reads the name of the folder when it is imported

    host, port = settings.metrics
    metrics.serve(host.strip("[]"), port, counts, Gauges(settings, folder, certificate).read)
    return Metering(metrics.Meter, metrics.worker_deaths().inc)


def _remove(counts: str, owner: int) -> None:
    """Remove the folder in the main process only: worker processes are forks and inherit its exit handlers."""
    if os.getpid() == owner:
        shutil.rmtree(counts, ignore_errors=True)
