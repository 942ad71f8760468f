"""Modules that are imported when they are first used: what only some registries need does not delay the start of all.

    if TYPE_CHECKING:
        import aiohttp
    else:
        aiohttp = at_first_use("aiohttp")

Type checkers and the import rules see an ordinary import. Use it for libraries that take long to import, and where the
module is not needed for the definitions of classes and constants. tests/project/test_start.py has the list of modules
that a server must not import before it serves (docs/decisions/0064-imports-at-first-use.md).
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any


def at_first_use(name: str) -> Any:
    """A stand-in for the module of that name, which imports it for the first look at one of its members."""
    return _StandIn(name)


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> Any:
        """A member of the module, kept so that the next look finds it at once. The import system locks the import."""
        member = getattr(import_module(self.__name__), name)
        setattr(self, name, member)
        return member
