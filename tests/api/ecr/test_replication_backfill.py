"""Backfills: images that were there before the configuration (API reference, StartReplicationBackfill and others)."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.api.ecr.pushing import push, put, variants
from tests.api.ecr.refusals import invalid
from tests.api.ecr.replicating import NAME, Site
from tests.api.ecr.wire import ACCOUNT, Refusal, refusal
from tests.support.images import image, index
from tests.support.server import Server
from tests.support.waiting import wait_until

ENDED = {"COMPLETE", "FAILED", "STOPPED"}
UNKNOWN = {"registryId": "999999999999"}


def started(source: Site, destination: dict[str, str]) -> str:
    """The id of a new backfill."""
    answer = source.ecr.start_replication_backfill(destination=destination)
    assert (answer["status"], answer["destination"]) == ("PREPARING", destination)
    assert answer["registryId"] == source.account
    return str(answer["replicationBackfillId"])


def ended(source: Site, backfill: str, **request: Any) -> Any:
    """The response of DescribeReplicationBackfillResults when the backfill has ended."""

    def describe() -> Any:
        return source.ecr.describe_replication_backfill_results(replicationBackfillId=backfill, **request)

    wait_until(lambda: describe()["status"] in ENDED)
    return describe()


def test_a_backfill_replicates_each_tag_and_image_that_was_there(source: Site, target: Site) -> None:
    child = push(source.ecr, NAME, image(seed=1))
    both = push(source.ecr, NAME, index([child]), "multi", "latest")
    source.ecr.create_repository(repositoryName="other/app")
    push(source.ecr, "other/app", image(seed=2), "v1")
    source.replicate_to(target, filters=["team"])

    done = ended(source, started(source, target.destination))

    assert done["status"] == "COMPLETE"
    assert done["startedAt"] <= done["endedAt"]
    assert done["progress"] == {
        "totalReplicationCount": 3,
        "completedReplicationCount": 3,
        "failedReplicationCount": 0,
        "failureCodes": [],
    }
    found = [(each["repositoryName"], each["imageId"], each["status"]) for each in done["results"]]
    assert found == [
        (NAME, {"imageDigest": child.manifest.digest}, "COMPLETE"),
        (NAME, {"imageDigest": both.manifest.digest, "imageTag": "latest"}, "COMPLETE"),
        (NAME, {"imageDigest": both.manifest.digest, "imageTag": "multi"}, "COMPLETE"),
    ]
    assert target.images(NAME) == source.images(NAME)
    assert target.images("other/app") == {}
    assert source.statuses(NAME, both) == [(target.region, "COMPLETE", "")]


def test_a_registry_without_images_has_a_backfill_without_results(source: Site, target: Site) -> None:
    source.replicate_to(target)

    done = ended(source, started(source, target.destination))

    assert (done["status"], done["results"]) == ("COMPLETE", [])
    assert done["progress"]["totalReplicationCount"] == 0


def test_replicas_and_archived_images_are_not_backfilled(source: Site, target: Site) -> None:
    target.ecr.create_repository(repositoryName=NAME)
    target.replicate_to(source)
    replica = push(target.ecr, NAME, image(seed=1), "replica")
    target.wait(NAME, replica)
    archived = push(source.ecr, NAME, image(seed=2), "archived")
    digest = {"imageDigest": archived.manifest.digest}
    source.ecr.update_image_storage_class(repositoryName=NAME, imageId=digest, targetStorageClass="ARCHIVE")
    own = push(source.ecr, NAME, image(seed=3), "own")
    source.replicate_to(target)

    done = ended(source, started(source, target.destination))

    assert [each["imageId"]["imageTag"] for each in done["results"]] == ["own"]
    assert target.images(NAME) == {replica.manifest.digest: {"replica"}, own.manifest.digest: {"own"}}


def test_half_of_a_hundred_that_fail_end_a_backfill_and_its_results_come_in_pages(source: Site, target: Site) -> None:
    """The destination's account does not exist, so each replication fails."""
    shared = variants(seed=1)
    first = push(source.ecr, NAME, next(shared))
    for number in range(130):
        put(source.ecr, NAME, first if number < 2 else next(shared), f"v{number}")
    destination = target.destination | UNKNOWN
    source.ecr.put_replication_configuration(replicationConfiguration={"rules": [{"destinations": [destination]}]})
    backfill = started(source, destination)

    done = ended(source, backfill, maxResults=70)
    more = ended(source, backfill, maxResults=70, nextToken=done["nextToken"])
    complete = ended(source, backfill, resultStatusFilter="COMPLETE")

    assert (done["status"], done["failureCode"]) == ("FAILED", "TooManyFailures")
    assert done["progress"]["totalReplicationCount"] == 130
    assert done["progress"]["failedReplicationCount"] == len(done["results"]) + len(more["results"]) == 100
    assert done["progress"]["failureCodes"] == ["DestinationNotFound"]
    assert {each["failureCode"] for each in done["results"]} == {"DestinationNotFound"}
    assert "nextToken" not in more
    assert complete["results"] == []


