"""Scanning configurations: filters, precedence and checks (ECR user guide, "Filter wildcards", "Filters")."""

from __future__ import annotations

import pytest

from moorage.domain.errors import InvalidParameter
from moorage.domain.scanning.configuration import (
    BASIC,
    ENHANCED,
    AppliedFrequency,
    Frequency,
    ScanningConfiguration,
    ScanningRule,
    check,
    frequency_of,
    matches_filter,
)

NAMES = ["prod", "repo-prod", "prod-repo", "repo-prod-repo", "prodrepo"]

ON_PUSH, CONTINUOUS, MANUAL, OFF = (
    Frequency.SCAN_ON_PUSH,
    Frequency.CONTINUOUS_SCAN,
    Frequency.MANUAL,
    Frequency.OFF,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prod", ["prod", "repo-prod", "prod-repo", "repo-prod-repo", "prodrepo"]),
        ("*prod", ["prod", "repo-prod"]),
        ("prod*", ["prod", "prod-repo", "prodrepo"]),
        ("*prod*", ["prod", "repo-prod", "prod-repo", "repo-prod-repo", "prodrepo"]),
        ("prod*repo", ["prod-repo", "prodrepo"]),
        ("*", NAMES),
        ("dev", []),
    ],
)
def test_a_filter_is_a_part_of_the_name_unless_it_has_a_wildcard(text: str, expected: list[str]) -> None:
    """The table of the ECR user guide, "Filter wildcards"."""
    assert [name for name in NAMES if matches_filter(text, name)] == expected


def rule(frequency: Frequency, *filters: str) -> ScanningRule:
    return ScanningRule(frequency, filters)


def found(
    scan_type: str, *rules: ScanningRule, name: str = "team/prod", scan_on_push: bool = False
) -> AppliedFrequency:
    return frequency_of(ScanningConfiguration(scan_type, rules), name, scan_on_push=scan_on_push)


def test_continuous_scanning_takes_precedence_over_scanning_on_push() -> None:
    rules = (rule(ON_PUSH, "prod", "team"), rule(CONTINUOUS, "prod", "other"))

    assert found(ENHANCED, *rules) == AppliedFrequency(CONTINUOUS, ("prod",))
    assert found(ENHANCED, *rules, name="team/test") == AppliedFrequency(ON_PUSH, ("team",))


def test_a_repository_without_a_rule_is_manual_or_off() -> None:
    assert found(BASIC, rule(ON_PUSH, "dev")) == AppliedFrequency(MANUAL)
    assert found(ENHANCED, rule(ON_PUSH, "dev")) == AppliedFrequency(OFF)


def test_enhanced_scanning_without_rules_scans_everything_continuously() -> None:
    assert found(ENHANCED) == AppliedFrequency(CONTINUOUS)
    assert found(BASIC) == AppliedFrequency(MANUAL)


def test_the_setting_of_a_repository_counts_for_basic_scanning_only() -> None:
    assert found(BASIC, scan_on_push=True) == AppliedFrequency(ON_PUSH)
    assert found(BASIC, rule(MANUAL, "prod"), scan_on_push=True) == AppliedFrequency(ON_PUSH, ("prod",))
    assert found(ENHANCED, rule(ON_PUSH, "dev"), scan_on_push=True) == AppliedFrequency(OFF)


@pytest.mark.parametrize(
    ("scan_type", "frequency"), [(BASIC, ON_PUSH), (BASIC, MANUAL), (ENHANCED, ON_PUSH), (ENHANCED, CONTINUOUS)]
)
def test_each_scan_type_has_two_frequencies(scan_type: str, frequency: Frequency) -> None:
    check(ScanningConfiguration(scan_type, (rule(frequency, "*"),)))


@pytest.mark.parametrize(("scan_type", "frequency"), [(BASIC, CONTINUOUS), (ENHANCED, MANUAL)])
def test_a_frequency_of_the_other_scan_type_is_refused(scan_type: str, frequency: Frequency) -> None:
    """The text is ECR's for BASIC (badmintoncryer/cdk-preflight, rules/ecr)."""
    expected = (
        "Invalid parameter failed to satisfy constraint: "
        f"'Invalid scan frequency for scanType {scan_type}: {frequency}'"
    )
    with pytest.raises(InvalidParameter) as refused:
        check(ScanningConfiguration(scan_type, (rule(frequency, "*"),)))

    assert (str(refused.value), refused.value.code()) == (expected, "InvalidParameterException")


def test_two_rules_for_one_frequency_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="one rule only"):
        check(ScanningConfiguration(BASIC, (rule(ON_PUSH, "a"), rule(ON_PUSH, "b"))))
