"""The migration scripts that this version of Moorage includes."""

from __future__ import annotations

from importlib import resources


def steps_of_this_program() -> list[str]:
    """The scripts of the migrations, in their order."""
    folder = resources.files("moorage.metadata.migrations")
    files = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    return [(folder / name).read_text("utf-8") for name in files]
