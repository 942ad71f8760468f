"""Rows of scanning configurations. A registry without a row has the default configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from moorage.bounds import bounded_cache
from moorage.domain.names import Registry
from moorage.domain.scanning.configuration import ScanningConfiguration, ScanningRule
from moorage.metadata.database import Transaction


@dataclass(frozen=True, slots=True)
class StoredConfiguration:
    """A configuration, and the one before it whose effects on repositories were announced last.

    `enhanced_at` is since when the scan type is ENHANCED; 0 if it is not.
    """

    current: ScanningConfiguration
    applied: ScanningConfiguration
    enhanced_at: int


_DEFAULT = StoredConfiguration(ScanningConfiguration(), ScanningConfiguration(), 0)


def find(tx: Transaction, registry: Registry) -> StoredConfiguration:
    """The configuration of a registry, or the default."""
    row = tx.one(
        "SELECT scan_type, rules, enhanced_at, applied_type, applied_rules FROM registry_scanning"
        " WHERE account = :account AND region = :region",
        account=registry.account,
        region=registry.region,
    )
    if row is None:
        return _DEFAULT
    scan_type, rules, enhanced_at, applied_type, applied_rules = row
    return StoredConfiguration(
        decoded(scan_type, rules),
        decoded(applied_type, applied_rules),
        enhanced_at,
    )


def put(tx: Transaction, registry: Registry, configuration: ScanningConfiguration, now: int) -> None:
    """Store a configuration. The announced one (`applied_type`, `applied_rules`) stays."""
    tx.run(
        "INSERT INTO registry_scanning"
        " (account, region, scan_type, rules, enhanced_at, applied_type, applied_rules)"
        " VALUES (:account, :region, :type, :rules, :enhanced, :default_type, '[]')"
        " ON CONFLICT (account, region) DO UPDATE SET scan_type = excluded.scan_type, rules = excluded.rules,"
        " enhanced_at = CASE WHEN excluded.enhanced_at > 0 AND registry_scanning.enhanced_at > 0"
        "   THEN registry_scanning.enhanced_at ELSE excluded.enhanced_at END",
        **_values(registry, configuration),
        enhanced=now if configuration.is_enhanced else 0,
        default_type=_DEFAULT.applied.scan_type,
    )


def record_applied(tx: Transaction, registry: Registry, configuration: ScanningConfiguration) -> None:
    """Record that the effects of a configuration were announced."""
    tx.run(
        "UPDATE registry_scanning SET applied_type = :type, applied_rules = :rules"
        " WHERE account = :account AND region = :region",
        **_values(registry, configuration),
    )


def _values(registry: Registry, configuration: ScanningConfiguration) -> dict[str, Any]:
    return {
        "account": registry.account,
        "region": registry.region,
        "type": configuration.scan_type,
        "rules": msgspec.json.encode(configuration.rules).decode(),
    }


def decoded(scan_type: str, rules: str) -> ScanningConfiguration:
    """The configuration in the columns `scan_type` and `rules`, or in `applied_type` and `applied_rules`."""
    return ScanningConfiguration(scan_type, _rules(rules))


@bounded_cache(entries=256, size=1 << 18)
def _rules(text: str) -> tuple[ScanningRule, ...]:
    """Two rules have at most 200 filters of 255 characters. Each push reads them."""
    return msgspec.json.decode(text, type=tuple[ScanningRule, ...])
