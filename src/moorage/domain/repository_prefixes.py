"""Prefixes of repository names, as creation templates and pull-through cache rules have them.

A prefix always ends with an assumed slash: `team` covers `team/app`, and not the repository `team`. ROOT covers every
name that no other prefix covers (ECR user guide, "Repository creation templates").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

ROOT: Final = "ROOT"
"""The prefix that covers every name."""


def key_of(prefix: str) -> str:
    """The prefix for look-up: a slash at its end makes no difference."""
    return prefix.removesuffix("/")


def prefixes_of(name: str) -> Iterator[str]:
    """Every prefix that ends before a slash of the name, longest first, and then ROOT."""
    end = name.rfind("/")
    while end > 0:
        yield name[:end]
        end = name.rfind("/", 0, end)
    yield ROOT
