"""Reports of scanners, as bytes: read into the few members that are needed.

A report can have millions of values, more than the strict reader of JSON takes. Nobody else reads the same bytes, so
two readers cannot disagree on them.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

REPORT_LIMIT: Final = 128 << 20
"""Maximum size of a report in bytes: 2,000 findings take 8 MiB."""

FINDING_LIMIT: Final = 50_000

REASON_LIMIT: Final = 500
"""Characters of what a scanner says about a failure: it becomes the description of a scan's status."""

T = TypeVar("T")


class ReportInvalid(Exception):
    """The bytes are not what the scanner should write. The text says why."""


def read_report(kind: type[T], content: bytes) -> T:
    """The report as this type; members that the type does not name are ignored. Raises ReportInvalid."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ReportInvalid(str(error)) from None


def require_few(number: int) -> None:
    """Raises ReportInvalid for a report with too many findings."""
    if number > FINDING_LIMIT:
        raise ReportInvalid(f"it has more than {FINDING_LIMIT} findings")
