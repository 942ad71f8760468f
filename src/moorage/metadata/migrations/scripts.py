"""The schema steps of this version of Moorage."""

from __future__ import annotations

from importlib import resources


def schema_steps() -> list[str]:
    """The SQL of all schema steps, in order."""
    folder = resources.files("moorage.metadata.migrations")
    files = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    return [(folder / name).read_text("utf-8") for name in files]
