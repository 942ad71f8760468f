"""What several operations of Secrets Manager check in their requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from moorage.domain.secrets.errors import InvalidSecretParameter

if TYPE_CHECKING:
    from moorage.secretsmanager import shapes


def refuse_unsupported(request: Mapping[str, Any], *members: str) -> None:
    """Refuse a request with members that would need what Moorage does not have. Raises InvalidSecretParameter."""
    for member in members:
        if request.get(member):
            raise InvalidSecretParameter(reason=f"Moorage does not support {member}.")


def tags_of(tags: Sequence[shapes.Tag] | None) -> dict[str, str]:
    """The tags of a request. Raises InvalidSecretParameter."""
    found: dict[str, str] = {}
    for tag in tags or ():
        key = tag.get("Key")
        if key is None or key in found or key.lower().startswith("aws:"):
            raise InvalidSecretParameter(reason="Each tag needs a key of its own, which does not begin with aws:.")
        found[key] = tag.get("Value", "")
    return found
