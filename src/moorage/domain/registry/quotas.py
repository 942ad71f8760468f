"""Quotas. The defaults are ECR's numbers (user guide, "Service quotas"), and our own where ECR publishes none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Self

from moorage.domain.errors import InvalidParameter, LimitExceeded
from moorage.domain.registry.errors import UploadsExceeded


@dataclass(frozen=True, slots=True)
class Quotas:
    """The maximum numbers.

    `creation_templates` is not published; it is that of pull-through cache rules. `layers_per_image` is not published
    either; users of ECR have measured it (spinframework/spin#1787, nuonco/nuon#2348).

    Those of open uploads are our own: of one user or role in one repository. `open_upload_mib` is ten of the largest
    layers (docs/decisions/0038). `secrets` is our own, too: of one registry.
    """

    repositories: int = 100_000
    images_per_repository: int = 100_000
    tags_per_image: int = 1_000
    layers_per_image: int = 500
    creation_templates: int = 50
    pull_through_cache_rules: int = 50
    pull_time_exclusions: int = 100
    open_uploads: int = 1_000
    open_upload_mib: int = 520_000
    secrets: int = 1_000

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Self:
        """Each entry is NAME=NUMBER, the name with `-` for `_`. Raises ValueError for anything else and equal names."""
        names = {field.name.replace("_", "-"): field.name for field in fields(cls)}
        numbers: dict[str, int] = {}
        for entry in entries:
            name, _, number = entry.partition("=")
            if name not in names or not (number.isascii() and number.isdigit() and len(number) < 16):
                raise ValueError(f"{entry!r} is not NAME=NUMBER with one of {', '.join(names)}")
            if names[name] in numbers:
                raise ValueError(f"{name} is set twice")
            numbers[names[name]] = int(number)
        return cls(**numbers)

    def check(self, name: str, count: int) -> None:
        """Raise LimitExceeded if `count`, the number after the change, is above the quota `name`."""
        limit: int = getattr(self, name)
        if count > limit:
            raise limit_exceeded(f"{limit} {name.replace('_', ' ')}")

    def check_layers(self, count: int) -> None:
        """Raise InvalidParameter, as ECR does (openai/tart#890), if an image cannot have so many layers."""
        if count > self.layers_per_image:
            raise InvalidParameter(parameter="ImageManifest", constraint="Limit on number of layers per image exceeded")

    def check_open_uploads(self, count: int, size: int) -> None:
        """Raise UploadsExceeded if `count` or `size`, the number of bytes, is above the quotas of open uploads."""
        if count > self.open_uploads:
            raise UploadsExceeded(reason=_reason(f"{self.open_uploads} open uploads of a caller in a repository"))
        if size > self.open_upload_mib << 20:
            exceeded = f"{self.open_upload_mib} MiB of open uploads of a caller in a repository"
            raise UploadsExceeded(reason=_reason(exceeded))


def limit_exceeded(exceeded: str) -> LimitExceeded:
    """The refusal of a request above a limit."""
    return LimitExceeded(reason=_reason(exceeded))


def _reason(exceeded: str) -> str:
    """The API reference's text; no response of ECR was captured."""
    text = "The operation did not succeed because it would have exceeded a service limit for your account"
    return f"{text}: {exceeded}"
