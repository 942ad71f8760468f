"""Archived images are archived at a second Moorage, and restored there, where the rule replicates deletions."""

from __future__ import annotations

import json

from tests.operations.replication.conftest import Pair, docker_of
from tests.support.http_client import Docker
from tests.support.images import image, layer
from tests.support.policies import allowing
from tests.support.proxy import Handler, Proxy
from tests.support.waiting import wait_until

PUSH = (
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
    "ecr:BatchGetImage",
)


def number_there(pair: Pair, repository: str, operation: str) -> int:
    """The number of a repository's requests for an operation at the second server."""
    lines = [line for line in pair.requests_there() if line.get("operation") == operation]
    return sum(line["path"].startswith(f"/v2/{repository}/") for line in lines)


def test_an_archived_image_is_archived_there_and_restored_without_its_layers(pair: Pair) -> None:
    one = image([layer(200_000, seed=1)], seed=1)
    pair.set_destination()
    pair.replicate(deletions=True)
    repository = pair.repository()
    pair.push(repository, one, "v1")
    pair.push(repository, one, "v2")
    wait_until(lambda: pair.tags_there(repository).keys() == {"v1", "v2"})

    pair.archive(repository, one)
    wait_until(lambda: pair.storage_class_there(repository, one) == "ARCHIVED")
    assert pair.tags_there(repository) == {}
    assert docker_of(pair.target).get(f"/v2/{repository}/manifests/v1").status == 404

    pair.restore(repository, one)
    wait_until(lambda: pair.storage_class_there(repository, one) == "ACTIVE")
    assert pair.tags_there(repository) == dict.fromkeys(("v1", "v2"), one.manifest.digest)
    wait_until(lambda: number_there(pair, repository, "PutImage") == 3)  # The log is written later.
    assert number_there(pair, repository, "CompleteLayerUpload") <= len(one.blobs)


def test_a_restored_image_is_archived_again_with_its_source(pair: Pair) -> None:
    """A restored replica is still one, so the next archival reaches it."""
    one = image(seed=2)
    pair.set_destination()
    pair.replicate(deletions=True)
    repository = pair.repository()
    pair.push(repository, one)
    assert pair.wait(repository, one) == ("COMPLETE", "")

    pair.archive(repository, one)
    wait_until(lambda: pair.storage_class_there(repository, one) == "ARCHIVED")
    pair.restore(repository, one)
    wait_until(lambda: pair.storage_class_there(repository, one) == "ACTIVE")
    pair.archive(repository, one)
    wait_until(lambda: pair.storage_class_there(repository, one) == "ARCHIVED")


def test_archivals_leave_alone_what_clients_of_another_moorage_pushed(pair: Pair) -> None:
    before, again, replica = image(seed=3), image(seed=4), image(seed=5)
    pair.set_destination()
    pair.replicate(deletions=True)
    repository = pair.repository()
    pair.there.create_repository(repositoryName=repository)
    pair.push_there(repository, before, "theirs")
    for tag, one in {"before": before, "again": again, "replica": replica}.items():
        pair.push(repository, one, tag)
        assert pair.wait(repository, one) == ("COMPLETE", "")
    pair.push_there(repository, again, "again")

    for one in (before, again, replica):
        pair.archive(repository, one)
    pair.wait_for_marker(repository, 90)

    seen = [pair.storage_class_there(repository, one) for one in (before, again, replica)]
    assert seen == ["ACTIVE", "ACTIVE", "ARCHIVED"]


def test_a_tag_that_is_deleted_while_its_image_is_archived_is_gone_after_the_restore(pair: Pair) -> None:
    one = image(seed=6)
    pair.set_destination()
    pair.replicate(deletions=True)
    repository = pair.repository()
    for tag in ("v1", "v2"):
        pair.push(repository, one, tag)
    wait_until(lambda: pair.tags_there(repository).keys() == {"v1", "v2"})
    pair.archive(repository, one)
    pair.here.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "v2"}])
    pair.wait_for_marker(repository, 91)

    pair.restore(repository, one)
    wait_until(lambda: pair.storage_class_there(repository, one) == "ACTIVE")
    pair.wait_for_marker(repository, 92)
    assert pair.tags_there(repository).keys() == {"v1", "marker-91", "marker-92"}


def test_archivals_stay_here_where_the_rule_does_not_replicate_deletions(pair: Pair) -> None:
    one = image(seed=7)
    pair.set_destination()
    pair.replicate()
    repository = pair.repository()
    pair.push(repository, one, "v1")
    assert pair.wait(repository, one) == ("COMPLETE", "")

    pair.archive(repository, one)
    pair.wait_for_marker(repository, 93)
    assert pair.storage_class_there(repository, one) == "ACTIVE"


