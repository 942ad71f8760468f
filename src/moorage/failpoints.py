"""Failpoints: named places where a test stops the program or makes it fail.

    U1 to U11   an upload                           V1 to V2   a verification
    M1 to M3    a manifest                          T1 to T10  a migration to another database or store
    G1 to G3    the garbage collector               S1         a step of the schema
    B1 to B3    a backup                            D1 to D2   the removal of a deleted repository

`docs/promises.md` describes the state at each point. A point that is not armed costs one lookup in an empty dictionary.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

_armed: dict[str, Callable[[], None]] = {}


def arm(text: str) -> None:
    """Arm points, such as `U7=kill` or `U7=kill:2,M2=error`. They act at the passing of that number, by default 1.

    Raises ValueError for a text of another form.
    """
    for item in filter(None, text.split(",")):
        name, _, rest = item.partition("=")
        action, _, passing = rest.partition(":")
        if action not in _ACTIONS:
            raise ValueError(f"{item!r} is not NAME=kill, NAME=error or NAME=pause")
        _armed[name] = _at_passing(int(passing or 1), _ACTIONS[action])


def hit(name: str) -> None:
    """Pass the point `name`. Nothing happens unless the point is armed."""
    action = _armed.get(name)
    if action is not None:
        action()


def _at_passing(number: int, action: Callable[[], None]) -> Callable[[], None]:
    passed = 0

    def count() -> None:
        nonlocal passed
        passed += 1
        if passed == number:
            action()

    return count


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _error() -> None:
    raise OSError("failpoint")


def _pause() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


_ACTIONS: dict[str, Callable[[], None]] = {"kill": _kill, "error": _error, "pause": _pause}
