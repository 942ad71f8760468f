"""The schema steps of this version of Moorage."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def schema_steps() -> tuple[str, ...]:
    """The SQL of all schema steps, in order. They are read once: a start of the server needs them several times."""
    folder = resources.files("moorage.metadata.migrations")
    files = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    return tuple((folder / name).read_text("utf-8") for name in files)
