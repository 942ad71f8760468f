"""The memory of what upstream registries did not give."""

from __future__ import annotations

import traceback

from moorage.core.pull_through.failures import NotUpstream
from moorage.core.pull_through.remembered import Remembered


def test_a_refusal_that_is_raised_often_does_not_grow() -> None:
    """Each raise adds frames to the traceback of an exception, and frames keep requests in memory."""
    remembered, depth = Remembered(), 0
    remembered.put("item", NotUpstream(), 60)

    for _ in range(50):
        refusal = remembered.find("item")
        assert refusal is not None
        try:
            raise refusal
        except NotUpstream as raised:
            depth = len(traceback.extract_tb(raised.__traceback__))

    assert depth == 1
