"""The encryption settings of a repository, which are chosen when it is created and never change."""

from __future__ import annotations

from moorage.domain.errors import InvalidParameter
from moorage.domain.names import Registry
from moorage.domain.registry.encryption import AES256, KmsKeys
from moorage.domain.registry.errors import Kms
from moorage.metadata.registry.repositories import RepositorySettings


def key_of(keys: KmsKeys, registry: Registry, kind: str, name: str | None) -> str | None:
    """The ARN of the KMS key for an encryption type; None for AES256. Raises InvalidParameter, Kms."""
    if kind == AES256:
        if name:
            reason = f"Encryption key should not be set for {AES256} encryption."
            constraint = f"Invalid encryption configuration: {reason}"
            raise InvalidParameter(parameter="encryptionConfiguration", constraint=constraint)
        return None
    key = keys.resolve(registry, name)
    if key is None:
        reason = f"The KMS key '{name}' does not exist, or cannot be used in the region {registry.region}"
        # No KmsException of CreateRepository was captured; this is KMS's own error for an unknown key.
        raise Kms(reason=reason, members={"kmsError": "NotFoundException"})
    return key


def is_same(source: RepositorySettings, target: RepositorySettings) -> bool:
    """Whether blobs of one repository can be mounted in another (user guide, "Blob mounting")."""
    return (source.encryption_type, source.kms_key) == (target.encryption_type, target.kms_key)
