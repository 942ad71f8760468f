"""Lifecycle policies and previews through the API, and their effect at both endpoints of a running server.

ECR API reference, PutLifecyclePolicy to GetLifecyclePolicyPreview. tests/api/lifecycle tests the rules.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from moorage.core.clock import system_clock
from moorage.domain.names import Registry, RepositoryName
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.jobs import JobState
from moorage.metadata.lifecycle import policies, previews
from moorage.metadata.registry import repositories
from tests.api.ecr.pushing import push, variants
from tests.api.ecr.refusals import invalid, no_repository
from tests.api.ecr.wire import ACCOUNT, Refusal, check_answers_of, refusal
from tests.support.aws import aws_client, docker_password
from tests.support.databases import engine_of
from tests.support.http_client import Docker
from tests.support.images import Image, image, index
from tests.support.server import Server
from tests.support.waiting import wait_until
from tests.unit.lifecycle.policies import ARCHIVE, policy, rule

KEEP_TWO = policy(rule(1, ["v*"], 2), rule(2, "untagged", 7, "sinceImagePushed"))


def without(what: str, repository: str) -> Refusal:
    message = f"{what} does not exist for the repository with name '{repository}' in the registry with id '{ACCOUNT}'"
    return Refusal(400, what.title().replace(" ", "") + "NotFoundException", message)


def members(answer: Any) -> Any:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def preview(ecr: Any, repository: str, text: str, **parameters: Any) -> Any:
    """The response of GetLifecyclePolicyPreview for a complete preview."""
    ecr.start_lifecycle_policy_preview(repositoryName=repository, lifecyclePolicyText=text)
    wait_until(lambda: ecr.get_lifecycle_policy_preview(repositoryName=repository)["status"] == "COMPLETE")
    return members(ecr.get_lifecycle_policy_preview(repositoryName=repository, **parameters))


def five(ecr: Any, repository: str) -> list[Image]:
    """Images with the tags v0 to v4, pushed in this order."""
    some = [each for each, _ in zip(variants(), range(5), strict=False)]
    return [push(ecr, repository, each, f"v{number}") for number, each in enumerate(some)]


# --- Policies --------------------------------------------------------------------------------------------------------


def test_a_policy_is_put_read_replaced_and_deleted(ecr: Any, repository: str) -> None:
    """As Terraform does it: create, read, update, delete, read again."""
    named = {"repositoryName": repository}
    compact = json.dumps(json.loads(KEEP_TWO), separators=(",", ":"))
    answer = {"registryId": ACCOUNT, "repositoryName": repository}

    put = ecr.put_lifecycle_policy(**named, lifecyclePolicyText=json.dumps(json.loads(KEEP_TWO), indent=4))
    first = ecr.get_lifecycle_policy(**named)
    ecr.put_lifecycle_policy(**named, lifecyclePolicyText=policy(rule(1, "any", 1_000) | {"description": "x" * 60}))
    second = ecr.get_lifecycle_policy(**named)
    deleted = ecr.delete_lifecycle_policy(**named)

    assert json.loads(put["lifecyclePolicyText"]) == json.loads(KEEP_TWO)
    assert len(put["lifecyclePolicyText"]) == len(compact)
    assert members(put) == answer | {"lifecyclePolicyText": put["lifecyclePolicyText"]}
    assert members(first) == members(put) | {"lastEvaluatedAt": first["lastEvaluatedAt"]}
    assert first["lastEvaluatedAt"].timestamp() == 0
    assert members(deleted) == members(second) | {"lastEvaluatedAt": deleted["lastEvaluatedAt"]}
    assert refusal(ecr.get_lifecycle_policy, **named) == without("Lifecycle policy", repository)
    assert refusal(ecr.delete_lifecycle_policy, **named) == without("Lifecycle policy", repository)


def test_a_rejected_policy_does_not_replace_the_previous_one(ecr: Any, repository: str) -> None:
    put = ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=KEEP_TWO)
    bad = json.dumps({"rules": [rule(0, "any", 1)]})

    refused = refusal(ecr.put_lifecycle_policy, repositoryName=repository, lifecyclePolicyText=bad)

    reason = "numeric instance is lower than the required minimum (minimum: 1, found: 0)"
    assert refused == invalid("LifecyclePolicyText", f"Lifecycle policy validation failure: {reason}")
    found = ecr.get_lifecycle_policy(repositoryName=repository)["lifecyclePolicyText"]
    assert found == put["lifecyclePolicyText"]


@pytest.mark.parametrize(
    ("text", "constraint"),
    [
        ("{}", "Member must have length greater than or equal to 100"),
        (policy(rule(1, "any", 1)) + " " * 30_720, "Member must have length less than or equal to 30720"),
    ],
)
def test_a_policy_has_a_minimum_and_a_maximum_length(
    unchecked: Any, repository: str, text: str, constraint: str
) -> None:
    for operation in (unchecked.put_lifecycle_policy, unchecked.start_lifecycle_policy_preview):
        refused = refusal(operation, repositoryName=repository, lifecyclePolicyText=text)
        assert refused == invalid("lifecyclePolicyText", constraint)


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("put_lifecycle_policy", {"lifecyclePolicyText": KEEP_TWO}),
        ("get_lifecycle_policy", {}),
        ("delete_lifecycle_policy", {}),
        ("start_lifecycle_policy_preview", {}),
        ("get_lifecycle_policy_preview", {}),
    ],
)
def test_a_repository_that_does_not_exist_has_no_policy(ecr: Any, operation: str, request_: dict[str, str]) -> None:
    call = getattr(ecr, operation)

    assert refusal(call, repositoryName="no/such", **request_) == no_repository("no/such")


# --- Previews --------------------------------------------------------------------------------------------------------


def test_a_preview_shows_the_effect_and_changes_nothing(ecr: Any, repository: str) -> None:
    some = five(ecr, repository)
    stray = push(ecr, repository, image(seed=1))
    text = policy(rule(1, ["v*"], 3), rule(7, "untagged", 1, action=ARCHIVE), rule(9, "any", 100))
    spread = json.dumps(json.loads(text), indent=2)
    push(ecr, repository, image(seed=2))
    pushed = {
        row["imageDigest"]: row["imagePushedAt"]
        for row in ecr.describe_images(repositoryName=repository)["imageDetails"]
    }

    shown = preview(ecr, repository, spread)

    def result(sample: Image, action: Any, priority: int, *tags: str) -> Any:
        digest = sample.manifest.digest
        found = {"imageDigest": digest, "imagePushedAt": pushed[digest], "action": action}
        found |= {"appliedRulePriority": priority, "storageClass": "STANDARD"}
        return found | ({"imageTags": list(tags)} if tags else {})

    assert shown == {
        "registryId": ACCOUNT,
        "repositoryName": repository,
        "lifecyclePolicyText": spread,
        "status": "COMPLETE",
        "previewResults": [
            result(some[0], {"type": "EXPIRE"}, 1, "v0"),
            result(some[1], {"type": "EXPIRE"}, 1, "v1"),
            result(stray, {"type": "TRANSITION", "targetStorageClass": "ARCHIVE"}, 7),
        ],
        "summary": {
            "expiringImageTotalCount": 2,
            "transitioningImageTotalCounts": [{"targetStorageClass": "ARCHIVE", "imageTotalCount": 1}],
        },
    }
    assert len(ecr.describe_images(repositoryName=repository)["imageDetails"]) == 7


def test_a_preview_can_be_filtered_by_images_and_tag_status(ecr: Any, repository: str) -> None:
    some = five(ecr, repository)
    stray = push(ecr, repository, image(seed=1))
    kept = push(ecr, repository, image(seed=2))
    text = policy(rule(1, ["v*"], 1), rule(2, "untagged", 1))
    expected = [each.manifest.digest for each in [*some[:4], stray]]

    preview(ecr, repository, text)

    def shown(**parameters: Any) -> list[str]:
        found = ecr.get_lifecycle_policy_preview(repositoryName=repository, **parameters)["previewResults"]
        return [row["imageDigest"] for row in found]

    assert shown() == expected
    assert shown(filter={"tagStatus": "TAGGED"}) == expected[:4]
    assert shown(filter={"tagStatus": "UNTAGGED"}) == expected[4:]
    named = [
        {"imageTag": "v1"},
        {"imageDigest": stray.manifest.digest},
        {"imageTag": "v4"},
        {"imageDigest": kept.manifest.digest},
        {"imageTag": "unknown"},
        {"imageTag": "v1"},
    ]
    assert shown(imageIds=named) == [expected[1], expected[4]]
    assert shown(imageIds=named, filter={"tagStatus": "UNTAGGED"}) == [expected[4]]


def test_a_preview_is_returned_in_pages_bound_to_their_list(ecr: Any, repository: str) -> None:
    some = five(ecr, repository)
    text = policy(rule(1, ["v*"], 1), rule(2, "any", 1))
    first = preview(ecr, repository, text, maxResults=3)

    def get(**parameters: Any) -> Any:
        return ecr.get_lifecycle_policy_preview(repositoryName=repository, **parameters)

    pages = ecr.get_paginator("get_lifecycle_policy_preview").paginate(
        repositoryName=repository, PaginationConfig={"PageSize": 3}
    )
    assert [row["imageDigest"] for page in pages for row in page["previewResults"]] == [
        each.manifest.digest for each in some[:4]
    ]
    assert "nextToken" not in get(nextToken=first["nextToken"])
    refused = refusal(get, nextToken=first["nextToken"], filter={"tagStatus": "TAGGED"})
    assert refused == invalid("nextToken", "Invalid token")
    for paging in ({"nextToken": first["nextToken"]}, {"maxResults": 3}):
        (member,) = paging
        refused = refusal(get, imageIds=[{"imageTag": "v1"}], **paging)
        assert refused == invalid(member, f"{member} cannot be used when imageIds is specified")


def test_a_preview_without_a_text_uses_the_policy_of_the_repository(ecr: Any, repository: str) -> None:
    start = {"repositoryName": repository}
    assert refusal(ecr.start_lifecycle_policy_preview, **start) == without("Lifecycle policy", repository)
    put = ecr.put_lifecycle_policy(**start, lifecyclePolicyText=KEEP_TWO)

    started = ecr.start_lifecycle_policy_preview(**start)

    assert members(started) == members(put) | {"status": "IN_PROGRESS"}
    wait_until(lambda: ecr.get_lifecycle_policy_preview(**start)["status"] == "COMPLETE")
    complete = ecr.get_lifecycle_policy_preview(**start)
    assert (complete["previewResults"], complete["summary"]) == ([], {"expiringImageTotalCount": 0})


def test_a_preview_that_was_never_started_is_not_found(ecr: Any, repository: str) -> None:
    refused = refusal(ecr.get_lifecycle_policy_preview, repositoryName=repository)

    assert refused == without("Lifecycle policy preview", repository)


def test_a_preview_of_an_invalid_policy_is_rejected(ecr: Any, repository: str) -> None:
    bad = policy(rule(1, "any", 1), rule(2, "any", 1))

    refused = refusal(ecr.start_lifecycle_policy_preview, repositoryName=repository, lifecyclePolicyText=bad)

    assert refused.message.startswith("Invalid parameter at 'LifecyclePolicyText'")
    assert refusal(ecr.get_lifecycle_policy_preview, repositoryName=repository).code.startswith(
        "LifecyclePolicyPreview"
    )


UNREADABLE = policy(rule(10**12, "any", 1))
"""A policy that no request can store, as an earlier version could have stored it."""


def id_of(tx: Transaction, repository: str) -> int:
    found = repositories.find(tx, Registry(ACCOUNT, "us-east-1"), RepositoryName(repository))
    assert found is not None
    return found.id


def test_a_preview_in_progress_has_no_results_and_is_not_started_again(
    ecr: Any, repository: str, server: Server
) -> None:
    """Its job is never due, so it stays in progress, however slow the test is."""
    start = {"repositoryName": repository}
    push(ecr, repository, image(), "v1")

    def start_forever(tx: Transaction) -> None:
        repository_id = id_of(tx, repository)
        previews.start(tx, repository_id, KEEP_TWO, system_clock())
        jobs.enqueue(tx, "lifecycle-preview", str(repository_id), {}, jobs.NEVER)

    engine_of(server.data).transact(start_forever)

    again = refusal(ecr.start_lifecycle_policy_preview, **start, lifecyclePolicyText=KEEP_TWO)
    while_working = ecr.get_lifecycle_policy_preview(**start)

    assert again.code == "LifecyclePolicyPreviewInProgressException"
    assert (while_working["status"], while_working["previewResults"]) == ("IN_PROGRESS", [])


def test_a_preview_whose_job_fails_ends_as_failed_and_another_one_completes(
    ecr: Any, repository: str, server: Server
) -> None:
    push(ecr, repository, image(), "v1")

    def start_unreadable(tx: Transaction) -> None:
        repository_id = id_of(tx, repository)
        previews.start(tx, repository_id, UNREADABLE, system_clock())
        jobs.enqueue(tx, "lifecycle-preview", str(repository_id), {}, system_clock())

    engine_of(server.data).transact(start_unreadable)

    waiter = ecr.get_waiter("lifecycle_policy_preview_complete")
    with pytest.raises(WaiterError, match='For expression "status" we matched expected path: "FAILED"'):
        waiter.wait(repositoryName=repository, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    failed = ecr.get_lifecycle_policy_preview(repositoryName=repository)
    assert (failed["status"], failed["previewResults"]) == ("FAILED", [])
    assert preview(ecr, repository, KEEP_TWO)["status"] == "COMPLETE"


# --- Runs ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that applies policies without a delay."""
    server = Server(tmp_path_factory.mktemp("quick") / "data")
    server.start(extra_args=["--lifecycle-delay", "0"])
    yield server
    server.stop()


