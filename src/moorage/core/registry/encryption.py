"""What a repository says of its encryption: chosen when it is created, and never changed."""

from __future__ import annotations

from moorage.domain.errors import InvalidParameter, Kms
from moorage.domain.names import Registry
from moorage.domain.registry.encryption import AES256, KmsKeys
from moorage.metadata.registry.repositories import RepositorySettings


def key_of(keys: KmsKeys, registry: Registry, kind: str, name: str | None) -> str | None:
    """The ARN of the key for encryption of a kind, None where the kind has no key. Raises InvalidParameter, Kms."""
    if kind == AES256:
        if name:
            constraint = f"A kmsKey cannot be given with encryptionType {AES256}"
            raise InvalidParameter(parameter="encryptionConfiguration", constraint=constraint)
        return None
    key = keys.resolve(registry, name)
    if key is None:
        reason = f"The KMS key '{name}' does not exist, or cannot be used in the region {registry.region}"
        # No KmsException of CreateRepository was captured: this is what KMS itself answers about an unknown key.
        raise Kms(reason=reason, members={"kmsError": "NotFoundException"})
    return key


def is_same(one: RepositorySettings, other: RepositorySettings) -> bool:
    """Whether what one repository stores may be seen in another (user guide, "Blob mounting")."""
    return (one.encryption_type, one.kms_key) == (other.encryption_type, other.kms_key)
