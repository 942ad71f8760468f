"""What a push depends on, read in one statement: the image if it exists, and the settings that react to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moorage.domain.replication.rules import Rule
from moorage.domain.scanning.configuration import ScanningConfiguration
from moorage.domain.signing.rules import SigningRule
from moorage.metadata.database import Transaction
from moorage.metadata.registry.images import COLUMNS, Image
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.replication import configurations as replication
from moorage.metadata.scanning import configurations as scanning
from moorage.metadata.signing import configurations as signing

_DEFAULT_SCANNING: Final = ScanningConfiguration()


@dataclass(frozen=True, slots=True)
class PushSettings:
    """The settings that react to a push of an image.

    `has_targets`: some event target exists. `signing` is None without a signing configuration. `is_replica`: the image
    is a copy from another registry.
    """

    has_targets: bool = False
    has_lifecycle_policy: bool = False
    is_replica: bool = False
    signing: tuple[SigningRule, ...] | None = None
    scanning: ScanningConfiguration = _DEFAULT_SCANNING
    replication: tuple[Rule, ...] = ()


_OF_REGISTRY: Final = "account = :account AND region = :region"
_FIND: Final = f"""
SELECT
    EXISTS (SELECT 1 FROM webhook),
    EXISTS (SELECT 1 FROM lifecycle_policy WHERE repository_id = :repository),
    EXISTS (SELECT 1 FROM replica WHERE repository_id = :repository AND digest = :digest),
    (SELECT rules FROM signing_configuration WHERE {_OF_REGISTRY}),
    (SELECT scan_type FROM registry_scanning WHERE {_OF_REGISTRY}),
    (SELECT rules FROM registry_scanning WHERE {_OF_REGISTRY}),
    (SELECT rules FROM replication_configuration WHERE {_OF_REGISTRY}),
    {COLUMNS}
FROM repository r LEFT JOIN image i ON i.repository_id = r.id AND i.digest = :digest
WHERE r.id = :repository
"""
_SETTINGS: Final = 7
"""The number of columns before those of the image."""


def find(tx: Transaction, repository: Repository, digest: str) -> tuple[Image | None, PushSettings]:
    """The image of the repository with this digest, if it exists, and what reacts when it is pushed."""
    registry = repository.registry
    row = tx.one(_FIND, repository=repository.id, digest=digest, account=registry.account, region=registry.region)
    if row is None:
        return None, PushSettings()
    targets, policy, replica, signing_rules, scan_type, scanning_rules, replication_rules = row[:_SETTINGS]
    settings = PushSettings(
        bool(targets),
        bool(policy),
        bool(replica),
        None if signing_rules is None else signing.decoded(signing_rules),
        _DEFAULT_SCANNING if scan_type is None else scanning.decoded(scan_type, scanning_rules),
        () if replication_rules is None else replication.decoded(replication_rules),
    )
    image = row[_SETTINGS:]
    return None if image[0] is None else Image(*image), settings
