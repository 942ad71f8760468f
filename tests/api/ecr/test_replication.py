"""Replication to other Regions of this server (ECR user guide, "Private image replication")."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.ecr.pushing import push, put
from tests.api.ecr.refusals import invalid
from tests.api.ecr.replicating import NAME, Site, site
from tests.api.ecr.wire import ACCOUNT, refusal
from tests.support.images import image, index
from tests.support.server import Server


@pytest.fixture
def other(server: Server) -> Iterator[Site]:
    with site(server) as found:
        yield found


# --- Configurations -------------------------------------------------------------------------------------------------


def test_a_configuration_is_put_read_replaced_and_cleared(source: Site, target: Site, other: Site) -> None:
    """As Terraform does it for aws_ecr_replication_configuration: put, read, put, read, put no rules."""
    rule = {
        "destinations": [target.destination, other.destination],
        "repositoryFilters": [{"filter": "team", "filterType": "PREFIX_MATCH"}],
    }
    deleting = {"destinations": [target.destination], "deleteReplication": {"enabled": True}}
    described = []

    assert source.ecr.describe_registry()["replicationConfiguration"] == {"rules": []}
    for rules in ([rule], [rule, deleting], []):
        put = source.ecr.put_replication_configuration(replicationConfiguration={"rules": rules})
        assert put["replicationConfiguration"] == {"rules": rules}
        described.append(source.ecr.describe_registry())

    assert [each["registryId"] for each in described] == [ACCOUNT] * 3
    assert [each["replicationConfiguration"]["rules"] for each in described] == [[rule], [rule, deleting], []]


def test_a_registry_is_not_its_own_destination(source: Site, target: Site) -> None:
    source.replicate_to(target)

    refused = refusal(
        source.ecr.put_replication_configuration,
        replicationConfiguration={"rules": [{"destinations": [target.destination, source.destination]}]},
    )

    text = "Replication destination cannot be the same as the source registry"
    assert refused == invalid("replicationConfiguration", text)
    rules = source.ecr.describe_registry()["replicationConfiguration"]["rules"]
    assert rules == [{"destinations": [target.destination]}]


def test_a_configuration_names_25_destinations_at_most(source: Site) -> None:
    """User guide, "Service quotas". ECR's text was not captured."""
    many = [{"region": f"us-west-{number}", "registryId": ACCOUNT} for number in range(26)]
    rules = [{"destinations": many[:20]}, {"destinations": many[10:]}]

    refused = refusal(source.ecr.put_replication_configuration, replicationConfiguration={"rules": rules})

    text = "Number of unique replication destinations cannot be greater than 25"
    assert refused == invalid("replicationConfiguration", text)
    rules[1]["destinations"].pop()
    source.ecr.put_replication_configuration(replicationConfiguration={"rules": rules})


def test_a_destination_is_in_the_same_partition(source: Site) -> None:
    rules = [{"destinations": [{"region": "cn-north-1", "registryId": ACCOUNT}]}]

    refused = refusal(source.ecr.put_replication_configuration, replicationConfiguration={"rules": rules})

    text = "Replication destination Region 'cn-north-1' must be in the partition aws"
    assert refused == invalid("replicationConfiguration", text)


# --- Images ---------------------------------------------------------------------------------------------------------


def test_a_pushed_image_arrives_with_its_tags_in_a_new_repository(source: Site, target: Site) -> None:
    source.replicate_to(target)
    pushed = push(source.ecr, NAME, image(seed=1), "v1", "latest")

    assert source.wait(NAME, pushed) == [(target.region, "COMPLETE", "")]

    assert target.images(NAME) == {pushed.manifest.digest: {"v1", "latest"}}
    (got,) = target.ecr.batch_get_image(repositoryName=NAME, imageIds=[{"imageTag": "v1"}])["images"]
    assert got["imageManifest"].encode() == pushed.manifest.content
    layers = [blob.digest for blob in pushed.blobs]
    known = target.ecr.batch_check_layer_availability(repositoryName=NAME, layerDigests=layers)["layers"]
    assert {each["layerAvailability"] for each in known} == {"AVAILABLE"}
    for layer in layers:
        assert target.ecr.get_download_url_for_layer(repositoryName=NAME, layerDigest=layer)["downloadUrl"]


def test_only_what_is_pushed_after_the_configuration_is_replicated(source: Site, target: Site) -> None:
    before = push(source.ecr, NAME, image(seed=1), "before")
    source.replicate_to(target)
    after = push(source.ecr, NAME, image(seed=2), "after")

    source.wait(NAME, after)

    assert target.images(NAME) == {after.manifest.digest: {"after"}}
    assert source.statuses(NAME, before) == []


def test_a_filter_is_a_prefix_of_the_name(source: Site, target: Site, other: Site) -> None:
    source.ecr.create_repository(repositoryName="teams")
    source.ecr.create_repository(repositoryName="my/team/app")
    source.replicate_to(target, filters=["team/", "prod"])
    pushed = {name: push(source.ecr, name, image(seed=1), "v1") for name in (NAME, "teams", "my/team/app")}

    source.wait(NAME, pushed[NAME])

    assert source.statuses("teams", pushed["teams"]) == source.statuses("my/team/app", pushed["my/team/app"]) == []
    assert (target.images("teams"), target.images("my/team/app")) == ({}, {})


