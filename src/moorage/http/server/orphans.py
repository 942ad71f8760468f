"""Worker processes end with the process that started them, also when that one was killed.

Otherwise they would keep the port and the data folder, and no new server could start.
"""

from __future__ import annotations

import ctypes
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def end_with_parent() -> None:
    """Let the kernel kill this process when its parent ends (prctl(2), Linux).

    On other systems the worker process ends when the sentinel of its parent (`multiprocessing`) shows that it is gone.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
