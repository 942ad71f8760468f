"""Hypothesis tries the same examples in each run and has no deadline, so a busy machine does not fail a test."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
