"""The filters of ListSecrets (API reference, "Filter"; user guide, "Find secrets")."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from moorage.domain.secrets.errors import InvalidSecretParameter
from moorage.metadata.secrets import Secret

if TYPE_CHECKING:
    from moorage.secretsmanager import shapes

_TEXTS: Final[dict[str, Callable[[Secret], Iterable[str]]]] = {
    "name": lambda secret: (secret.name,),
    "tag-key": lambda secret: secret.tags,
    "tag-value": lambda secret: secret.tags.values(),
    "description": lambda secret: secret.description.lower().split(),
    "all": lambda secret: [
        word.lower()
        for text in (secret.name, secret.description, *secret.tags, *secret.tags.values())
        for word in (text, *text.split())
    ],
}
"""The texts that each filter compares. Those in lower case are compared without case."""

_WITHOUT_CASE: Final = frozenset({"description", "all"})


def check(filters: Sequence[shapes.Filter]) -> None:
    """Raises InvalidSecretParameter for filters that are not complete, or that Moorage does not have."""
    for each in filters:
        if each.get("Key") not in _TEXTS or not each.get("Values"):
            known = ", ".join(_TEXTS)
            raise InvalidSecretParameter(reason=f"A filter needs Values and one of the keys that Moorage has: {known}.")


def matches(secret: Secret, filters: Sequence[shapes.Filter]) -> bool:
    """Whether a secret matches each filter: one of its values is the beginning of one of the texts."""
    return all(_matches(secret, each["Key"], each["Values"]) for each in filters)


def _matches(secret: Secret, key: str, values: Iterable[str]) -> bool:
    texts = list(_TEXTS[key](secret))
    for value in values:
        wanted = value.removeprefix("!")
        beginning = wanted.lower() if key in _WITHOUT_CASE else wanted
        if any(text.startswith(beginning) for text in texts) is (wanted == value):
            return True
    return False
