"""Settings of a registry: each is checked when it is put, and has its effect from the next request on."""

from __future__ import annotations

from collections.abc import Iterable

from moorage.domain.errors import Validation
from moorage.domain.names import Registry
from moorage.domain.registry.account_settings import VALUES
from moorage.metadata.database import Transaction
from moorage.metadata.registry import settings


def account_setting(tx: Transaction, registry: Registry, name: str) -> str:
    """Raises Validation for a name that ECR does not have."""
    _check("name", name, VALUES)
    return settings.account_setting(tx, registry, name)


def put_account_setting(tx: Transaction, registry: Registry, name: str, value: str) -> None:
    """Raises Validation for a name that ECR does not have, and for a value that the name cannot have."""
    _check("name", name, VALUES)
    _check("value", value, VALUES[name])
    settings.put_account_setting(tx, registry, name, value)


def _check(parameter: str, text: str, allowed: Iterable[str]) -> None:
    """No text of ECR was captured; this is the one of its other enumerations."""
    if text not in allowed:
        values = ", ".join(sorted(allowed))
        reason = f"Invalid parameter at '{parameter}' failed to satisfy constraint: "
        raise Validation(reason=f"{reason}'Member must satisfy enum value set: [{values}]'")
