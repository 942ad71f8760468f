"""Wait for what another process does: short on a quiet machine, long enough for one that does other work."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

PATIENCE_SECONDS: Final = 120.0
"""How long a test waits before it fails. What takes this long never happens."""

_POLL_SECONDS = 0.02


def wait_until(holds: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """Return when the condition holds. Raises AssertionError when it does not hold in time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(_POLL_SECONDS)
