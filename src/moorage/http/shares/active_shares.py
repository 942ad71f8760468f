"""The shares that had requests lately in any worker process: with one alone, nobody waits for anybody."""

from __future__ import annotations

import time
from multiprocessing.sharedctypes import RawArray
from typing import Final
from zlib import crc32

from moorage.bounds import bounded_cache

_SLOTS: Final = 1024
"""Shares with the same slot count as one, which is rare and only makes one share wait less."""

_RECENT_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.25


class ActiveShares:
    """When each share last had a request. Create it before the worker processes, which share it.

    A caller whose connections are all in one process still competes with callers of the others for the processors.
    """

    def __init__(self) -> None:
        self._seen = RawArray("d", _SLOTS)
        self._recent: set[int] = set()
        self._looked = 0.0

    def has_others(self, share: str, *, takes_much: bool = True) -> bool:
        """Note a request of this share; returns whether another one had requests within about a second.

        Requests that take next to nothing are not noted: nobody has to leave room for them.
        """
        now = time.monotonic()  # The same clock in all processes.
        if now - self._looked > _LOOK_SECONDS:
            self._recent = {slot for slot, seen in enumerate(self._seen) if seen > now - _RECENT_SECONDS}
            self._looked = now
        slot = _slot_of(share)
        if takes_much:
            self._seen[slot] = now
            self._recent.add(slot)
        return len(self._recent) > (slot in self._recent)


@bounded_cache(entries=4096, size=1 << 18)
def _slot_of(share: str) -> int:
    return crc32(share.encode(errors="replace")) % _SLOTS  # `hash` differs between processes that are not forked.
