"""What the audit log tells of the runs of lifecycle policies: CloudTrail's PolicyExecutionEvent (ECR user guide)."""

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
"""Images of one record: ECR writes several records from ten images on."""

_TAGS: Final = 100
_MILLISECOND: Final = 1_000

_COUNTS: Final[Mapping[str, str]] = {
    "imageCountMoreThan": "Image count more than",
    "sinceImagePushed": "Since image pushed",
    "sinceImagePulled": "Since image pulled",
    "sinceImageTransitioned": "Since image transitioned",
}
"""The documentation shows the first two."""


@dataclass(frozen=True, slots=True)
class AppliedBatch:
    """What a run did to a repository in one transaction."""

    repository: Repository | None = None
    choices: Sequence[SelectedImage] = ()


def tell(audit: Audit, done: AppliedBatch, policy: str, evaluated_at: int) -> None:
    """Record what was done by the policy of this text."""
    repository = done.repository
    if repository is None:
        return
    for batch in batches(done.choices, _IMAGES):
        details = {
            "repositoryName": repository.name,
            "lifecycleEventPolicy": {
                "lifecycleEventRules": [_rule(rule) for rule in msgspec.json.decode(policy)["rules"]],
                "lastEvaluatedAt": iso_time(evaluated_at),
            },
            "lifecycleEventImageActions": [_action(choice) for choice in batch],
            "lifecycleEventFailureDetails": [],
        }
        audit.tell("PolicyExecutionEvent", repository.arn, repository.registry, details)


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


def _action(choice: SelectedImage) -> dict[str, Any]:
    image = choice.image
    described = {
        "digest": image.digest,
        "tagStatus": "Tagged" if image.tags else "Untagged",
        "tagList": image.tags[:_TAGS],
        "pushedAt": image.pushed_at // _MILLISECOND,
    }
    return {"lifecycleEventImage": described, "rulePriority": choice.rule.priority}
