"""The status of a scan: each one of ECR's enumeration, and where it belongs (API reference, ImageScanStatus)."""

from __future__ import annotations

from typing import Any

import pytest

from moorage.domain.scanning.configuration import Frequency
from moorage.domain.scanning.statuses import (
    ELIGIBLE_AGE,
    SCAN_INTERVAL,
    Outcome,
    ScanFacts,
    ScanState,
    ScanStatus,
    state_of,
)
from moorage.domain.units import DAY

NOW = 1_000 * DAY

IDLE: dict[str, Any] = {
    "is_archived": False,
    "pushed_at": NOW - DAY,
    "is_waiting": False,
    "is_enhanced": False,
    "enhanced_at": 0,
    "frequency": Frequency.MANUAL,
}
ENHANCED = {"is_enhanced": True, "enhanced_at": NOW - DAY, "frequency": Frequency.SCAN_ON_PUSH}
CONTINUOUS = ENHANCED | {"frequency": Frequency.CONTINUOUS_SCAN}


def state(**changes: Any) -> ScanState | None:
    return state_of(ScanFacts(**(IDLE | changes)), NOW)


def existing_state(**changes: Any) -> ScanState:
    found = state(**changes)
    assert found is not None
    return found


def ended(outcome: Outcome, scan_type: str = "BASIC", age: int = SCAN_INTERVAL // 2) -> dict[str, Any]:
    return {"outcome": outcome, "scan_type": scan_type, "requested_at": NOW - age, "reason": "Because."}


def test_an_image_that_was_never_scanned_has_no_status() -> None:
    assert state() is None


def test_a_waiting_scan_is_in_progress_or_pending() -> None:
    assert existing_state(is_waiting=True).status is ScanStatus.IN_PROGRESS
    assert existing_state(is_waiting=True, **ENHANCED).status is ScanStatus.PENDING


@pytest.mark.parametrize(
    ("outcome", "basic", "enhanced", "continuous"),
    [
        (Outcome.DONE, ScanStatus.COMPLETE, ScanStatus.COMPLETE, ScanStatus.ACTIVE),
        (Outcome.CUT, ScanStatus.COMPLETE, ScanStatus.LIMIT_EXCEEDED, ScanStatus.LIMIT_EXCEEDED),
        (Outcome.FAILED, ScanStatus.FAILED, ScanStatus.FAILED, ScanStatus.FAILED),
        (
            Outcome.UNSUPPORTED,
            ScanStatus.FAILED,
            ScanStatus.UNSUPPORTED_IMAGE,
            ScanStatus.UNSUPPORTED_IMAGE,
        ),
        (
            Outcome.TOO_LARGE,
            ScanStatus.FAILED,
            ScanStatus.IMAGE_SIZE_EXCEEDED,
            ScanStatus.IMAGE_SIZE_EXCEEDED,
        ),
        (Outcome.REQUESTED, ScanStatus.FAILED, ScanStatus.FAILED, ScanStatus.FAILED),
    ],
)
def test_each_end_of_a_scan_has_its_status(
    outcome: Outcome, basic: ScanStatus, enhanced: ScanStatus, continuous: ScanStatus
) -> None:
    """A basic scan ends as COMPLETE or FAILED: the waiter ImageScanComplete knows no other end."""
    found = [
        state(**ended(outcome)),
        state(**ended(outcome, "ENHANCED"), **ENHANCED),
        state(**ended(outcome, "ENHANCED"), **CONTINUOUS),
    ]

    assert [one.status for one in found if one] == [basic, enhanced, continuous]
    assert {one.has_findings for one in found if one} == {outcome.has_findings}
    assert all(one.description for one in found if one)


def test_descriptions_are_those_of_ecr() -> None:
    """AWS CLI reference, describe-image-scan-findings; ECR user guide, "Retrieving findings"."""
    done = {**ended(Outcome.DONE), "reason": ""}
    assert existing_state(**done).description == "The scan was completed successfully."
    again = existing_state(**done | {"scan_type": "ENHANCED"}, **CONTINUOUS)
    assert again.description == "Continuous scan is selected for image."


def test_a_scan_of_the_last_day_stays_while_another_push_waits() -> None:
    recent, old = ended(Outcome.DONE, age=SCAN_INTERVAL - 1), ended(Outcome.DONE, age=SCAN_INTERVAL)

    assert existing_state(is_waiting=True, **recent).status is ScanStatus.COMPLETE
    assert existing_state(is_waiting=True, **old).status is ScanStatus.IN_PROGRESS


def test_a_failed_scan_can_be_repeated_at_once() -> None:
    assert existing_state(is_waiting=True, **ended(Outcome.FAILED)).status is ScanStatus.IN_PROGRESS


def test_findings_of_the_other_scan_type_do_not_count() -> None:
    assert state(**ended(Outcome.DONE, "ENHANCED")) is None
    assert existing_state(**ended(Outcome.DONE, "BASIC"), **ENHANCED).status is ScanStatus.PENDING


def test_findings_are_unavailable_where_enhanced_scanning_is_off() -> None:
    off = ENHANCED | {"frequency": Frequency.OFF}

    assert state(**off) is None
    found = state(**ended(Outcome.DONE, "ENHANCED"), **off)
    assert found is not None
    assert (found.status, found.has_findings) == (ScanStatus.FINDINGS_UNAVAILABLE, False)


def test_images_that_are_old_when_enhanced_scanning_starts_are_not_eligible() -> None:
    """ECR user guide, "Enhanced scanning": only images that were pushed in the last 14 days."""
    start = NOW - DAY
    old = state(**ENHANCED | {"pushed_at": start - ELIGIBLE_AGE - 1})
    recent = state(**ENHANCED | {"pushed_at": start - ELIGIBLE_AGE})

    assert old is not None
    assert old.status is ScanStatus.SCAN_ELIGIBILITY_EXPIRED
    assert recent is not None
    assert recent.status is ScanStatus.PENDING


def test_an_archived_image_says_so_if_it_was_scanned_or_would_be() -> None:
    assert state(is_archived=True) is None
    for facts in (ended(Outcome.DONE), {"frequency": Frequency.SCAN_ON_PUSH}):
        found = state(is_archived=True, **facts)
        assert found is not None
        assert (found.status, found.has_findings) == (ScanStatus.IMAGE_ARCHIVED, False)
