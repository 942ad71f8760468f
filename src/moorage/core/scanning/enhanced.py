"""Enhanced findings in the shape of Amazon Inspector, for responses and for events (API reference, Finding)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from moorage.domain.scanning.findings import Cvss, Finding, Severity
from moorage.domain.scanning.results import main_score
from moorage.metadata.registry.images import Image
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.scanning.scans import ScanRecord, StoredFinding

_UNKNOWN_FIX: Final = "NotAvailable"
"""What Inspector shows as `fixedInVersion` where it knows no fix."""


@dataclass(frozen=True, slots=True)
class ScannedImage:
    """The image of findings, with its tags."""

    repository: Repository
    image: Image
    tags: Sequence[str]
    record: ScanRecord


def finding(scanned: ScannedImage, stored: StoredFinding, time: Callable[[int], Any]) -> dict[str, Any]:
    """A finding; `time` writes a time in the format of the message."""
    found, registry = stored.finding, scanned.repository.registry
    score = main_score(found)
    return {
        "awsAccountId": registry.account,
        "findingArn": f"arn:aws:inspector2:{registry.region}:{registry.account}:finding/{stored.id}",
        "type": "PACKAGE_VULNERABILITY",
        "status": "ACTIVE",
        "title": f"{found.name} - {found.package.name}",
        "description": found.description,
        "severity": _severity(found),
        "firstObservedAt": time(stored.first_seen_at),
        "lastObservedAt": time(scanned.record.completed_at),
        "updatedAt": time(scanned.record.completed_at),
        "fixAvailable": "YES" if found.package.fixed_in else "NO",
        "exploitAvailable": "YES" if found.is_exploited else "NO",
        **_scores(score),
        "packageVulnerabilityDetails": _details(found, time),
        "remediation": {"recommendation": {"text": _recommendation(found)}},
        "resources": [_resource(scanned, time)],
    }


def _severity(found: Finding) -> str:
    """Inspector's severity; it has another word for one that nobody has given."""
    return "UNTRIAGED" if found.severity is Severity.UNDEFINED else str(found.severity)


def _scores(score: Cvss | None) -> dict[str, Any]:
    if score is None:
        return {}
    details = {
        "score": score.score,
        "scoreSource": score.source,
        "scoringVector": score.vector,
        "version": score.version,
        "adjustments": [],
    }
    return {"score": score.score, "scoreDetails": {"cvss": details}}


def _details(found: Finding, time: Callable[[int], Any]) -> dict[str, Any]:
    details: dict[str, Any] = {
        "vulnerabilityId": found.name,
        "source": found.source.partition(":")[0].upper(),
        "sourceUrl": found.uri,
        "vendorSeverity": found.vendor_severity,
        "referenceUrls": list(found.references),
        "relatedVulnerabilities": list(found.related),
        "cvss": [
            {"baseScore": cvss.score, "scoringVector": cvss.vector, "source": cvss.source, "version": cvss.version}
            for cvss in found.cvss
        ],
        "vulnerablePackages": [_package(found)],
    }
    if found.published_at is not None:
        details["vendorCreatedAt"] = time(found.published_at)
    if found.updated_at is not None:
        details["vendorUpdatedAt"] = time(found.updated_at)
    return details


def _package(found: Finding) -> dict[str, Any]:
    """The package, without what the scanner does not know."""
    package = found.package
    members = {
        "name": package.name,
        "version": package.version,
        "packageManager": package.manager,
        "filePath": package.path,
        "sourceLayerHash": package.layer,
        "arch": package.arch,
        "release": package.release,
    }
    known = {name: value for name, value in members.items() if value}
    return {**known, "epoch": package.epoch, "fixedInVersion": package.fixed_in or _UNKNOWN_FIX}


def _recommendation(found: Finding) -> str:
    package = found.package
    return f"Update {package.name} to {package.fixed_in}." if package.fixed_in else "None Provided"


def _resource(scanned: ScannedImage, time: Callable[[int], Any]) -> dict[str, Any]:
    repository, image = scanned.repository, scanned.image
    details = {
        "imageHash": image.digest,
        "imageTags": list(scanned.tags),
        "pushedAt": time(image.pushed_at),
        "registry": repository.registry.account,
        "repositoryName": repository.name,
    }
    return {
        "id": f"{repository.arn}/{image.digest}",
        "type": "AWS_ECR_CONTAINER_IMAGE",
        "details": {"awsEcrContainerImage": details},
        "tags": {},
    }
