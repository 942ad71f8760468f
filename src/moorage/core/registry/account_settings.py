"""Account settings of a registry. A setting is checked when it is put, and applies from the next request on."""

from __future__ import annotations

from collections.abc import Iterable

from moorage.domain.errors import Validation
from moorage.domain.names import Registry
from moorage.domain.registry.account_settings import VALUES
from moorage.metadata.database import Transaction
from moorage.metadata.registry import settings


def account_setting(tx: Transaction, registry: Registry, name: str) -> str:
    """The value of a setting, or its default. Raises Validation for an unknown name."""
    _check("name", name, VALUES)
    return settings.account_setting(tx, registry, name)


def put_account_setting(tx: Transaction, registry: Registry, name: str, value: str) -> None:
    """Set an account setting. Raises Validation for an unknown name or value."""
    _check("name", name, VALUES)
    _check("value", value, VALUES[name])
    settings.put_account_setting(tx, registry, name, value)


def _check(parameter: str, text: str, allowed: Iterable[str]) -> None:
    """Raise Validation with ECR's text for other enumerations: its text for this operation was not captured."""
    if text not in allowed:
        values = ", ".join(sorted(allowed))
        reason = f"Invalid parameter at '{parameter}' failed to satisfy constraint: "
        raise Validation(reason=f"{reason}'Member must satisfy enum value set: [{values}]'")
