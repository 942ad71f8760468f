"""Property tests try the same examples in every run, and do not fail because the machine is busy."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
