"""Scanning configurations of registries: which repositories are scanned, and how often (ECR user guide, "Scan images").

Basic scanning scans on a push or when it is asked to. Enhanced scanning also matches known images again whenever the
vulnerability database changes, and never scans on request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from moorage.domain.errors import InvalidParameter
from moorage.domain.names import matches_wildcard
from moorage.domain.scanning.errors import ScanFrequencyInvalid

BASIC: Final = "BASIC"
ENHANCED: Final = "ENHANCED"


class Frequency(StrEnum):
    """When the images of a repository are scanned. OFF is ours: ECR has no value for "not even on request"."""

    CONTINUOUS_SCAN = "CONTINUOUS_SCAN"
    SCAN_ON_PUSH = "SCAN_ON_PUSH"
    MANUAL = "MANUAL"
    OFF = "OFF"


_ALLOWED: Final = {
    BASIC: frozenset({Frequency.SCAN_ON_PUSH, Frequency.MANUAL}),
    ENHANCED: frozenset({Frequency.SCAN_ON_PUSH, Frequency.CONTINUOUS_SCAN}),
}

_PRECEDENCE: Final = (Frequency.CONTINUOUS_SCAN, Frequency.SCAN_ON_PUSH, Frequency.MANUAL)
"""ECR user guide, "Filters": continuous scanning takes precedence over scanning on push."""


class ScanningRule(msgspec.Struct, frozen=True, array_like=True):
    """The repositories that match one of the filters have this frequency."""

    frequency: Frequency
    filters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScanningConfiguration:
    """The configuration of a registry. A new registry has basic scanning without rules."""

    scan_type: str = BASIC
    rules: tuple[ScanningRule, ...] = ()

    @property
    def is_enhanced(self) -> bool:
        return self.scan_type == ENHANCED


@dataclass(frozen=True, slots=True)
class AppliedFrequency:
    """The frequency of a repository, and the filters that give it this frequency."""

    frequency: Frequency
    filters: tuple[str, ...] = ()

    @property
    def scans_pushes(self) -> bool:
        return self.frequency in {Frequency.SCAN_ON_PUSH, Frequency.CONTINUOUS_SCAN}


def check(configuration: ScanningConfiguration) -> None:
    """Check the rules against the scan type. Raises ScanFrequencyInvalid; InvalidParameter for a frequency twice.

    ECR's limit of two rules suggests one for each frequency; no response to a repeated one was captured.
    """
    for rule in configuration.rules:
        if rule.frequency not in _ALLOWED[configuration.scan_type]:
            raise ScanFrequencyInvalid(configuration.scan_type, rule.frequency)
    if len({rule.frequency for rule in configuration.rules}) < len(configuration.rules):
        raise InvalidParameter(parameter="rules", constraint="Each scan frequency can have one rule only")


def frequency_of(configuration: ScanningConfiguration, repository: str, *, scan_on_push: bool) -> AppliedFrequency:
    """The frequency of a repository. `scan_on_push` is its own setting, which counts for basic scanning only.

    Enhanced scanning without rules scans all repositories continuously.
    """
    if configuration.is_enhanced and not configuration.rules:
        return AppliedFrequency(Frequency.CONTINUOUS_SCAN)
    filters = {rule.frequency: _matching(rule.filters, repository) for rule in configuration.rules}
    for frequency in _PRECEDENCE:
        if filters.get(frequency):
            return AppliedFrequency(_with_own_setting(frequency, configuration, scan_on_push), filters[frequency])
    return AppliedFrequency(_with_own_setting(Frequency.MANUAL, configuration, scan_on_push))


def _with_own_setting(frequency: Frequency, configuration: ScanningConfiguration, scan_on_push: bool) -> Frequency:
    if configuration.is_enhanced:
        return Frequency.OFF if frequency is Frequency.MANUAL else frequency
    return Frequency.SCAN_ON_PUSH if scan_on_push else frequency


def _matching(filters: Sequence[str], repository: str) -> tuple[str, ...]:
    return tuple(text for text in filters if matches_filter(text, repository))


def matches_filter(text: str, repository: str) -> bool:
    """Whether a filter of a scanning rule matches a repository: without `*` it is a part of the name.

    ECR user guide, "Filter wildcards". Other filters of ECR have other rules.
    """
    return matches_wildcard(text, repository) if "*" in text else text in repository
