"""The KMS keys that a server accepts. The operator lists them, because KMS itself is another service."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from typing import Final

from moorage.domain.names import Registry

AES256: Final = "AES256"
"""ECR's default encryption, with keys of S3 that have no name."""

_ARN = re.compile(r"arn:aws:kms:([a-z0-9-]{2,25}):(\d{12}):(key/[A-Za-z0-9-]+|alias/[A-Za-z0-9/_-]+)", re.ASCII)
_ALIAS = re.compile(r"alias/[A-Za-z0-9/_-]+", re.ASCII)
_MANAGED: Final = "alias/aws/ecr"


class KmsKeys:
    """KMS keys, found by any identifier of KMS: id, ARN, alias, ARN of the alias (KMS, "Key identifiers")."""

    def __init__(self, entries: Iterable[str] = ()) -> None:
        """Each entry is a key's ARN, or `alias/NAME=ARN`. Raises ValueError for anything else and equal aliases."""
        self._named: dict[tuple[Registry, str], str] = {}
        for entry in entries:
            alias, _, arn = entry.rpartition("=")
            found = _ARN.fullmatch(arn)
            if found is None or not found[3].startswith("key/") or (alias and _ALIAS.fullmatch(alias) is None):
                raise ValueError(f"{entry!r} is neither the ARN of a KMS key nor alias/NAME=ARN")
            owner = Registry(found[2], found[1])
            self._named[owner, found[3]] = arn
            if alias and self._named.setdefault((owner, alias), arn) != arn:
                raise ValueError(f"{alias} names two keys")

    def resolve(self, registry: Registry, name: str | None) -> str | None:
        """The ARN of the key that a registry may use under `name`. Without a name, the AWS managed key for ECR.

        None for an unknown key, and for a key in another Region (user guide, "Encryption at rest").
        """
        found = _ARN.fullmatch(name or _MANAGED)
        if found is None:
            owner, local = registry, name or _MANAGED
            if not local.startswith("alias/"):
                local = f"key/{local}"
        else:
            owner, local = Registry(found[2], found[1]), found[3]
        if owner.region != registry.region:
            return None
        managed = _managed_by_aws(registry)
        if owner == registry and local in {_MANAGED, managed.rpartition(":")[2]}:
            return managed
        return self._named.get((owner, local))


def _managed_by_aws(registry: Registry) -> str:
    """The key of an account's `aws/ecr` alias in a Region; always the same, as in KMS."""
    name = f"arn:aws:kms:{registry.region}:{registry.account}:"
    return f"{name}key/{uuid.uuid5(uuid.NAMESPACE_URL, name + _MANAGED)}"
