"""Images arrive at a second Moorage, which `moorage destination set` gives a Region and an account."""

from __future__ import annotations

import socket

import pytest

from tests.operations.replication.conftest import ACCOUNT, Pair, docker_of
from tests.support.http_client import Docker
from tests.support.images import image, index, layer
from tests.support.waiting import wait_until


def test_an_image_arrives_with_its_layers_and_its_tag(pair: Pair) -> None:
    one = image([layer(200_000, seed=1)], seed=1)
    pair.set_destination()
    pair.replicate()
    repository = pair.repository()

    pair.push(repository, one, "v1")
    assert pair.wait(repository, one) == ("COMPLETE", "")
    assert pair.tags_there(repository) == {"v1": one.manifest.digest}
    docker = docker_of(pair.target)
    for blob in one.blobs:
        assert docker.get(f"/v2/{repository}/blobs/{blob.digest}").body == blob.content


def test_the_images_of_an_index_arrive_before_it(pair: Pair) -> None:
    children = [image(seed=seed) for seed in (2, 3)]
    both = index(children)
    pair.set_destination()
    pair.replicate()
    repository = pair.repository()
    for child in children:
        pair.push(repository, child)

    pair.push(repository, both, "v1")
    assert pair.wait(repository, both) == ("COMPLETE", "")
    assert pair.tags_there(repository) == {"v1": both.manifest.digest}
    answer = docker_of(pair.target).get(f"/v2/{repository}/manifests/{children[1].manifest.digest}")
    assert answer.body == children[1].manifest.content


def test_deletions_go_there_where_the_rule_has_them(pair: Pair) -> None:
    one, other = image(seed=4), image(seed=5)
    pair.set_destination()
    pair.replicate(deletions=True)
    repository = pair.repository()
    pair.push(repository, one, "v1")
    pair.push(repository, one, "v2")
    pair.push(repository, other, "v3")
    wait_until(lambda: pair.tags_there(repository).keys() == {"v1", "v2", "v3"})

    pair.here.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "v2"}])
    pair.here.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": other.manifest.digest}])
    wait_until(lambda: pair.tags_there(repository) == {"v1": one.manifest.digest})


def test_deletions_leave_alone_what_clients_of_another_moorage_pushed(pair: Pair) -> None:
    """Also a replica that a client pushes again under the same tag, which the Docker door answers with success."""
    before, again, replica = image(seed=80), image(seed=81), image(seed=82)
    pair.set_destination()
    pair.replicate(deletions=True)
    repository = pair.repository()
    pair.there.create_repository(repositoryName=repository)
    pair.push_there(repository, before, "theirs")
    for tag, one in {"before": before, "again": again, "replica": replica}.items():
        pair.push(repository, one, tag)
        assert pair.wait(repository, one) == ("COMPLETE", "")
    pair.push_there(repository, again, "again")

    digests = [{"imageDigest": one.manifest.digest} for one in (before, again, replica)]
    assert pair.here.batch_delete_image(repositoryName=repository, imageIds=digests)["failures"] == []
    theirs = dict.fromkeys(("theirs", "before"), before.manifest.digest) | {"again": again.manifest.digest}
    wait_until(lambda: pair.tags_there(repository) == theirs)
    pair.wait_for_marker(repository, 83)
    assert pair.tags_there(repository) == theirs | {"marker-83": image(seed=83).manifest.digest}


def test_a_tag_that_moved_moves_there(pair: Pair) -> None:
    before, after = image(seed=6), image(seed=7)
    pair.set_destination()
    pair.replicate()
    repository = pair.repository()
    pair.push(repository, before, "latest")
    wait_until(lambda: pair.tags_there(repository) == {"latest": before.manifest.digest})

    pair.push(repository, after, "latest")
    wait_until(lambda: pair.tags_there(repository) == {"latest": after.manifest.digest})


def test_another_image_under_an_immutable_tag_arrives_without_the_tag(pair: Pair) -> None:
    """As in ECR: the image arrives, the tag does not; the status has a code."""
    there, here = image(seed=8), image(seed=9)
    repository = pair.repository()
    pair.there.create_repository(repositoryName=repository, imageTagMutability="IMMUTABLE")
    docker_of(pair.target).push(repository, there, "v1")
    pair.set_destination()
    pair.replicate()

    pair.push(repository, here, "v1")
    assert pair.wait(repository, here) == ("FAILED", "ImageTagAlreadyExists")
    assert pair.tags_there(repository) == {"v1": there.manifest.digest}
    listed = pair.there.list_images(repositoryName=repository)["imageIds"]
    assert {"imageDigest": here.manifest.digest} in listed
    failed = pair.source.moorage("replication", "status", "--failed")
    assert f"{repository}\tv1\tImageTagAlreadyExists" in failed


