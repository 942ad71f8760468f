"""What other processes have open. They go on meanwhile: between two looks, a file may be closed or a process end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def open_files(process: int) -> Iterator[Path]:
    """The targets of the open files of a process, such as `socket:[123]`; none if it has ended."""
    with suppress(OSError):
        for descriptor in Path(f"/proc/{process}/fd").iterdir():
            with suppress(FileNotFoundError):
                yield descriptor.readlink()