def test_rules_that_overlap_replicate_once(source: Site, target: Site, other: Site) -> None:
    rules = [
        {"destinations": [target.destination], "repositoryFilters": [{"filter": "team", "filterType": "PREFIX_MATCH"}]},
        {"destinations": [target.destination, other.destination]},
    ]
    source.ecr.put_replication_configuration(replicationConfiguration={"rules": rules})
    pushed = push(source.ecr, NAME, image(seed=1), "v1")

    found = source.wait(NAME, pushed)

    assert found == sorted((each.region, "COMPLETE", "") for each in (target, other))


def test_an_image_goes_one_hop_and_registries_that_replicate_to_each_other_make_no_loop(
    source: Site, target: Site, other: Site
) -> None:
    source.replicate_to(target, deletions=True)
    target.replicate_to(source, other, deletions=True)
    pushed = push(source.ecr, NAME, image(seed=1), "v1")
    source.wait(NAME, pushed)
    back = push(target.ecr, NAME, image(seed=2), "v2")
    target.wait(NAME, back)

    assert target.statuses(NAME, pushed) == source.statuses(NAME, back) == []
    assert other.images(NAME) == {back.manifest.digest: {"v2"}}
    assert source.images(NAME) == target.images(NAME)


def test_a_replica_that_a_client_pushes_is_replicated(source: Site, target: Site, other: Site) -> None:
    source.replicate_to(target)
    target.replicate_to(other)
    pushed = push(source.ecr, NAME, image(seed=1), "v1")
    source.wait(NAME, pushed)

    put(target.ecr, NAME, pushed, "mine")
    target.wait(NAME, pushed)

    assert other.images(NAME) == {pushed.manifest.digest: {"mine"}}


def test_an_index_arrives_after_the_images_that_it_lists(source: Site, target: Site) -> None:
    children = [push(source.ecr, NAME, image(seed=seed)) for seed in (1, 2)]  # Before the configuration.
    source.replicate_to(target)
    both = push(source.ecr, NAME, index(children), "multi")

    assert source.wait(NAME, both) == [(target.region, "COMPLETE", "")]

    assert target.images(NAME) == {
        both.manifest.digest: {"multi"},
        **{child.manifest.digest: set() for child in children},
    }
    assert [source.statuses(NAME, child) for child in children] == [[(target.region, "COMPLETE", "")]] * 2


def test_referrers_follow_as_images_of_their_own(source: Site, target: Site) -> None:
    source.replicate_to(target)
    subject = push(source.ecr, NAME, image(seed=1), "v1")
    signature = push(source.ecr, NAME, image(seed=2, extra={"subject": subject.manifest.descriptor}))
    source.wait(NAME, subject, signature)

    found = target.ecr.list_image_referrers(repositoryName=NAME, subjectId={"imageDigest": subject.manifest.digest})

    assert [each["digest"] for each in found["referrers"]] == [signature.manifest.digest]


def test_a_tag_that_moves_moves_at_the_destination(source: Site, target: Site) -> None:
    source.replicate_to(target)
    first = push(source.ecr, NAME, image(seed=1), "latest")
    source.wait(NAME, first)
    second = push(source.ecr, NAME, image(seed=2), "latest")
    source.wait(NAME, second)

    assert target.images(NAME) == {first.manifest.digest: set(), second.manifest.digest: {"latest"}}


def test_an_image_arrives_without_a_tag_that_is_immutable_at_the_destination(source: Site, target: Site) -> None:
    """User guide, "Considerations for private image replication"."""
    target.ecr.create_repository(repositoryName=NAME, imageTagMutability="IMMUTABLE")
    own = push(target.ecr, NAME, image(seed=1), "v1")
    source.replicate_to(target)
    pushed = push(source.ecr, NAME, image(seed=2), "v1", "v2")

    assert source.wait(NAME, pushed) == [(target.region, "COMPLETE", "")]

    assert target.images(NAME) == {own.manifest.digest: {"v1"}, pushed.manifest.digest: {"v2"}}


def test_settings_of_the_source_are_not_copied_but_those_of_a_template_apply(source: Site, target: Site) -> None:
    source.ecr.put_image_tag_mutability(repositoryName=NAME, imageTagMutability="IMMUTABLE")
    source.ecr.create_repository(repositoryName="other/app")
    policy = {
        "rules": [
            {
                "rulePriority": 1,
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 100},
                "action": {"type": "expire"},
            }
        ]
    }
    target.ecr.create_repository_creation_template(
        prefix="other",
        appliedFor=["REPLICATION"],
        imageTagMutability="IMMUTABLE",
        lifecyclePolicy=json.dumps(policy),
    )
    source.replicate_to(target)
    for name in (NAME, "other/app"):
        source.wait(name, push(source.ecr, name, image(seed=1), "v1"))

    found = target.ecr.describe_repositories(repositoryNames=[NAME, "other/app"])["repositories"]

    assert {each["repositoryName"]: each["imageTagMutability"] for each in found} == {
        NAME: "MUTABLE",
        "other/app": "IMMUTABLE",
    }
    stored = target.ecr.get_lifecycle_policy(repositoryName="other/app")["lifecyclePolicyText"]
    assert json.loads(stored)["rules"][0]["selection"]["countNumber"] == 100


