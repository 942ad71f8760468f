"""Services that all processes of a test run share. The first test that needs one starts it; the run's guard ends it."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable
from typing import Any

from tests.support.run_guard import run_folder


def started_once(name: str, start: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `start` returned in the process that called this first. The other processes wait for it."""
    with (run_folder() / f"{name}.json").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known: dict[str, Any] = json.loads(file.read() or "{}")
        if not known:
            known = start()
            file.write(json.dumps(known))
        return known
