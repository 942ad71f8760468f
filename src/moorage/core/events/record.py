"""Record events in the shape that Amazon EventBridge gives events of ECR (ECR user guide, "Amazon ECR events").

An event is recorded in the transaction of its change, so neither exists without the other, and only if an event target
subscribes to it. `delivery.py` delivers it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from moorage.core.reactions import (
    ApiCalled,
    ImageDeleted,
    ImageFacts,
    ImagePushed,
    StorageClassChanged,
    TagDeleted,
)
from moorage.domain.names import Registry
from moorage.domain.units import iso_time
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.events import deliveries, targets
from moorage.metadata.events.deliveries import Delivery
from moorage.metadata.events.targets import EventTarget
from moorage.metadata.registry.repositories import Repository

JOB: Final = "webhook"
"""The kind of the jobs that deliver events: one job for each target and stream."""

PUSH: Final = "PUSH"
DELETE: Final = "DELETE"
UPDATE_STORAGE_CLASS: Final = "UPDATE_STORAGE_CLASS"
API_CALL: Final = "API_CALL"
SCAN: Final = "SCAN"
FINDING: Final = "FINDING"
SCAN_FREQUENCY_CHANGE: Final = "SCAN_FREQUENCY_CHANGE"
PULL_THROUGH: Final = "PULL_THROUGH"
REPLICATE: Final = "REPLICATE"
NAMES: Final = (
    PUSH,
    DELETE,
    UPDATE_STORAGE_CLASS,
    API_CALL,
    PULL_THROUGH,
    REPLICATE,
    SCAN,
    FINDING,
    SCAN_FREQUENCY_CHANGE,
)
"""The names by which event targets select events."""

_RECORDED_BY_IMAGE: Final = frozenset({"PutImage", "BatchDeleteImage", "UpdateImageStorageClass"})
"""Operations with their own events, one for each image."""


@dataclass(frozen=True, slots=True)
class Event:
    """A change. Events with the same `stream`, the ARN of their resource, are delivered in order.

    `resources` are the ARNs that EventBridge's shape lists; most events of ECR have none.
    """

    name: str
    detail_type: str
    registry: Registry
    stream: str
    time: int
    detail: dict[str, Any]
    resources: tuple[str, ...] = ()
    source: str = "aws.ecr"


def record(tx: Transaction, event: Event) -> None:
    """Store a delivery of the event for each target that selects it, in the caller's transaction."""
    selecting = _targets_of(tx, event.name)
    if not selecting:
        return
    event_id = str(uuid.uuid4())
    body = msgspec.json.encode(envelope(event, event_id), enc_hook=str).decode()
    for target in selecting:
        deliveries.insert(tx, Delivery(0, target.id, event.stream, event_id, body, event.time))
        request_delivery(tx, target, event.stream, event.time)


def is_selected(tx: Transaction, name: str) -> bool:
    """Whether an event target selects these events."""
    return bool(_targets_of(tx, name))


def _targets_of(tx: Transaction, name: str) -> list[EventTarget]:
    return [target for target in targets.list_all(tx) if name in target.events]


def request_delivery(tx: Transaction, target: EventTarget, stream: str, due_at: int) -> None:
    """Schedule the delivery of a stream's waiting events at that time."""
    jobs.enqueue(tx, JOB, job_key(target, stream), {}, due_at)


def job_key(target: EventTarget, stream: str) -> str:
    return f"{target.id} {stream}"


def envelope(event: Event, event_id: str) -> dict[str, Any]:
    """An event with the members that EventBridge adds to all events."""
    return {
        "version": "0",
        "id": event_id,
        "detail-type": event.detail_type,
        "source": event.source,
        "account": event.registry.account,
        "time": iso_time(event.time),
        "region": event.registry.region,
        "resources": event.resources,
        "detail": event.detail,
    }


def image_pushed(tx: Transaction, change: ImagePushed) -> None:
    """One event for each new tag, or one with an empty tag for a push without a tag."""
    for tag in (change.tags or (None,)) if change.settings.has_targets else ():
        record(tx, image_event(change.repository, PUSH, change.digest, tag, change.image, change.at))


def image_deleted(tx: Transaction, change: ImageDeleted) -> None:
    """One event for each tag of the image, or one with an empty tag for an untagged image."""
    for tag in change.tags or (None,):
        record(tx, image_event(change.repository, DELETE, change.digest, tag, change.image, change.at))


def tag_deleted(tx: Transaction, change: TagDeleted) -> None:
    record(tx, image_event(change.repository, DELETE, change.digest, change.tag, change.image, change.at))


def storage_class_changed(tx: Transaction, change: StorageClassChanged) -> None:
    record(tx, storage_class_event(change.repository, change.digest, change.image, change.target, change.at))


def api_called(tx: Transaction, change: ApiCalled) -> None:
    """A change of the registry or of a repository, with its audit record as the detail."""
    if change.operation in _RECORDED_BY_IMAGE or not _targets_of(tx, API_CALL):
        return
    call = change.describe()
    stream = call["resources"][0]["ARN"] if call["resources"] else change.registry.registry_arn()
    record(tx, Event(API_CALL, "AWS API Call via CloudTrail", change.registry, stream, change.at, call))


def image_event(
    repository: Repository, action: str, digest: str, tag: str | None, image: ImageFacts, now: int
) -> Event:
    """PUSH or DELETE of an image: one event for each tag, or one with an empty tag for an image without tags."""
    return _image_event(repository, action, digest, image, now, {"image-tag": tag or ""})


def storage_class_event(repository: Repository, digest: str, image: ImageFacts, target: str, now: int) -> Event:
    """An image was archived or restored. `target` is ARCHIVE or STANDARD."""
    members = {"target-storage-class": target}
    if target == "STANDARD":
        members["last-activated-at"] = iso_time(now)
    return _image_event(repository, UPDATE_STORAGE_CLASS, digest, image, now, members)


def _image_event(
    repository: Repository, action: str, digest: str, image: ImageFacts, now: int, members: dict[str, Any]
) -> Event:
    detail = {
        "result": "SUCCESS",
        "repository-name": repository.name,
        "image-digest": digest,
        "action-type": action,
        **members,
        "manifest-media-type": image.media_type,
    }
    if image.artifact_type:
        detail["artifact-media-type"] = image.artifact_type
    # Events of referrers have another detail-type and the same members.
    detail_type = "ECR Referrer Action" if image.subject else "ECR Image Action"
    return Event(action, detail_type, repository.registry, repository.arn, now, detail)
