"""Audit records of lifecycle policy runs: CloudTrail's PolicyExecutionEvent (ECR user guide)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from moorage.core.events.audit import Audit
from moorage.domain.batches import batches
from moorage.domain.lifecycle.selection import SelectedImage
from moorage.domain.units import iso_time
from moorage.metadata.registry.repositories import Repository

_IMAGES: Final = 9
"""Images in one record. For ten images or more, ECR writes several records."""

_TAGS: Final = 100
_MILLISECOND: Final = 1_000

_COUNTS: Final[Mapping[str, str]] = {
    "imageCountMoreThan": "Image count more than",
    "sinceImagePushed": "Since image pushed",
    "sinceImagePulled": "Since image pulled",
    "sinceImageTransitioned": "Since image transitioned",
}
"""AWS documents the first two; the others are by analogy."""


@dataclass(frozen=True, slots=True)
class AppliedBatch:
    """The images that a run expired or archived in one transaction. Without images, `repository` is None."""

    repository: Repository | None = None
    images: Sequence[SelectedImage] = ()


def record(audit: Audit, applied: AppliedBatch, policy: str, evaluated_at: int) -> None:
    """Write the audit records of a batch. `policy` is the policy's text."""
    repository = applied.repository
    if repository is None:
        return
    for batch in batches(applied.images, _IMAGES):
        details = {
            "repositoryName": repository.name,
            "lifecycleEventPolicy": {
                "lifecycleEventRules": [_rule(rule) for rule in msgspec.json.decode(policy)["rules"]],
                "lastEvaluatedAt": iso_time(evaluated_at),
            },
            "lifecycleEventImageActions": [_action(selected) for selected in batch],
            "lifecycleEventFailureDetails": [],
        }
        audit.record_service_event("PolicyExecutionEvent", repository.arn, repository.registry, details)


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    selection = dict(rule["selection"])
    selection["tagStatus"] = selection["tagStatus"].capitalize()
    selection["countType"] = _COUNTS[selection["countType"]]
    return {
        "rulePriority": rule["rulePriority"],
        "description": rule.get("description", ""),
        "lifecycleEventSelection": selection,
        "action": rule["action"]["type"],
    }


def _action(selected: SelectedImage) -> dict[str, Any]:
    image = selected.image
    described = {
        "digest": image.digest,
        "tagStatus": "Tagged" if image.tags else "Untagged",
        "tagList": image.tags[:_TAGS],
        "pushedAt": image.pushed_at // _MILLISECOND,
    }
    return {"lifecycleEventImage": described, "rulePriority": selected.rule.priority}
