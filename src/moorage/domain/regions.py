"""Names of Regions: those of the form that AWS uses, and those that the operator adds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from moorage.bounds import bounded_cache

REGION_PATTERN: Final = r"[a-z0-9][a-z0-9-]{1,24}"
"""The names that a Region can have. The service model allows this length, and a host name begins with no hyphen."""

_NAME: Final = re.compile(REGION_PATTERN, re.ASCII)
_FORM_OF_AWS: Final = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-\d{1,2}", re.ASCII)
"""`eu-west-1`, `us-gov-east-1`, `us-isob-east-1`, `eusc-de-east-1`. A new Region of AWS needs no new version."""


class Regions:
    """The Regions in which a server has registries."""

    def __init__(self, added: Iterable[str]) -> None:
        self._added = frozenset(added)
        self.include = bounded_cache(entries=1024, size=1 << 17)(self._include)

    def _include(self, name: str) -> bool:
        is_of_aws = _NAME.fullmatch(name) is not None and _FORM_OF_AWS.fullmatch(name) is not None
        return is_of_aws or name in self._added


def region_names(names: Iterable[str]) -> tuple[str, ...]:
    """Names of Regions. Raises ValueError for a text that no Region can have as its name."""
    given = tuple(names)
    for name in given:
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} cannot be the name of a Region")
    return given