def test_the_effect_of_a_run_is_visible_at_both_endpoints(quick: Server) -> None:
    with aws_client(quick, "ecr") as client:
        ecr = check_answers_of(client)
        docker = Docker(quick.host, quick.port, docker_password(ecr))
        ecr.create_repository(repositoryName="team/app")
        some = five(ecr, "team/app")
        multi = push(ecr, "team/app", index([some[0]]), "multi")
        text = policy(rule(1, ["v*"], 2), rule(2, "any", 10))
        before = time.time()

        ecr.put_lifecycle_policy(repositoryName="team/app", lifecyclePolicyText=text)

        def tags() -> list[str]:
            return sorted(docker.get("/v2/team/app/tags/list").json()["tags"])

        wait_until(lambda: tags() == ["multi", "v0", "v3", "v4"])
        assert docker.get("/v2/team/app/manifests/v1").status == 404
        assert docker.get(f"/v2/team/app/manifests/{some[1].manifest.digest}").status == 404
        assert docker.get("/v2/team/app/manifests/v4").body == some[4].manifest.content
        assert docker.get("/v2/team/app/manifests/multi").body == multi.manifest.content

        docker.push("team/app", image(seed=3), "v5")
        wait_until(lambda: tags() == ["multi", "v0", "v4", "v5"])
        evaluated = ecr.get_lifecycle_policy(repositoryName="team/app")["lastEvaluatedAt"].timestamp()
        assert before < evaluated <= time.time()


