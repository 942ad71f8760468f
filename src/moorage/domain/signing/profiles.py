"""Signing profiles: their names, ARNs, versions, and how long their signatures are valid (Signer API reference)."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, get_args

from moorage.domain.names import Registry
from moorage.domain.signing.errors import SigningError
from moorage.domain.units import SECOND

PLATFORM: Final = "Notation-OCI-SHA384-ECDSA"
"""The platform of all profiles: Notation signatures of OCI artifacts."""

ACTIVE: Final = "Active"
CANCELED: Final = "Canceled"
REVOKED: Final = "Revoked"

ValidityType = Literal["DAYS", "MONTHS", "YEARS"]
_LONGEST_DAYS: Final = 4110
"""The longest validity of a signature, 135 months, in days."""

_NAME: Final = re.compile(r"[a-zA-Z0-9_]{2,64}", re.ASCII)
_ARN: Final = re.compile(
    r"arn:aws:signer:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):/signing-profiles/(?P<name>[a-zA-Z0-9_]{2,})"
    r"(?:/(?P<version>[a-zA-Z0-9]{10}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class ProfileName:
    """A signing profile of an account in a Region."""

    registry: Registry
    name: str

    @property
    def arn(self) -> str:
        return f"arn:aws:signer:{self.registry.region}:{self.registry.account}:/signing-profiles/{self.name}"

    def version_arn(self, version: str) -> str:
        return f"{self.arn}/{version}"

    @classmethod
    def parse(cls, registry: Registry, name: str) -> ProfileName:
        """Check a name. Raises SigningError."""
        if _NAME.fullmatch(name) is None:
            raise SigningError(f"{name[:64]!r} is not the name of a signing profile: use 2 to 64 letters, digits and _")
        return cls(registry, name)

    @classmethod
    def of_arn(cls, arn: str) -> ProfileName:
        """The profile in an ARN, with or without a version. Raises SigningError."""
        found = _ARN.fullmatch(arn)
        if found is None:
            raise SigningError(f"{arn[:200]!r} is not the ARN of a signing profile")
        return cls(Registry(found["account"], found["region"]), found["name"])


def job_arn(owner: Registry, job: str) -> str:
    """The ARN of a signing job."""
    return f"arn:aws:signer:{owner.region}:{owner.account}:/signing-jobs/{job}"


@dataclass(frozen=True, slots=True)
class Validity:
    """How long signatures are valid: `value` days, months or years."""

    value: int = 135
    type: ValidityType = "MONTHS"

    def check(self) -> None:
        """Raises SigningError for a period that is not positive, or longer than 135 months."""
        if self.type not in get_args(ValidityType):
            raise SigningError(f"a validity is in {', '.join(get_args(ValidityType))}, not in {self.type[:32]!r}")
        days = {"DAYS": 1, "MONTHS": 30, "YEARS": 365}[self.type] * self.value
        if not 1 <= days <= _LONGEST_DAYS:
            raise SigningError("signatures are valid for at least a day and at most 135 months")

    def end(self, start: int) -> int:
        """When a signature of `start` ends; both in microseconds, and whole seconds."""
        at = datetime.fromtimestamp(start // SECOND, UTC)
        if self.type == "DAYS":
            ended = at + timedelta(days=self.value)
        else:
            months = at.month - 1 + self.value * (12 if self.type == "YEARS" else 1)
            year, month = at.year + months // 12, months % 12 + 1
            ended = at.replace(year=year, month=month, day=min(at.day, calendar.monthrange(year, month)[1]))
        return int(ended.timestamp()) * SECOND


DEFAULT_VALIDITY: Final = Validity()
"""135 months, as in AWS Signer."""
