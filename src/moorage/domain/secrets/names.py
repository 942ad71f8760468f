"""Names and ARNs of secrets.

An ARN ends with a hyphen and six random characters, so a secret that is created again has another ARN. Secrets Manager
also accepts the name, and an ARN without these characters ("partial ARN").
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from moorage.domain.names import Registry

SUFFIX_LENGTH: Final = 6
"""Random characters at the end of an ARN."""

SUFFIX_CHARACTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

_NAME: Final = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}", re.ASCII)
_ARN: Final = re.compile(
    r"arn:aws:secretsmanager:([a-z0-9-]{2,25}):(\d{12}):secret:([A-Za-z0-9/_+=.@-]{1,519})", re.ASCII
)


class SecretArn(NamedTuple):
    """A parsed ARN. `rest` is the name with or without the random characters."""

    registry: Registry
    rest: str

    @property
    def split(self) -> tuple[str, str]:
        """The name and the random characters, if the ARN is a whole one."""
        name, _, suffix = self.rest.rpartition("-")
        return name, suffix


def is_name(text: str) -> bool:
    """Whether a text can be the name of a secret (CreateSecret, `Name`)."""
    return _NAME.fullmatch(text) is not None


def arn_of(registry: Registry, name: str, suffix: str) -> str:
    return f"{partial_arn_of(registry, name)}-{suffix}"


def partial_arn_of(registry: Registry, name: str) -> str:
    """The ARN without the random characters at its end."""
    return f"arn:aws:secretsmanager:{registry.region}:{registry.account}:secret:{name}"


def parse_arn(text: str) -> SecretArn | None:
    """The parts of an ARN; None for any other text."""
    found = _ARN.fullmatch(text)
    return SecretArn(Registry(found[2], found[1]), found[3]) if found else None
