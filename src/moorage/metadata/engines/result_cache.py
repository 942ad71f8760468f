"""A cache of lookup results that are true for one version of the data; both engines use it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

_MAX_RESULTS: Final = 2048
"""Maximum number of results in one cache."""

_MAX_BYTES: Final = 16 << 20
"""Maximum size of the results in one cache."""


MISSING: Final[Any] = object()
"""Not a result: None may be one."""


class ResultCache:
    """Results by key, for one version of the data at a time. A full cache is cleared."""

    __slots__ = ("results", "size", "version")

    def __init__(self) -> None:
        self.version = b""
        self.results: dict[Hashable, Any] = {}
        self.size = 0

    def set_version(self, version: bytes) -> None:
        """Clear the cache if this is a different version."""
        if version != self.version:
            self._clear()
            self.version = version

    def add(self, key: Hashable, result: Any, size: int) -> None:
        """Add a result that is true for the current version. `size` is about how many bytes of memory it takes."""
        if len(self.results) >= _MAX_RESULTS or self.size + size > _MAX_BYTES:
            self._clear()
        if size <= _MAX_BYTES:
            self.results[key] = result
            self.size += size

    def _clear(self) -> None:
        self.results.clear()
        self.size = 0
