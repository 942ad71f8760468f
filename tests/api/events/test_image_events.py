"""Events of images have the members of ECR's own events (ECR user guide, "Amazon ECR events")."""

from __future__ import annotations

import re
import uuid
from typing import Any

from tests.api.ecr.pushing import push, put
from tests.api.events.conftest import Hook
from tests.support.databases import engine_of
from tests.support.http_client import Docker
from tests.support.images import OCI_CONFIG, OCI_MANIFEST, artifact, image, index
from tests.support.receiver import Receiver
from tests.support.server import Server

ENVELOPE = {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"}


def actions(receiver: Receiver, number: int) -> list[tuple[str, str, str]]:
    """Action, digest and tag of the next events, in the order of their arrival."""
    details = [message.detail for message in receiver.wait_for(number)]
    return [(each["action-type"], each["image-digest"], each.get("image-tag", "-")) for each in details]


def test_the_event_of_a_push_has_exactly_the_members_of_ecr(
    ecr: Any, repository: str, receiver: Receiver, hook: Hook
) -> None:
    pushed = push(ecr, repository, image(seed=1), "v1")

    (message,) = receiver.wait_for(1)

    event = message.event
    assert set(event) == ENVELOPE
    assert (event["version"], event["detail-type"], event["source"]) == ("0", "ECR Image Action", "aws.ecr")
    assert (event["account"], event["region"], event["resources"]) == ("000000000000", "us-east-1", [])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["time"])
    assert uuid.UUID(event["id"]).version == 4
    assert event["detail"] == {
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": pushed.manifest.digest,
        "action-type": "PUSH",
        "image-tag": "v1",
        "manifest-media-type": OCI_MANIFEST,
        "artifact-media-type": OCI_CONFIG,
    }


def test_each_tag_that_is_set_or_removed_is_an_event_in_the_order_of_the_changes(
    ecr: Any, http: Docker, repository: str, receiver: Receiver, hook: Hook
) -> None:
    first, second = image(seed=1), image(seed=2)
    push(ecr, repository, first, "v1")
    put(ecr, repository, first, "v2")
    http.push(repository, second, "v1")
    http.push(repository, second, "v1")  # Nothing changes, so there is no event.
    assert http.delete(f"/v2/{repository}/manifests/v2").status == 202
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": first.manifest.digest}])
    http.push(repository, first)
    put(ecr, repository, second, "v3")
    assert http.delete(f"/v2/{repository}/manifests/{second.manifest.digest}").status == 202

    digest, other = first.manifest.digest, second.manifest.digest
    assert actions(receiver, 9) == [
        ("PUSH", digest, "v1"),
        ("PUSH", digest, "v2"),
        ("PUSH", other, "v1"),
        ("DELETE", digest, "v2"),
        ("DELETE", digest, ""),
        ("PUSH", digest, ""),
        ("PUSH", other, "v3"),
        ("DELETE", other, "v1"),
        ("DELETE", other, "v3"),
    ]


def test_referrers_have_a_detail_type_of_their_own(
    ecr: Any, http: Docker, repository: str, receiver: Receiver, hook: Hook
) -> None:
    subject = image(seed=1)
    push(ecr, repository, subject, "v1")
    note = artifact(b"a note")
    referrer = image(note.blobs[1:], extra={"subject": subject.manifest.descriptor, "artifactType": "application/note"})
    http.push(repository, referrer)

    _, message = receiver.wait_for(2)

    assert message.event["detail-type"] == "ECR Referrer Action"
    assert message.detail["artifact-media-type"] == "application/note"
    assert message.detail["image-digest"] == referrer.manifest.digest


def test_archiving_and_restoring_are_events(ecr: Any, repository: str, receiver: Receiver, hook: Hook) -> None:
    pushed = push(ecr, repository, image(seed=1), "v1")
    for target in ("ARCHIVE", "STANDARD"):
        ecr.update_image_storage_class(repositoryName=repository, imageId={"imageTag": "v1"}, targetStorageClass=target)

    _, archived, restored = [message.detail for message in receiver.wait_for(3)]

    expected = {
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": pushed.manifest.digest,
        "action-type": "UPDATE_STORAGE_CLASS",
        "manifest-media-type": OCI_MANIFEST,
        "artifact-media-type": OCI_CONFIG,
    }
    assert archived == expected | {"target-storage-class": "ARCHIVE"}
    assert restored.pop("last-activated-at")
    assert restored == expected | {"target-storage-class": "STANDARD"}


def test_a_refused_change_is_not_an_event(
    ecr: Any, http: Docker, repository: str, receiver: Receiver, hook: Hook
) -> None:
    missing = image(seed=7)
    answer = http.put(
        f"/v2/{repository}/manifests/v1", missing.manifest.content, {"Content-Type": missing.manifest.media_type}
    )
    assert answer.status == 404
    child = image(seed=1)
    push(ecr, repository, child)
    push(ecr, repository, index([child]), "list")
    failures = ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": child.manifest.digest}])
    assert failures["failures"]

    assert [action for action, _, _ in actions(receiver, 2)] == ["PUSH", "PUSH"]


def test_events_that_no_target_wants_are_not_stored(server: Server, ecr: Any, repository: str) -> None:
    push(ecr, repository, image(seed=1), "v1")

    database = engine_of(server.data).open()
    try:
        assert database.read_blocking(lambda tx: tx.all("SELECT 1 FROM delivery")) == []
    finally:
        database.close()