def forbid(target: Site) -> None:
    """A registry policy that lets nothing arrive."""
    deny = (
        '{"Version": "2012-10-17", "Statement": [{"Sid": "no", "Effect": "Deny", "Principal": "*",'
        f' "Action": "ecr:ReplicateImage", "Resource": "arn:aws:ecr:{target.region}:{ACCOUNT}:repository/*"}}]}}'
    )
    target.ecr.put_registry_policy(policyText=deny)


def test_an_index_fails_with_the_codes_of_the_images_that_it_lists(source: Site, target: Site) -> None:
    child = push(source.ecr, NAME, image(seed=1))
    push(source.ecr, NAME, index([child]), "multi")
    source.replicate_to(target)
    forbid(target)

    done = ended(source, started(source, target.destination))

    assert done["status"] == "COMPLETE"  # Fewer than a hundred were tried.
    assert done["progress"]["failureCodes"] == ["AccessDenied"]
    alone, both = done["results"]
    assert (alone["failureCode"], "subImageFailureCodes" in alone) == ("AccessDenied", False)
    assert (both["failureCode"], both["subImageFailureCodes"]) == ("AccessDenied", ["AccessDenied"])
    assert target.images(NAME) == {}


def test_what_failed_in_a_backfill_arrives_after_a_retry(server: Server, source: Site, target: Site) -> None:
    """The results of the backfill remain those of the time when it ended."""
    pushed = push(source.ecr, NAME, image(seed=1), "v1")
    source.replicate_to(target)
    forbid(target)
    backfill = started(source, target.destination)
    before = ended(source, backfill)
    assert source.statuses(NAME, pushed) == [(target.region, "FAILED", "AccessDenied")]
    failed = server.moorage("replication", "status", "--failed")
    assert f"{target.region}\t{target.account}\t{NAME}\tv1\tAccessDenied" in failed

    target.ecr.delete_registry_policy()
    retried = server.moorage("replication", "retry", "--destination", target.region, target.account)

    assert retried.splitlines()[0] == "Failed images and tags that wait again: 1."
    assert source.wait(NAME, pushed) == [(target.region, "COMPLETE", "")]
    assert target.images(NAME) == {pushed.manifest.digest: {"v1"}}
    after = ended(source, backfill)
    assert (after["progress"], after["results"]) == (before["progress"], before["results"])


def test_another_backfill_replaces_the_failures_of_the_first(source: Site, target: Site) -> None:
    pushed = push(source.ecr, NAME, image(seed=1), "v1")
    source.replicate_to(target)
    forbid(target)
    ended(source, started(source, target.destination))
    target.ecr.delete_registry_policy()

    done = ended(source, started(source, target.destination))

    assert done["progress"]["completedReplicationCount"] == 1
    assert source.statuses(NAME, pushed) == [(target.region, "COMPLETE", "")]


def test_backfills_are_listed_the_newest_first_in_pages(source: Site, target: Site) -> None:
    source.replicate_to(target)
    ids = []
    for _ in range(3):
        ids.append(started(source, target.destination))
        ended(source, ids[-1])

    pages = source.ecr.get_paginator("list_replication_backfills").paginate(PaginationConfig={"PageSize": 2})
    listed = [[each["replicationBackfillId"] for each in page["backfills"]] for page in pages]

    assert listed == [[ids[2], ids[1]], [ids[0]]]


def test_a_backfill_that_ended_cannot_be_stopped(source: Site, target: Site) -> None:
    source.replicate_to(target)
    backfill = started(source, target.destination)
    ended(source, backfill)

    refused = refusal(source.ecr.stop_replication_backfill, replicationBackfillId=backfill)

    text = f"The replication backfill with id '{backfill}' cannot be stopped because its status is COMPLETE"
    assert refused == Refusal(400, "ReplicationBackfillInvalidStatusException", text)


def test_a_backfill_goes_only_to_a_configured_destination(source: Site, target: Site) -> None:
    refused = refusal(source.ecr.start_replication_backfill, destination=target.destination)

    assert refused == invalid(
        "destination", "The destination is not part of the replication configuration of the registry"
    )


@pytest.mark.parametrize("operation", ["stop_replication_backfill", "describe_replication_backfill_results"])
def test_a_backfill_of_another_registry_is_not_found(source: Site, target: Site, operation: str) -> None:
    source.replicate_to(target)
    backfill = started(source, target.destination)
    for wrong in (backfill, str(uuid.uuid4())):
        refused = refusal(getattr(target.ecr, operation), replicationBackfillId=wrong)

        text = f"The replication backfill with id '{wrong}' could not be found in the registry with id '{ACCOUNT}'"
        assert refused == Refusal(400, "ReplicationBackfillNotFoundException", text)
