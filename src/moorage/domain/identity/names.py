"""Names, paths and tags of what IAM stores (IAM user guide, "IAM identifiers" and "Rules for tagging")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from moorage.domain.identity.errors import AccountError, QuotaReached

TAGS_OF_ENTITY: Final = 50
"""IAM quotas: tags of a user, role, policy or identity provider."""

_NAME: Final = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_POLICY_NAME: Final = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
_PATH: Final = re.compile(r"/(?:[!-.0-~]+/)*", re.ASCII)
_PATH_LIMIT: Final = 512


def check_name(kind: str, name: str) -> None:
    """Raises AccountError for a name that no user or role (`kind`) can have."""
    if _NAME.fullmatch(name) is None:
        raise AccountError(f"{name[:64]!r} is not a {kind} name: use 1 to 64 letters, digits and +=,.@_-")


def check_policy_name(name: str) -> None:
    """Raises AccountError."""
    if _POLICY_NAME.fullmatch(name) is None:
        raise AccountError(f"{name[:128]!r} is not a policy name: use 1 to 128 letters, digits and +=,.@_-")


def check_path(path: str) -> None:
    """Raises AccountError."""
    if len(path) > _PATH_LIMIT or _PATH.fullmatch(path) is None:
        raise AccountError(f"{path[:64]!r} is not a path: it must begin and end with /")


def check_tags(tags: Mapping[str, str]) -> None:
    """Raises AccountError."""
    if len(tags) > TAGS_OF_ENTITY:
        raise QuotaReached(
            f"a user, role, policy or identity provider has at most {TAGS_OF_ENTITY} tags",
            "The number of tags has reached the maximum limit.",
        )
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or len(value) > 256 or key.lower().startswith("aws:"):
            raise AccountError("a tag has a key of 1 to 128 characters, not aws:, and a value of at most 256")
    folded = [key.lower() for key in tags]
    if len(set(folded)) != len(folded):
        raise AccountError(
            "two tags have the same key", "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        )
