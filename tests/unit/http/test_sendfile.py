"""Copies from a file to a socket: descriptors are not used after the caller may have closed them."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from moorage import sendfile


def test_a_cancelled_copy_ends_after_its_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a request whose client leaves while the disk is read."""
    begun, may_end, has_ended = threading.Event(), threading.Event(), threading.Event()

    def copy(*_: int) -> int:
        begun.set()
        may_end.wait()
        has_ended.set()
        return 1

    async def run() -> None:
        sending = asyncio.create_task(sendfile.send_some(0, 0, 0, 1))
        await asyncio.to_thread(begun.wait)
        sending.cancel()
        await asyncio.sleep(0)
        assert not sending.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert has_ended.is_set()

    monkeypatch.setattr(sendfile, "_NO_WAIT", None)
    monkeypatch.setattr(os, "sendfile", copy)
    asyncio.run(run())