# --- Deletions and archivals ----------------------------------------------------------------------------------------


def deleted_from(site: Site, **image_id: str) -> None:
    answer = site.ecr.batch_delete_image(repositoryName=NAME, imageIds=[image_id])
    assert answer["failures"] == []


def test_deletions_flow_only_where_a_rule_says_so(source: Site, target: Site, other: Site) -> None:
    rules: list[Any] = [
        {"destinations": [target.destination], "deleteReplication": {"enabled": True}},
        {"destinations": [other.destination]},
    ]
    source.ecr.put_replication_configuration(replicationConfiguration={"rules": rules})
    gone, kept = push(source.ecr, NAME, image(seed=1), "v1"), push(source.ecr, NAME, image(seed=2), "v2", "latest")
    source.wait(NAME, gone, kept)
    everything = {gone.manifest.digest: {"v1"}, kept.manifest.digest: {"v2", "latest"}}
    assert target.images(NAME) == other.images(NAME) == everything

    deleted_from(source, imageDigest=gone.manifest.digest)
    deleted_from(source, imageTag="latest")
    marker = push(source.ecr, NAME, image(seed=3), "marker")
    source.wait(NAME, marker)

    rest = {marker.manifest.digest: {"marker"}}
    assert target.images(NAME) == {kept.manifest.digest: {"v2"}} | rest
    assert other.images(NAME) == everything | rest


def test_an_index_and_its_images_are_deleted_in_one_call(source: Site, target: Site) -> None:
    source.replicate_to(target, deletions=True)
    child = push(source.ecr, NAME, image(seed=1))
    both = push(source.ecr, NAME, index([child]), "multi")
    source.wait(NAME, child, both)
    digests = [{"imageDigest": each.manifest.digest} for each in (child, both)]

    source.ecr.batch_delete_image(repositoryName=NAME, imageIds=digests)
    marker = push(source.ecr, NAME, image(seed=3), "marker")
    source.wait(NAME, marker)

    assert target.images(NAME) == {marker.manifest.digest: {"marker"}}


def storage(site: Site, image_: Any, target: str) -> None:
    site.ecr.update_image_storage_class(
        repositoryName=NAME, imageId={"imageDigest": image_.manifest.digest}, targetStorageClass=target
    )


def status_of(site: Site, image_: Any) -> str:
    found = site.ecr.describe_images(repositoryName=NAME, filter={"imageStatus": "ANY"})["imageDetails"]
    return str(next(each["imageStatus"] for each in found if each["imageDigest"] == image_.manifest.digest))


def test_archivals_flow_where_deletions_do_and_a_restored_image_is_restored_everywhere(
    source: Site, target: Site, other: Site
) -> None:
    """User guide: a restored image is replicated like a pushed one, and an archived copy is restored."""
    rules: list[Any] = [
        {"destinations": [target.destination], "deleteReplication": {"enabled": True}},
        {"destinations": [other.destination]},
    ]
    source.ecr.put_replication_configuration(replicationConfiguration={"rules": rules})
    pushed = push(source.ecr, NAME, image(seed=1), "v1")
    source.wait(NAME, pushed)

    storage(source, pushed, "ARCHIVE")
    source.wait(NAME, push(source.ecr, NAME, image(seed=2), "marker"))
    archived = status_of(target, pushed), status_of(other, pushed)
    storage(other, pushed, "ARCHIVE")
    storage(source, pushed, "STANDARD")
    source.wait(NAME, pushed)

    assert archived == ("ARCHIVED", "ACTIVE")
    assert (status_of(target, pushed), status_of(other, pushed)) == ("ACTIVE", "ACTIVE")


# --- What is refused ------------------------------------------------------------------------------------------------


def test_a_destination_that_this_server_does_not_know_fails_with_a_code(source: Site, target: Site) -> None:
    rules = [{"destinations": [{"region": target.region, "registryId": "999999999999"}]}]
    source.ecr.put_replication_configuration(replicationConfiguration={"rules": rules})
    pushed = push(source.ecr, NAME, image(seed=1), "v1")

    assert source.wait(NAME, pushed) == [(target.region, "FAILED", "DestinationNotFound")]


def test_what_waits_for_a_destination_that_is_no_longer_configured_is_dropped(source: Site, target: Site) -> None:
    source.replicate_to(target)
    source.ecr.put_replication_configuration(replicationConfiguration={"rules": []})
    pushed = push(source.ecr, NAME, image(seed=1), "v1")

    assert source.statuses(NAME, pushed) == []


def test_the_status_of_an_image_that_does_not_exist_is_refused(source: Site) -> None:
    refused = refusal(
        source.ecr.describe_image_replication_status, repositoryName=NAME, imageId={"imageTag": "missing"}
    )

    assert refused.code == "ImageNotFoundException"