def test_wrong_credentials_fail_with_a_reason_until_they_are_replaced(pair: Pair) -> None:
    one, untagged = image(seed=10), image(seed=17)
    words = ("destination", "set", pair.region, ACCOUNT, pair.target.url, "--private-network")
    pair.source.moorage(*words, "--username", "AWS", "--secret-file", "-", stdin="wrong")
    pair.replicate()
    repository = pair.repository()

    pair.push(repository, one, "v1")
    pair.push(repository, untagged)
    for each in (one, untagged):
        assert pair.wait(repository, each) == ("FAILED", "AccessDenied")
    assert "answered 401" in pair.source.moorage("replication", "status")

    pair.set_destination()
    wait_until(lambda: all(pair.status(repository, each) == ("COMPLETE", "") for each in (one, untagged)))


def test_a_corrected_address_is_tried_at_once_for_all_that_waits_or_failed(pair: Pair) -> None:
    """Nothing is made due by the test: the command does it."""
    early, late = image(seed=84), image(seed=85)
    pair.replicate()
    repository = pair.repository()
    pair.push(repository, early)
    assert pair.wait(repository, early) == ("FAILED", "DestinationNotFound")
    with socket.create_server(("127.0.0.1", 0)) as unused:
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}"
    pair.set_destination(url=closed)
    pair.push(repository, late, "v1")
    wait_until(lambda: "no connection to 127.0.0.1" in pair.source.moorage("replication", "status"))

    pair.set_destination()
    for one in (early, late):
        assert pair.wait(repository, one) == ("COMPLETE", "")


def test_a_refused_tag_arrives_after_a_retry_when_it_is_free(pair: Pair) -> None:
    theirs, ours = image(seed=86), image(seed=87)
    repository = pair.repository()
    pair.there.create_repository(repositoryName=repository, imageTagMutability="IMMUTABLE")
    pair.push_there(repository, theirs, "v1")
    pair.set_destination()
    pair.replicate()
    pair.push(repository, ours, "v1")
    assert pair.wait(repository, ours) == ("FAILED", "ImageTagAlreadyExists")

    pair.there.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])
    pair.source.moorage("replication", "retry", "--destination", pair.region, ACCOUNT)
    wait_until(lambda: pair.tags_there(repository) == {"v1": ours.manifest.digest})


def test_any_registry_of_the_protocol_is_a_destination(pair: Pair, distribution: Docker) -> None:
    children = [image(seed=seed) for seed in (11, 12)]
    both = index(children)
    pair.set_destination("--rewrite", "team/=mirror/team/", url=f"http://{distribution.host}:{distribution.port}")
    pair.replicate()
    repository = pair.repository()
    for child in children:
        pair.push(repository, child)
    pair.push(repository, both, "v1")

    assert pair.wait(repository, both) == ("COMPLETE", "")
    answer = distribution.get(f"/v2/mirror/{repository}/manifests/v1", {"Accept": both.manifest.media_type})
    assert answer.body == both.manifest.content


def test_only_tags_and_versions_that_are_chosen_arrive(pair: Pair) -> None:
    pair.set_destination("--tag", "prod-*", "--versions", ">=1.2 <2")
    pair.replicate()
    repository = pair.repository()
    tags = ["prod-1", "dev-1", "1.1.9", "v1.2.0", "1.9", "2.0.0", "1.5.0-rc.1"]
    for seed, tag in enumerate(tags, 20):
        pair.push(repository, image(seed=seed), tag)
    last = image(seed=40)
    pair.push(repository, last, "prod-last")

    assert pair.wait(repository, last) == ("COMPLETE", "")
    assert pair.tags_there(repository).keys() == {"prod-1", "v1.2.0", "1.9", "prod-last"}


