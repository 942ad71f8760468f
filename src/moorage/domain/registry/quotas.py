"""Quotas. The defaults are ECR's numbers (user guide, "Service quotas")."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Self

from moorage.domain.errors import LimitExceeded


@dataclass(frozen=True, slots=True)
class Quotas:
    """The maximum numbers. `creation_templates` is not published; it is that of pull-through cache rules."""

    repositories: int = 100_000
    images_per_repository: int = 100_000
    tags_per_image: int = 1_000
    creation_templates: int = 50
    pull_time_exclusions: int = 100

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Self:
        """Each entry is NAME=NUMBER, the name with `-` for `_`. Raises ValueError for anything else."""
        names = {field.name.replace("_", "-"): field.name for field in fields(cls)}
        quotas = cls()
        for entry in entries:
            name, _, number = entry.partition("=")
            if name not in names or not (number.isascii() and number.isdigit() and len(number) < 16):
                raise ValueError(f"{entry!r} is not NAME=NUMBER with one of {', '.join(names)}")
            quotas = replace(quotas, **{names[name]: int(number)})
        return quotas

    def check(self, name: str, count: int) -> None:
        """Raise LimitExceeded if `count`, the number after the change, is above the quota `name`."""
        limit: int = getattr(self, name)
        if count > limit:
            raise limit_exceeded(f"{limit} {name.replace('_', ' ')}")


def limit_exceeded(exceeded: str) -> LimitExceeded:
    """The refusal of a request above a limit, with the API reference's text; no response of ECR was captured."""
    reason = "The operation did not succeed because it would have exceeded a service limit for your account"
    return LimitExceeded(reason=f"{reason}: {exceeded}")
