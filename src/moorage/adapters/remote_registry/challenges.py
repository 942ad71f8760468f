"""Challenges: the WWW-Authenticate headers of a registry (RFC 9110, section 11.6.1), and the scopes of tokens."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

_WORD: Final = re.compile(r'[\s,]*([A-Za-z0-9_-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?', re.ASCII)
_ESCAPED: Final = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to authenticate. Names are in lower case."""

    scheme: str
    values: Mapping[str, str] = field(default_factory=dict)


def parse_challenges(headers: Iterable[str]) -> dict[str, Challenge]:
    """The challenges of all headers, by scheme. What cannot be read is ignored."""
    found: dict[str, dict[str, str]] = {}
    for header in headers:
        values: dict[str, str] = {}
        position = 0
        while word := _WORD.match(header, position):
            position = word.end()
            name, quoted, plain = word.groups()
            if quoted is None and plain is None:
                values = found.setdefault(name.lower(), {})
            else:
                values[name.lower()] = _ESCAPED.sub(r"\1", quoted) if quoted is not None else plain
    return {scheme: Challenge(scheme, values) for scheme, values in found.items()}


def scope(repository: str, *actions: str) -> str:
    """The scope of a token for a repository: `repository:team/app:pull`."""
    return f"repository:{repository}:{','.join(actions)}"


def scopes_to_request(wanted: tuple[str, ...], challenge: Challenge) -> tuple[str, ...]:
    """The scopes that a token needs: those of the request, and any other that the challenge names.

    A challenge for a repository that the request names has no more actions than the request, or fewer.
    """
    named = challenge.values.get("scope", "").split()
    known = {one.rpartition(":")[0] for one in wanted}
    return wanted + tuple(one for one in named[:4] if one.rpartition(":")[0] not in known)
