"""Changes of secrets: create, describe anew, add versions, move stages, delete and restore.

A value is encrypted with the master key for the id of its version. Versions never change; their stages do.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from moorage.core.limits import Limits
from moorage.core.secrets import lookups
from moorage.core.secrets.lookups import CURRENT, PREVIOUS, Value
from moorage.core.vault import Vault
from moorage.domain.names import Registry
from moorage.domain.secrets.errors import (
    EncryptionFailure,
    InvalidRequest,
    InvalidSecretParameter,
    ResourceExists,
)
from moorage.domain.secrets.names import SUFFIX_CHARACTERS, SUFFIX_LENGTH, is_name
from moorage.domain.units import DAY
from moorage.metadata import secrets as rows
from moorage.metadata.database import Transaction
from moorage.metadata.secrets import Secret, Version

DEFAULT_KEY: Final = "alias/aws/secretsmanager"
"""Secrets Manager's own KMS key, which encrypts secrets that name no other."""

RECOVERY_DAYS: Final = range(7, 31)
"""The days that a recovery window can have; the default is the longest."""

_VERSION_LIMIT: Final = 20
"""Versions of a secret that are kept; of those without a stage, the oldest are removed first."""

VALUE_LIMIT: Final = 65_536
_BASE64_LIMIT: Final = 4 * -(-VALUE_LIMIT // 3)
_TAG_LIMIT: Final = 50
_PURGED_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class NewValue:
    """A value for a new version; a binary one is in base64. `token` identifies the version (ClientRequestToken)."""

    text: str = field(repr=False)
    is_binary: bool = False
    token: str | None = None


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret to create."""

    registry: Registry
    name: str
    value: NewValue | None = None
    description: str = ""
    kms_key: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


class Secrets:
    """The secrets of a server. Each method is a part of a transaction; times are microseconds."""

    def __init__(self, vault: Vault, limits: Limits) -> None:
        self._vault = vault
        self._limits = limits

    def create_secret(self, tx: Transaction, new: NewSecret, now: int) -> tuple[Secret, Version | None]:
        """Create a secret; returns it and its first version, if it has one. It can be repeated with the same token.

        Raises ResourceExists, InvalidRequest, InvalidSecretParameter, EncryptionFailure, LimitExceeded.
        """
        self.remove_due(tx, now)
        _check_name(new.name)
        _check_tags(new.tags)
        existing = lookups.find(tx, new.registry, new.name, now)
        if existing is not None:
            return existing, self._repeated(tx, existing, new)
        secret = Secret(
            id=str(uuid.uuid4()),
            registry=new.registry,
            name=new.name,
            suffix="".join(secrets.choice(SUFFIX_CHARACTERS) for _ in range(SUFFIX_LENGTH)),
            description=new.description,
            kms_key=self._kms_key(new.registry, new.kms_key),
            tags=new.tags,
            policy=None,
            created_at=now,
            changed_at=now,
        )
        due = rows.find(tx, new.registry, new.name)
        if due is not None:
            rows.delete(tx, due)
        if not rows.insert(tx, secret):
            raise ResourceExists.secret(new.name)
        self._limits.quotas.check("secrets", rows.count(tx, new.registry, self._limits.quotas.secrets + 1))
        return secret, None if new.value is None else self._add(tx, secret, new.value, (CURRENT,), now)

    def secret_value(
        self, tx: Transaction, secret: Secret, version: str | None = None, stage: str | None = None
    ) -> Value:
        """The value of a version, of that with a stage, or of the current one.

        Raises ResourceNotFound, and InvalidSecretParameter if the version does not have the stage.
        """
        return lookups.value(tx, self._vault, secret, version, stage)

    def put_value(
        self, tx: Transaction, secret: Secret, value: NewValue, now: int, stages: tuple[str, ...] = (CURRENT,)
    ) -> Version:
        """Add a version, and move the stages to it. The same value under the same token changes nothing.

        Raises ResourceExists, InvalidSecretParameter.
        """
        versions = rows.versions(tx, secret)
        existing = next((each for each in versions if each.version == value.token), None)
        if existing is not None:
            if not self._has_value(existing, value):
                raise ResourceExists.version(existing.version)
            return existing
        if not any(CURRENT in version.stages for version in versions):
            stages = tuple(dict.fromkeys((*stages, CURRENT)))
        added = self._add(tx, secret, value, (), now)
        for stage in stages:
            self._move(tx, secret, stage, added)
        rows.update(tx, replace(secret, changed_at=now))
        self._remove_oldest(tx, secret)
        return next(each for each in rows.versions(tx, secret) if each.id == added.id)

    def update_secret(self, tx: Transaction, secret: Secret, changes: Mapping[str, Any], now: int) -> Secret:
        """Change `description`, `kms_key`, `tags` or `policy`. Raises EncryptionFailure, InvalidSecretParameter."""
        if "kms_key" in changes:
            changes = {**changes, "kms_key": self._kms_key(secret.registry, changes["kms_key"])}
        changed = replace(secret, **{**changes, "changed_at": now})
        _check_tags(changed.tags)
        rows.update(tx, changed)
        return changed

    def move_stage(self, tx: Transaction, secret: Secret, stage: str, origin: str | None, target: str | None) -> None:
        """Move a stage from one version to another; without a target, remove it.

        Raises ResourceNotFound, and InvalidSecretParameter if `origin` is not the version that has the stage.
        """
        versions = rows.versions(tx, secret)
        holder = next((each for each in versions if stage in each.stages), None)
        if holder is not None and holder.version not in (origin, target):
            reason = (
                f"The staging label {stage} is currently attached to version {holder.version}. You must specify it in "
                "RemoveFromVersionId."
            )
            raise InvalidSecretParameter(reason=reason)
        if target is not None:
            self._move(tx, secret, stage, lookups.version_of(versions, target, None))
        elif stage == CURRENT:
            raise InvalidSecretParameter(reason=f"You can only move the staging label {CURRENT}, not remove it.")
        elif holder is not None:
            rows.set_stages(tx, holder, tuple(each for each in holder.stages if each != stage))

    def delete_secret(self, tx: Transaction, secret: Secret, days: int | None, now: int) -> Secret:
        """Mark a secret for deletion after a recovery window of so many days; None deletes it at once.

        Raises InvalidSecretParameter.
        """
        if days is None:
            rows.delete(tx, secret)
            return replace(secret, delete_at=now)
        if days not in RECOVERY_DAYS:
            reason = "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."
            raise InvalidSecretParameter(reason=reason)
        marked = replace(secret, delete_at=now + days * DAY)
        rows.update(tx, marked)
        return marked

    def restore_secret(self, tx: Transaction, secret: Secret) -> Secret:
        """Cancel the deletion of a secret."""
        restored = replace(secret, delete_at=None)
        rows.update(tx, restored)
        return restored

    def remove_due(self, tx: Transaction, now: int) -> int:
        """Remove some of the secrets whose recovery windows are over; returns how many."""
        return rows.delete_due(tx, now, _PURGED_AT_ONCE)

    def _add(self, tx: Transaction, secret: Secret, value: NewValue, stages: tuple[str, ...], now: int) -> Version:
        if not 0 < len(value.text.encode()) <= (_BASE64_LIMIT if value.is_binary else VALUE_LIMIT):
            raise InvalidSecretParameter(reason=f"A secret value has 1 to {VALUE_LIMIT} bytes.")
        key = str(uuid.uuid4())
        sealed = self._vault.seal(value.text, key)
        version = Version(key, value.token or str(uuid.uuid4()), sealed, value.is_binary, stages, now)
        rows.insert_version(tx, secret, version)
        return version

    def _move(self, tx: Transaction, secret: Secret, stage: str, target: Version) -> None:
        """Move a stage to a version. The version that was the current one becomes the previous one."""
        stages = {version.id: set(version.stages) for version in rows.versions(tx, secret)}
        before = next((key for key in stages if stage in stages[key]), None)
        if before == target.id:
            return
        if before is not None and stage == CURRENT:
            for held in stages.values():
                held.discard(PREVIOUS)
            stages[before].add(PREVIOUS)
        if before is not None:
            stages[before].discard(stage)
        stages[target.id].add(stage)
        for version in rows.versions(tx, secret):
            if stages[version.id] != set(version.stages):
                rows.set_stages(tx, version, tuple(sorted(stages[version.id])))

    def _remove_oldest(self, tx: Transaction, secret: Secret) -> None:
        versions = rows.versions(tx, secret)
        unused = [version for version in versions if not version.stages]
        for version in unused[: max(0, len(versions) - _VERSION_LIMIT)]:
            rows.delete_version(tx, version)

    def _repeated(self, tx: Transaction, existing: Secret, new: NewSecret) -> Version:
        """The version that an earlier request with this token created. Raises ResourceExists, InvalidRequest."""
        if existing.delete_at is not None:
            raise InvalidRequest.name_of_deleted()
        value = new.value
        for version in rows.versions(tx, existing) if value is not None else ():
            if value is not None and version.version == value.token and self._has_value(version, value):
                return version
        raise ResourceExists.secret(new.name)

    def _has_value(self, version: Version, value: NewValue) -> bool:
        text = self._vault.open(version.sealed_value, version.id)
        return (text, version.is_binary) == (value.text, value.is_binary)

    def _kms_key(self, registry: Registry, name: str | None) -> str | None:
        """The ARN of the key; None for Secrets Manager's own. Raises EncryptionFailure."""
        if not name or name == DEFAULT_KEY:
            return None
        key = self._limits.kms_keys.resolve(registry, name)
        if key is None:
            raise EncryptionFailure
        return key


def _check_name(name: str) -> None:
    if not is_name(name):
        reason = "Invalid name. Must be a valid name containing alphanumeric characters, or any of: -/_+=.@!"
        raise InvalidSecretParameter(reason=reason)


def _check_tags(tags: Iterable[str]) -> None:
    if len(list(tags)) > _TAG_LIMIT:
        raise InvalidSecretParameter(reason=f"A secret has at most {_TAG_LIMIT} tags.")
