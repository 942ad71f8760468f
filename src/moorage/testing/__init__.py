"""A registry for tests: pytest finds fixtures by itself, and `registry()` starts one for any other runner.

pytest imports this package in every session, so names are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moorage.testing.starting import Login as Login
    from moorage.testing.starting import Registry as Registry
    from moorage.testing.starting import RegistryNotStarted as RegistryNotStarted
    from moorage.testing.starting import Repository as Repository
    from moorage.testing.starting import registry as registry

__all__ = ["Login", "Registry", "RegistryNotStarted", "Repository", "registry"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from moorage.testing import starting  # noqa: PLC0415 - sessions that do not use it do not wait for it

    return getattr(starting, name)
