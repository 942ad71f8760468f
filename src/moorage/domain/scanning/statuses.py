"""The status of an image's scan, from its record, its job and the configuration (API reference, ImageScanStatus).

A basic scan ends as COMPLETE or FAILED: clients wait for these two (the waiter ImageScanComplete), and for an image
that cannot be scanned ECR's answer was FAILED, too. An enhanced scan has a status for each end.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from moorage.domain.scanning.configuration import Frequency
from moorage.domain.units import DAY


class Outcome(StrEnum):
    """How a scan ended. CUT: the most severe findings are stored, because there are too many."""

    REQUESTED = "REQUESTED"
    DONE = "DONE"
    CUT = "CUT"
    FAILED = "FAILED"
    UNSUPPORTED = "UNSUPPORTED"
    TOO_LARGE = "TOO_LARGE"

    @property
    def has_findings(self) -> bool:
        return self in {Outcome.DONE, Outcome.CUT}


class ScanStatus(StrEnum):
    """ECR's statuses."""

    IN_PROGRESS = "IN_PROGRESS"
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"
    UNSUPPORTED_IMAGE = "UNSUPPORTED_IMAGE"
    ACTIVE = "ACTIVE"
    PENDING = "PENDING"
    SCAN_ELIGIBILITY_EXPIRED = "SCAN_ELIGIBILITY_EXPIRED"
    FINDINGS_UNAVAILABLE = "FINDINGS_UNAVAILABLE"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    IMAGE_ARCHIVED = "IMAGE_ARCHIVED"
    IMAGE_SIZE_EXCEEDED = "IMAGE_SIZE_EXCEEDED"


ELIGIBLE_AGE: Final = 14 * DAY
"""Images that are older when enhanced scanning starts are not scanned (ECR user guide, "Enhanced scanning")."""

SCAN_INTERVAL: Final = DAY
"""Each image can be scanned once in this time, scans on push included (API reference, StartImageScan)."""

UNSUPPORTED_TEXT: Final = "UnsupportedImageError: The operating system and/or package manager are not supported."
NO_SCANNER_TEXT: Final = (
    "No scanner is configured on this server, so nothing was scanned. To have one, start the server with --scanner; "
    "docs/scanning.md of Moorage shows how."
)
_ENDED_TEXT: Final = "The scan was ended before it was complete. Start it again."


class ScanState(NamedTuple):
    """A status with its description, and whether findings can be shown."""

    status: ScanStatus
    description: str
    has_findings: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFacts:
    """What the status of an image's scan depends on.

    The last scan has `outcome` (None: there was none), `reason`, `requested_at` and `scan_type`. A job `is_waiting` to
    scan the image, or does so now. The configuration `is_enhanced` since `enhanced_at`, and gives `frequency`.
    """

    is_archived: bool
    pushed_at: int
    is_waiting: bool
    is_enhanced: bool
    enhanced_at: int
    frequency: Frequency
    scan_type: str = ""
    outcome: Outcome | None = None
    reason: str = ""
    requested_at: int = 0


def state_of(facts: ScanFacts, now: int) -> ScanState | None:
    """The state of an image's scan; None if there is none."""
    if facts.is_archived:
        text = "The image is archived. Restore it to have it scanned."
        is_scanned = facts.outcome is not None or facts.frequency in {Frequency.SCAN_ON_PUSH, Frequency.CONTINUOUS_SCAN}
        return ScanState(ScanStatus.IMAGE_ARCHIVED, text) if is_scanned else None
    if facts.frequency is Frequency.OFF:
        text = "Scanning is off for this repository: no rule of the registry's scanning configuration matches it."
        return ScanState(ScanStatus.FINDINGS_UNAVAILABLE, text) if facts.outcome else None
    is_current = facts.outcome is not None and (facts.scan_type == "ENHANCED") == facts.is_enhanced
    if facts.is_waiting and not (is_current and counts_as_recent(facts.outcome, facts.requested_at, now)):
        return _waiting(facts)
    if is_current and facts.outcome is not None:
        return _of_outcome(facts, facts.outcome)
    return _never_scanned(facts)


def counts_as_recent(outcome: Outcome | None, requested_at: int, now: int) -> bool:
    """Whether a scan prevents another one for a day. A failed one does not, and neither does one that is to run."""
    has_run = outcome not in {None, Outcome.REQUESTED, Outcome.FAILED}
    return has_run and now - requested_at < SCAN_INTERVAL


def _waiting(facts: ScanFacts) -> ScanState:
    if facts.is_enhanced:
        return ScanState(ScanStatus.PENDING, "The image waits for its scan.")
    return ScanState(ScanStatus.IN_PROGRESS, "The scan is in progress.")


def _never_scanned(facts: ScanFacts) -> ScanState | None:
    if not facts.is_enhanced:
        return None
    if facts.pushed_at < facts.enhanced_at - ELIGIBLE_AGE:
        text = "The image was pushed more than 14 days before enhanced scanning was turned on. Push it again."
        return ScanState(ScanStatus.SCAN_ELIGIBILITY_EXPIRED, text)
    return _waiting(facts)


def _of_outcome(facts: ScanFacts, outcome: Outcome) -> ScanState:
    if outcome is Outcome.REQUESTED:  # Its job is gone.
        return ScanState(ScanStatus.FAILED, _ENDED_TEXT)
    if outcome.has_findings:
        return _with_findings(facts, outcome)
    if not facts.is_enhanced or outcome is Outcome.FAILED:
        return ScanState(ScanStatus.FAILED, facts.reason)
    is_unsupported = outcome is Outcome.UNSUPPORTED
    status = ScanStatus.UNSUPPORTED_IMAGE if is_unsupported else ScanStatus.IMAGE_SIZE_EXCEEDED
    return ScanState(status, facts.reason)


def _with_findings(facts: ScanFacts, outcome: Outcome) -> ScanState:
    if outcome is Outcome.CUT and facts.is_enhanced:
        return ScanState(ScanStatus.LIMIT_EXCEEDED, facts.reason, has_findings=True)
    if facts.frequency is Frequency.CONTINUOUS_SCAN:
        return ScanState(ScanStatus.ACTIVE, "Continuous scan is selected for image.", has_findings=True)
    text = facts.reason or "The scan was completed successfully."
    return ScanState(ScanStatus.COMPLETE, text, has_findings=True)
