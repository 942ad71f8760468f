"""Replication to another account: its registry policy decides (ECR user guide, "Private registry permissions")."""

from __future__ import annotations

import itertools
import json
import shlex
from collections.abc import Iterator

import pytest

from tests.api.ecr.pushing import push
from tests.api.ecr.replicating import NAME, Site, site
from tests.api.ecr.wire import ACCOUNT
from tests.support.images import image
from tests.support.server import Server
from tests.support.waiting import wait_until

_accounts = itertools.count(830000000001)


@pytest.fixture
def receiver(server: Server) -> Iterator[Site]:
    """A registry of another account."""
    account = str(next(_accounts))
    exports = server.moorage("account", "create", account).splitlines()
    key, secret = (shlex.split(line)[1].partition("=")[2] for line in exports)
    with site(server, account, aws_access_key_id=key, aws_secret_access_key=secret) as found:
        yield found


def allow(receiver: Site, *actions: str) -> None:
    """The registry policy of the user guide, for these actions."""
    statement = {
        "Sid": "ReplicationAccessCrossAccount",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": list(actions),
        "Resource": [f"arn:aws:ecr:{receiver.region}:{receiver.account}:repository/*"],
    }
    receiver.ecr.put_registry_policy(policyText=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def test_nothing_arrives_that_the_receiver_does_not_allow(source: Site, receiver: Site) -> None:
    receiver.ecr.create_repository(repositoryName=NAME)
    source.replicate_to(receiver)
    pushed = push(source.ecr, NAME, image(seed=1), "v1")

    assert source.wait(NAME, pushed) == [(receiver.region, "FAILED", "AccessDenied")]

    assert receiver.images(NAME) == {}


def test_a_repository_is_created_only_where_the_receiver_allows_that(source: Site, receiver: Site) -> None:
    allow(receiver, "ecr:ReplicateImage")
    source.replicate_to(receiver)
    pushed = push(source.ecr, NAME, image(seed=1), "v1")
    without = source.wait(NAME, pushed)

    allow(receiver, "ecr:ReplicateImage", "ecr:CreateRepository")
    second = push(source.ecr, NAME, image(seed=2), "v2")
    with_ = source.wait(NAME, second)

    assert without == [(receiver.region, "FAILED", "RepositoryNotFound")]
    assert with_ == [(receiver.region, "COMPLETE", "")]
    assert receiver.images(NAME) == {second.manifest.digest: {"v2"}}
    (created,) = receiver.ecr.describe_repositories(repositoryNames=[NAME])["repositories"]
    assert created["registryId"] == receiver.account


def test_a_repository_that_exists_needs_no_permission_to_create_it(source: Site, receiver: Site) -> None:
    receiver.ecr.create_repository(repositoryName=NAME)
    allow(receiver, "ecr:ReplicateImage")
    source.replicate_to(receiver)
    pushed = push(source.ecr, NAME, image(seed=1), "v1")

    assert source.wait(NAME, pushed) == [(receiver.region, "COMPLETE", "")]
    assert receiver.images(NAME) == {pushed.manifest.digest: {"v1"}}


def test_what_failed_is_tried_again_when_the_operator_asks_for_it(server: Server, source: Site, receiver: Site) -> None:
    source.replicate_to(receiver)
    pushed = push(source.ecr, NAME, image(seed=1), "v1")
    assert source.wait(NAME, pushed) == [(receiver.region, "FAILED", "AccessDenied")]
    allow(receiver, "ecr:ReplicateImage", "ecr:CreateRepository")
    words = ("replication", "retry", "--destination", receiver.region, receiver.account, "--repository")

    others = server.moorage(*words, "team/other")
    retried = server.moorage(*words, NAME)

    assert others.splitlines()[0] == "Failed images and tags that wait again: 0."
    assert retried.splitlines() == [
        "Failed images and tags that wait again: 1.",
        "Repositories that are replicated as soon as a worker process is free: 1.",
    ]
    wait_until(lambda: source.statuses(NAME, pushed) == [(receiver.region, "COMPLETE", "")])
    assert receiver.images(NAME) == {pushed.manifest.digest: {"v1"}}
