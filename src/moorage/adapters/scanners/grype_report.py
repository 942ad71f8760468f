"""What Grype writes, as findings: its report in JSON (`-o json`) and its bill of materials (`-o cyclonedx-json`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import parse_qs

import msgspec

from moorage.adapters.scanners.reports import ReportInvalid, read_report, require_few
from moorage.bounds import shortened
from moorage.domain.scanning.findings import Cvss, Finding, Package, Severity
from moorage.domain.units import SECOND

_QUALIFIERS_LIMIT: Final = 50
_PURL_LIMIT: Final = 4096
_EPOCH_DIGITS: Final = 10


_SEVERITIES: Final = {
    "critical": Severity.CRITICAL,
    "high": Severity.HIGH,
    "medium": Severity.MEDIUM,
    "low": Severity.LOW,
    "negligible": Severity.INFORMATIONAL,
}
_MANAGERS: Final = {
    "alpm": "OS",
    "apk": "OS",
    "deb": "OS",
    "rpm": "OS",
    "portage": "OS",
    "python": "PYTHONPKG",
    "npm": "NODEPKG",
    "java-archive": "JAR",
    "jenkins-plugin": "JAR",
    "gem": "GEMSPEC",
    "go-module": "GOBINARY",
    "rust-crate": "CARGO",
    "dotnet": "NUGET",
    "php-composer": "COMPOSER",
}
"""Grype's types of packages, in the words of Inspector's `packageManager`."""


class _Metrics(msgspec.Struct, frozen=True, rename="camel"):
    base_score: float


class _Cvss(msgspec.Struct, frozen=True):
    version: str
    vector: str
    metrics: _Metrics
    source: str = ""


class _Related(msgspec.Struct, frozen=True):
    id: str
    description: str = ""


class _Fix(msgspec.Struct, frozen=True):
    versions: list[str]


class _Vulnerability(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    fix: _Fix
    severity: str = ""
    data_source: str = ""
    namespace: str = ""
    description: str = ""
    urls: list[str] = []
    cvss: list[_Cvss] = []
    known_exploited: list[msgspec.Raw] = []


class _Location(msgspec.Struct, frozen=True):
    path: str
    layer: str = msgspec.field(default="", name="layerID")


class _Artifact(msgspec.Struct, frozen=True):
    name: str
    version: str
    type: str = ""
    locations: list[_Location] = []
    purl: str = ""


class _Match(msgspec.Struct, frozen=True, rename="camel"):
    vulnerability: _Vulnerability
    artifact: _Artifact
    related_vulnerabilities: list[_Related] = []


class _Distribution(msgspec.Struct, frozen=True):
    name: str = ""


class _Descriptor(msgspec.Struct, frozen=True):
    name: str
    version: str


class Report(msgspec.Struct, frozen=True):
    """A report, as far as it is used."""

    matches: list[_Match]
    descriptor: _Descriptor
    distro: _Distribution = _Distribution()

    @property
    def has_distribution(self) -> bool:
        return bool(self.distro.name)

    def findings(self, layers: Mapping[str, str]) -> list[Finding]:
        """The findings. `layers` has the digest of each layer by that of its uncompressed bytes.

        Raises ReportInvalid.
        """
        require_few(len(self.matches))
        return [_finding(match, layers) for match in self.matches]


class _Bom(msgspec.Struct, frozen=True, rename="camel"):
    bom_format: str
    components: list[msgspec.Raw] = []


class _State(msgspec.Struct, frozen=True):
    valid: bool
    built: datetime | None = None
    error: str = ""

    @property
    def fault(self) -> str | None:
        return None if self.valid else shortened(self.error) or "Grype does not accept it"


def count_components(sbom: bytes) -> int:
    """The number of components in a bill of materials. Raises ReportInvalid if the bytes are not CycloneDX."""
    bom = read_report(_Bom, sbom)
    if bom.bom_format != "CycloneDX":
        raise ReportInvalid("it is not CycloneDX")
    return len(bom.components)


def database_time(content: bytes) -> int:
    """When the database was built, in microseconds, from `grype db status -o json`. Raises ReportInvalid."""
    state = read_report(_State, content)
    if state.fault is not None or state.built is None:
        raise ReportInvalid(state.fault or "it has no time")
    return int(state.built.timestamp()) * SECOND


def database_fault(content: bytes) -> str | None:
    """Why Grype does not accept a database, from `grype db status -o json`; None if it does. Raises ReportInvalid."""
    return read_report(_State, content).fault


def _finding(match: _Match, layers: Mapping[str, str]) -> Finding:
    found, related = match.vulnerability, match.related_vulnerabilities
    cve = next((one for one in related if one.id.startswith("CVE-")), None)
    name = found.id if cve is None or found.id.startswith("CVE-") else cve.id
    others = dict.fromkeys(one for one in (found.id, *(one.id for one in related)) if one != name)
    return Finding(
        name=name,
        severity=_SEVERITIES.get(found.severity.lower(), Severity.UNDEFINED),
        package=_package(match.artifact, found.fix.versions, layers),
        description=found.description or (cve.description if cve else ""),
        uri=found.data_source or next(iter(found.urls), ""),
        source=found.namespace,
        vendor_severity=found.severity,
        cvss=tuple(_score(one) for one in found.cvss),
        references=tuple(found.urls),
        related=tuple(others),
        is_exploited=bool(found.known_exploited),
    )


def _package(artifact: _Artifact, fixed_in: Sequence[str], layers: Mapping[str, str]) -> Package:
    place = next(iter(artifact.locations), None)
    qualifiers = _qualifiers(artifact.purl)
    epoch = qualifiers.get("epoch", [""])[0]
    return Package(
        name=artifact.name,
        version=artifact.version,
        manager=_MANAGERS.get(artifact.type, ""),
        path=place.path if place else "",
        layer=layers.get(place.layer, place.layer) if place else "",
        fixed_in=next(iter(fixed_in), ""),
        arch=qualifiers.get("arch", [""])[0],
        epoch=int(epoch) if epoch.isascii() and epoch.isdigit() and len(epoch) < _EPOCH_DIGITS else 0,
    )


def _qualifiers(purl: str) -> dict[str, list[str]]:
    """The qualifiers of a package URL; none of one with more than any package has."""
    try:
        return parse_qs(purl.partition("?")[2][:_PURL_LIMIT], max_num_fields=_QUALIFIERS_LIMIT)
    except ValueError:
        return {}


def _score(one: _Cvss) -> Cvss:
    return Cvss(one.version, one.vector, one.metrics.base_score, one.source)