def test_a_registry_without_storage_classes_keeps_an_archived_image(pair: Pair, distribution: Docker) -> None:
    one = image(seed=8)
    pair.set_destination(url=f"http://{distribution.host}:{distribution.port}")
    pair.replicate(deletions=True)
    repository = pair.repository()
    pair.push(repository, one, "v1")
    assert pair.wait(repository, one) == ("COMPLETE", "")

    pair.archive(repository, one)
    pair.wait_for_marker(repository, 94)
    answer = distribution.get(f"/v2/{repository}/manifests/v1", {"Accept": one.manifest.media_type})
    assert answer.body == one.manifest.content
    assert repository not in pair.source.moorage("replication", "status", "--failed")


def test_an_image_that_is_gone_there_is_no_failure(pair: Pair) -> None:
    one = image(seed=9)
    pair.set_destination()
    pair.replicate(deletions=True)
    repository = pair.repository()
    pair.push(repository, one, "v1")
    assert pair.wait(repository, one) == ("COMPLETE", "")
    pair.there.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])

    pair.archive(repository, one)
    pair.wait_for_marker(repository, 95)
    assert repository not in pair.source.moorage("replication", "status", "--failed")


def test_a_key_that_may_not_archive_fails_with_a_reason_until_it_may(pair: Pair) -> None:
    one = image(seed=10)
    allowed = allowing(*PUSH, "ecr:CreateRepository", "ecr:ReplicateImage")
    pair.target.moorage("user", "create", "replicator")
    pair.target.moorage("user", "put-policy", "replicator", "inline", "-", stdin=allowed)
    pair.set_destination(user="replicator")
    pair.replicate(deletions=True)
    repository = pair.repository()
    pair.push(repository, one, "v1")
    assert pair.wait(repository, one) == ("COMPLETE", "")

    pair.archive(repository, one)
    wait_until(lambda: f"{repository}\t" in pair.source.moorage("replication", "status", "--failed"))
    failed = pair.source.moorage("replication", "status", "--failed")
    line = next(line for line in failed.splitlines() if f"{repository}\t" in line)
    assert "AccessDenied" in line
    assert "ecr:UpdateImageStorageClass" in line
    assert pair.storage_class_there(repository, one) == "ACTIVE"

    pair.set_destination()
    wait_until(lambda: pair.storage_class_there(repository, one) == "ARCHIVED")


def test_an_archival_waits_for_a_destination_that_limits_requests(pair: Pair, proxy: Proxy) -> None:
    """ECR limits requests with the status 400 (`ThrottlingException`)."""
    one = image(seed=11)

    def throttled(handler: Handler) -> None:
        if handler.headers.get("x-amz-target", "").endswith("UpdateImageStorageClass"):
            handler.body()
            body = json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"}).encode()
            handler.send(400, [], body)
            return
        handler.send(*handler.forwarded())

    pair.set_destination()
    pair.replicate(deletions=True)
    repository = pair.repository()
    pair.push(repository, one, "v1")
    assert pair.wait(repository, one) == ("COMPLETE", "")
    proxy.fail("POST", "/", throttled)

    pair.archive(repository, one)
    wait_until(lambda: "Rate exceeded" in pair.source.moorage("replication", "status"))
    assert pair.storage_class_there(repository, one) == "ACTIVE"
    assert repository not in pair.source.moorage("replication", "status", "--failed")

    proxy.heal()
    pair.source.moorage("replication", "retry")
    wait_until(lambda: pair.storage_class_there(repository, one) == "ARCHIVED")


def test_without_the_permission_to_replicate_an_archival_is_one_by_an_ordinary_client(pair: Pair) -> None:
    """Nothing is marked as a replica then, so the digest decides, as it does at other registries."""
    one = image(seed=12)
    allowed = allowing(*PUSH, "ecr:CreateRepository", "ecr:UpdateImageStorageClass")
    pair.target.moorage("user", "create", "pusher")
    pair.target.moorage("user", "put-policy", "pusher", "inline", "-", stdin=allowed)
    pair.set_destination(user="pusher")
    pair.replicate(deletions=True)
    repository = pair.repository()
    pair.push(repository, one, "v1")
    assert pair.wait(repository, one) == ("COMPLETE", "")

    pair.archive(repository, one)
    wait_until(lambda: pair.storage_class_there(repository, one) == "ARCHIVED")