def test_only_signed_images_arrive_where_that_is_asked_for(pair: Pair) -> None:
    unsigned, signed = image(seed=50), image(seed=51)
    subject = {**signed.manifest.descriptor}
    signature = image(seed=52, extra={"subject": subject, "artifactType": "application/vnd.cncf.notary.signature"})
    pair.set_destination("--only-signed")
    pair.replicate()
    repository = pair.repository()
    pair.push(repository, unsigned, "unsigned")
    pair.push(repository, signed, "signed")
    pair.push(repository, signature)

    assert pair.wait(repository, signature) == ("COMPLETE", "")
    assert pair.tags_there(repository) == {"signed": signed.manifest.digest}


def test_a_layer_that_another_repository_has_there_is_mounted_or_sent_once(pair: Pair) -> None:
    shared = layer(100_000, seed=60)
    pair.set_destination()
    pair.replicate()
    for seed in (61, 62):
        repository, one = pair.repository(), image([shared, layer(seed=seed)], seed=seed)
        pair.push(repository, one, "v1")
        assert pair.wait(repository, one) == ("COMPLETE", "")
        assert pair.tags_there(repository) == {"v1": one.manifest.digest}


def test_a_destination_is_listed_and_removed(pair: Pair) -> None:
    pair.set_destination("--tag", "v*", "--bytes-per-second", "1000000", "--at-once", "2")
    listed = pair.source.moorage("destination", "list")
    line = f"{pair.region}\t{ACCOUNT}\t{pair.target.url}\ttag v*, 1000000 bytes/s, 2 at once"
    assert line in listed.splitlines()
    assert pair.target.environment["AWS_SECRET_ACCESS_KEY"] not in listed

    pair.source.moorage("destination", "remove", pair.region, ACCOUNT)
    assert line not in pair.source.moorage("destination", "list")
    gone = pair.source.moorage_error("destination", "remove", pair.region, ACCOUNT)
    assert gone == f"no destination is set for the account {ACCOUNT} in {pair.region}"


def test_a_private_address_is_reached_only_if_it_is_allowed(pair: Pair) -> None:
    one = image(seed=70)
    pair.source.moorage("destination", "set", pair.region, ACCOUNT, pair.target.url)
    pair.replicate()
    repository = pair.repository()

    pair.push(repository, one, "v1")
    assert pair.wait(repository, one) == ("FAILED", "AccessDenied")
    assert "its address is on a private network" in pair.source.moorage("replication", "status", "--failed")


def test_a_key_without_permissions_fails_with_a_reason(pair: Pair) -> None:
    one = image(seed=71)
    pair.target.moorage("user", "create", "reader", "--policy", "AmazonEC2ContainerRegistryReadOnly")
    pair.set_destination(user="reader")
    pair.replicate()
    repository = pair.repository()

    pair.push(repository, one, "v1")
    assert pair.wait(repository, one) == ("FAILED", "AccessDenied")
    assert "not authorized to perform" in pair.source.moorage("replication", "status", "--failed")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("eu-west-1", "123", "https://r.example"), "'123' is not an account of 12 digits"),
        (("EU", ACCOUNT, "https://r.example"), "'EU' cannot be the name of a Region"),
        (("eu-west-1", ACCOUNT, "r.example"), "'r.example' is not an http or https URL without credentials"),
        (("eu-west-1", ACCOUNT, "https://r.example", "--at-once", "0"), "the number at once must be from 1 to 64"),
        (("eu-west-1", ACCOUNT, "localhost:5000"), "'localhost:5000' is not an http or https URL without credentials"),
        (("eu-west-1", ACCOUNT, "ann:pw@r.example"), "'r.example' is not an http or https URL without credentials"),
        (
            ("eu-west-1", ACCOUNT, "https://r.example", "--bytes-per-second", "10"),
            "the limit of speed must be at least 1024 bytes per second",
        ),
        (
            ("eu-west-1", ACCOUNT, "https://r.example", "--versions", "new"),
            "'new' is not a range of versions such as '>=1.2 <2' or '^1.2'",
        ),
        (
            ("eu-west-1", ACCOUNT, "https://r.example", "--tag", "a/b"),
            "'a/b' is not a pattern of tags: letters, digits and . _ - with * for any text",
        ),
        (
            ("eu-west-1", ACCOUNT, "https://r.example", "--rewrite", "A"),
            "'A' is not HERE=THERE, two prefixes of repository names such as team/=mirror/team/",
        ),
    ],
)
def test_a_destination_that_cannot_be_used_is_refused(pair: Pair, words: tuple[str, ...], text: str) -> None:
    assert pair.source.moorage_error("destination", "set", *words) == text