def test_a_policy_that_cannot_be_read_ends_its_run_at_once_and_can_be_replaced(quick: Server) -> None:
    engine = engine_of(quick.data)
    with aws_client(quick, "ecr") as client:
        ecr = check_answers_of(client)
        ecr.create_repository(repositoryName="team/unreadable")

        def store_unreadable(tx: Transaction) -> str:
            repository_id = id_of(tx, "team/unreadable")
            policies.put(tx, repository_id, UNREADABLE)
            jobs.enqueue(tx, "lifecycle", str(repository_id), {}, system_clock())
            return str(repository_id)

        def state() -> JobState | None:
            return engine.transact(lambda tx: jobs.find(tx, "lifecycle", key))

        key = engine.transact(store_unreadable)
        wait_until(lambda: (found := state()) is not None and found.is_dead)
        dead = state()
        assert dead is not None
        assert dead.attempts == 1
        assert "Could not map policyString into LifecyclePolicy" in (dead.last_error or "")
        stored = ecr.get_lifecycle_policy(repositoryName="team/unreadable")
        assert (stored["lifecyclePolicyText"], stored["lastEvaluatedAt"].timestamp()) == (UNREADABLE, 0)

        ecr.put_lifecycle_policy(repositoryName="team/unreadable", lifecyclePolicyText=KEEP_TWO)

        get_policy = partial(ecr.get_lifecycle_policy, repositoryName="team/unreadable")
        wait_until(lambda: get_policy()["lastEvaluatedAt"].timestamp() > 0)


def test_a_run_archives_the_images_that_a_rule_transitions(quick: Server) -> None:
    with aws_client(quick, "ecr") as client:
        ecr = check_answers_of(client)
        docker = Docker(quick.host, quick.port, docker_password(ecr))
        ecr.create_repository(repositoryName="team/archive")
        some = five(ecr, "team/archive")

        text = policy(rule(1, "any", 2, action=ARCHIVE))
        ecr.put_lifecycle_policy(repositoryName="team/archive", lifecyclePolicyText=text)

        chosen = {"repositoryName": "team/archive", "filter": {"imageStatus": "ARCHIVED"}}
        wait_until(lambda: len(ecr.list_images(**chosen)["imageIds"]) == 3)
        assert {row["imageTag"] for row in ecr.list_images(**chosen)["imageIds"]} == {"v0", "v1", "v2"}
        assert docker.get("/v2/team/archive/manifests/v0").status == 404
        assert docker.get("/v2/team/archive/manifests/v3").body == some[3].manifest.content
