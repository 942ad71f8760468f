"""Look-ups of secrets and of their values.

A secret is named by its name, its ARN, or its ARN without the random characters at the end. One that is marked for
deletion can only be described and restored, and is gone when its recovery window is over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from moorage.core.vault import Vault
from moorage.domain.names import Registry
from moorage.domain.secrets.errors import InvalidRequest, InvalidSecretParameter, ResourceNotFound
from moorage.domain.secrets.names import parse_arn
from moorage.metadata import secrets as rows
from moorage.metadata.database import Transaction
from moorage.metadata.secrets import Secret, Version

CURRENT: Final = "AWSCURRENT"
"""The stage of the version that GetSecretValue returns."""

PREVIOUS: Final = "AWSPREVIOUS"
"""The stage of the version that was the current one before."""


_READ_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Value:
    """A version with its value, decrypted. A binary value is in base64."""

    version: Version
    text: str = field(repr=False)


def find(tx: Transaction, registry: Registry, secret_id: str, now: int) -> Secret | None:
    """The secret with a name or an ARN, also if it is marked for deletion; None if there is none."""
    arn = parse_arn(secret_id)
    if arn is None:
        found = rows.find(tx, registry, secret_id)
    elif arn.registry != registry:
        return None
    else:
        name, suffix = arn.split
        found = rows.find(tx, registry, name) if name else None
        if found is None or found.suffix != suffix:
            found = rows.find(tx, registry, arn.rest)
    is_gone = found is None or (found.delete_at is not None and found.delete_at <= now)
    return None if is_gone else found


def get(tx: Transaction, registry: Registry, secret_id: str, now: int) -> Secret:
    """A secret that is not marked for deletion. Raises ResourceNotFound, InvalidRequest."""
    found = describe(tx, registry, secret_id, now)
    if found.delete_at is not None:
        raise InvalidRequest.deleted()
    return found


def describe(tx: Transaction, registry: Registry, secret_id: str, now: int) -> Secret:
    """A secret, also if it is marked for deletion. Raises ResourceNotFound."""
    found = find(tx, registry, secret_id, now)
    if found is None:
        raise ResourceNotFound.secret()
    return found


def listed(tx: Transaction, registry: Registry, after: str, now: int, *, deleted_too: bool) -> Iterator[Secret]:
    """The secrets of a registry with names after `after`, by name. Those marked for deletion only with `deleted_too`.

    They are read as they are needed; a quota limits their number.
    """
    while found := rows.page(tx, registry, after, _READ_AT_ONCE):
        for secret in found:
            if secret.delete_at is None or (deleted_too and secret.delete_at > now):
                yield secret
        after = found[-1].name


def value(tx: Transaction, vault: Vault, secret: Secret, version: str | None = None, stage: str | None = None) -> Value:
    """The value of a version, of that with a stage, or of the current one.

    Raises ResourceNotFound, and InvalidSecretParameter if the version does not have the stage.
    """
    found = version_of(rows.versions(tx, secret), version, stage)
    return Value(found, vault.open(found.sealed_value, found.id))


def version_of(versions: Sequence[Version], version: str | None, stage: str | None) -> Version:
    """One of the versions of a secret. Raises ResourceNotFound, InvalidSecretParameter."""
    if version is None:
        wanted = stage or CURRENT
        found = next((each for each in versions if wanted in each.stages), None)
        if found is None:
            raise ResourceNotFound.version(f"staging label: {wanted}")
        return found
    found = next((each for each in versions if each.version == version), None)
    if found is None:
        raise ResourceNotFound.version(f"VersionId: {version}")
    if stage is not None and stage not in found.stages:
        reason = "The parameters VersionId and VersionStage refer to different versions of the secret."
        raise InvalidSecretParameter(reason=reason)
    return found
