"""What scanner adapters answer (Harbor's scanner-adapter API 1.2): metadata, and reports as findings."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from moorage.adapters.scanners.reports import require_few
from moorage.domain.scanning.findings import Cvss, Finding, Package, Severity
from moorage.domain.units import SECOND

ACCEPTED_TYPES: Final = (
    "application/vnd.security.vulnerability.report; version=1.1",
    "application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0",
)
"""Types of reports that are understood, the better first."""

_UPDATED_AT: Final = "harbor.scanner-adapter/vulnerability-database-updated-at"
_SEVERITIES: Final = {
    "Critical": Severity.CRITICAL,
    "High": Severity.HIGH,
    "Medium": Severity.MEDIUM,
    "Low": Severity.LOW,
    "Negligible": Severity.INFORMATIONAL,
    "None": Severity.INFORMATIONAL,
}


class _Scanner(msgspec.Struct, frozen=True):
    name: str
    version: str = ""


class _Capability(msgspec.Struct, frozen=True):
    produces_mime_types: list[str] = []


class Metadata(msgspec.Struct, frozen=True):
    """The answer to GET /api/v1/metadata."""

    scanner: _Scanner
    capabilities: list[_Capability] = []
    properties: dict[str, str] = {}

    @property
    def name(self) -> str:
        return f"{self.scanner.name} {self.scanner.version}".strip()

    @property
    def database(self) -> str:
        """The state of the database: when it was updated, or the scanner's version if the adapter does not tell."""
        return self.properties.get(_UPDATED_AT) or self.name

    @property
    def database_time(self) -> int | None:
        try:
            return int(datetime.fromisoformat(self.properties.get(_UPDATED_AT, "")).timestamp()) * SECOND
        except (ValueError, OverflowError):
            return None

    def best_type(self) -> str | None:
        """The best type of reports that the scanner makes; None if none is understood."""
        made = {_normal(mime) for capability in self.capabilities for mime in capability.produces_mime_types}
        return next((mime for mime in ACCEPTED_TYPES if _normal(mime) in made), None)


class Accepted(msgspec.Struct, frozen=True):
    """The answer to POST /api/v1/scan."""

    id: str


class _Message(msgspec.Struct, frozen=True):
    message: str = ""


class Problem(msgspec.Struct, frozen=True):
    """The body of an answer with an error."""

    error: _Message


class _Scores(msgspec.Struct, frozen=True):
    score_v3: float | None = None
    score_v2: float | None = None
    vector_v3: str | None = None
    vector_v2: str | None = None

    def scores(self) -> tuple[Cvss, ...]:
        third = (self.vector_v3 or "").partition("/")[0].removeprefix("CVSS:") or "3.1"
        found = (("2.0", self.vector_v2, self.score_v2), (third, self.vector_v3, self.score_v3))
        return tuple(Cvss(version, vector, score or 0.0) for version, vector, score in found if vector)


class _Vulnerability(msgspec.Struct, frozen=True):
    id: str
    package: str
    version: str = ""
    severity: str = ""
    fix_version: str | None = None
    description: str | None = None
    links: list[str] | None = None
    preferred_cvss: _Scores | None = None

    def finding(self) -> Finding:
        return Finding(
            name=self.id,
            severity=_SEVERITIES.get(self.severity, Severity.UNDEFINED),
            package=Package(self.package, self.version, fixed_in=self.fix_version or ""),
            description=self.description or "",
            uri=next(iter(self.links or ()), ""),
            vendor_severity=self.severity,
            cvss=self.preferred_cvss.scores() if self.preferred_cvss else (),
            references=tuple(self.links or ()),
        )


class Report(msgspec.Struct, frozen=True):
    """A report of either type."""

    vulnerabilities: list[_Vulnerability] | None = None

    def findings(self) -> list[Finding]:
        """Raises ReportInvalid."""
        found = self.vulnerabilities or []
        require_few(len(found))
        return [one.finding() for one in found]


def _normal(mime: str) -> str:
    return mime.replace(" ", "").lower()
