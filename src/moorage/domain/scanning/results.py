"""The results of a scan as they are stored: sorted, counted and bounded; and the rules of ECR's basic findings."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from moorage.bounds import shortened
from moorage.domain.scanning.findings import Cvss, Finding, Severity

FINDINGS_LIMIT: Final = 10_000
"""Findings of an image that are stored. An image with 1,352 packages has a few hundred."""

_BYTES_LIMIT: Final = 32 << 20
"""Bytes of all findings of an image."""

_TEXT_LIMIT: Final = 4096
_NAME_LIMIT: Final = 512
_ITEMS_LIMIT: Final = 32
"""Characters of a description, characters of any other text, and items of a list in one finding."""

_VALUE_LIMIT: Final = 256
"""Maximum length of an attribute's value (API reference, Attribute)."""

_ORDER: Final = {severity: position for position, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Results:
    """The findings to store by their ids, the most severe first, and the numbers of all that were found."""

    findings: dict[str, Finding]
    counts: dict[str, int]

    @property
    def left_out(self) -> int:
        """How many findings are not stored, because there are too many."""
        return sum(self.counts.values()) - len(self.findings)


def results_of(found: Iterable[Finding], repository_arn: str, digest: str) -> Results:
    """Sort, count and bound what a scanner found in an image. Counts have no zeros, as ECR's have none."""
    by_id = {finding_id(repository_arn, digest, one): one for one in map(_bounded, found)}
    ordered = sorted(by_id.items(), key=lambda pair: (_ORDER[pair[1].severity], pair[1].name, pair[1].package.name))
    numbers = Counter(str(one.severity) for one in by_id.values())
    counts = {severity: numbers[severity] for severity in map(str, Severity) if numbers[severity]}
    return Results(dict(_fitting(ordered[:FINDINGS_LIMIT])), counts)


def _fitting(ordered: Iterable[tuple[str, Finding]]) -> Iterator[tuple[str, Finding]]:
    size = 0
    for id_, one in ordered:
        size += len(msgspec.json.encode(one))
        if size > _BYTES_LIMIT:
            return
        yield id_, one


def _bounded(found: Finding) -> Finding:
    """The finding with short texts and lists: advisories are written by others."""
    package = found.package
    names = ("name", "version", "manager", "path", "layer", "fixed_in", "arch", "release")
    return msgspec.structs.replace(
        found,
        name=shortened(found.name, _NAME_LIMIT),
        description=shortened(found.description, _TEXT_LIMIT),
        uri=shortened(found.uri, _NAME_LIMIT),
        source=shortened(found.source, _NAME_LIMIT),
        vendor_severity=shortened(found.vendor_severity, _NAME_LIMIT),
        package=msgspec.structs.replace(
            package, **{name: shortened(getattr(package, name), _NAME_LIMIT) for name in names}
        ),
        cvss=tuple(map(_bounded_score, found.cvss[:_ITEMS_LIMIT])),
        references=tuple(shortened(text, _NAME_LIMIT) for text in found.references[:_ITEMS_LIMIT]),
        related=tuple(shortened(text, _NAME_LIMIT) for text in found.related[:_ITEMS_LIMIT]),
    )


def _bounded_score(cvss: Cvss) -> Cvss:
    return Cvss(
        version=shortened(cvss.version, _NAME_LIMIT),
        vector=shortened(cvss.vector, _NAME_LIMIT),
        score=cvss.score,
        source=shortened(cvss.source, _NAME_LIMIT),
    )


def finding_id(repository_arn: str, digest: str, found: Finding) -> str:
    """The id of a finding, 32 hexadecimal digits. It stays the same in later scans."""
    package = found.package
    parts = (repository_arn, digest, found.name, package.name, package.version, package.path)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def attributes(found: Finding) -> dict[str, str]:
    """The attributes of a basic finding: the package, and the first score of each version of CVSS."""
    members = {"package_version": found.package.version, "package_name": found.package.name}
    for cvss in found.cvss:
        prefix = f"CVSS{cvss.version[:1]}"
        members.setdefault(f"{prefix}_VECTOR", cvss.vector)
        members.setdefault(f"{prefix}_SCORE", str(cvss.score))
    return {key: shortened(value, _VALUE_LIMIT) for key, value in members.items() if value}


def main_score(found: Finding) -> Cvss | None:
    """The score that Inspector shows for a finding: the highest one of the newest version."""
    return max(found.cvss, key=lambda cvss: (cvss.version, cvss.score), default=None)
