"""The KMS keys that a server accepts. The operator lists them, because KMS itself is another service."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from typing import Final, NamedTuple

from moorage.domain.names import Registry

AES256: Final = "AES256"
"""ECR's default encryption, with keys of S3 that have no name."""

_ARN = re.compile(r"arn:aws:kms:([a-z0-9-]{2,25}):(\d{12}):(key/[A-Za-z0-9-]+|alias/[A-Za-z0-9/_-]+)", re.ASCII)
_ALIAS = re.compile(r"alias/[A-Za-z0-9/_-]+", re.ASCII)
_MANAGED: Final = "alias/aws/ecr"
_OF_AWS: Final = "alias/aws/"
_UUID = re.compile(r"(mrk-)?[0-9a-f-]{32,36}", re.ASCII)


class UnknownKey(Exception):
    """No key has the identifier of a request. The text is that of KMS."""


class KmsKey(NamedTuple):
    """A KMS key that a server accepts. Each alias begins with `alias/`."""

    arn: str
    aliases: tuple[str, ...]

    @property
    def owner(self) -> Registry:
        """The account and the Region of the key."""
        return _owner(self.arn)

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def is_managed_by_aws(self) -> bool:
        return _MANAGED in self.aliases


class KmsKeys:
    """KMS keys, found by any identifier of KMS: id, ARN, alias, ARN of the alias (KMS, "Key identifiers")."""

    def __init__(self, entries: Iterable[str] = ()) -> None:
        """Each entry is a key's ARN, or `alias/NAME=ARN`. Raises ValueError for anything else and equal aliases.

        Names that begin with `alias/aws/` are AWS's own (KMS, "CreateAlias").
        """
        self._named: dict[tuple[Registry, str], str] = {}
        for entry in entries:
            alias, _, arn = entry.rpartition("=")
            found = _ARN.fullmatch(arn)
            if found is None or not found[3].startswith("key/") or (alias and _ALIAS.fullmatch(alias) is None):
                raise ValueError(f"{entry!r} is neither the ARN of a KMS key nor alias/NAME=ARN")
            if alias.startswith(_OF_AWS):
                raise ValueError(f"{alias} is reserved for AWS: names cannot begin with {_OF_AWS}")
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

    def find(self, registry: Registry, name: str) -> KmsKey:
        """The key that a registry may use under `name`. Raises UnknownKey."""
        arn = self.resolve(registry, name)
        if arn is None:
            raise UnknownKey(_why_unknown(registry, name))
        return next(key for key in self.of(_owner(arn)) if key.arn == arn)

    def of(self, owner: Registry) -> list[KmsKey]:
        """The keys of an account in a Region, sorted by their ARNs, among them the AWS managed key for ECR."""
        aliases: dict[str, list[str]] = {_managed_by_aws(owner): [_MANAGED]}
        for (account_and_region, local), arn in self._named.items():
            if account_and_region == owner:
                aliases.setdefault(arn, []).extend([local] if local.startswith("alias/") else [])
        return [KmsKey(arn, tuple(sorted(aliases[arn]))) for arn in sorted(aliases)]


def claimed_arn(registry: Registry, name: str) -> str:
    """The ARN that an identifier of a key stands for, whether the key exists or not."""
    if _ARN.fullmatch(name):
        return name
    return f"arn:aws:kms:{registry.region}:{registry.account}:{name if name.startswith('alias/') else f'key/{name}'}"


def _owner(arn: str) -> Registry:
    _, _, _, region, account, _ = arn.split(":", 5)
    return Registry(account, region)


def _why_unknown(registry: Registry, name: str) -> str:
    arn = claimed_arn(registry, name)
    if arn == name and _owner(arn).region != registry.region:
        return f"Invalid arn {_owner(arn).region}"
    if ":alias/" in arn:
        return f"Alias {arn} is not found."
    return f"Key '{arn}' does not exist" if arn == name or _UUID.fullmatch(name) else f"Invalid keyId '{name}'"


def _managed_by_aws(registry: Registry) -> str:
    """The key of an account's `aws/ecr` alias in a Region; always the same, as in KMS."""
    name = f"arn:aws:kms:{registry.region}:{registry.account}:"
    return f"{name}key/{uuid.uuid5(uuid.NAMESPACE_URL, name + _MANAGED)}"
