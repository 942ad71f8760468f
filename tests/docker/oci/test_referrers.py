"""Clients with and without the referrers API see the same referrers (distribution-spec, "Referrers Tag Schema")."""

from __future__ import annotations

import json
from typing import Any

import pytest

from moorage.domain.registry.manifests import MANIFEST_LIMIT
from moorage.metadata.registry.repositories import RepositorySettings
from tests.docker.oci.client import Client, World
from tests.support.images import OCI_INDEX, Blob, Image, digest, image, index

SIGNATURE = "application/vnd.example.signature"


def referrer(subject: Image, seed: int, **extra: object) -> Image:
    return image(seed=seed, extra={"subject": subject.manifest.descriptor, **extra})


def listed_by_client(*images: Image) -> Blob:
    """The index that a client without the API pushes under the referrers tag."""
    entries = [each.manifest.descriptor for each in images]
    return Blob(
        json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode(),
        OCI_INDEX,
    )


def tag_of(subject: Image) -> str:
    return subject.manifest.digest.replace(":", "-")


class ReferrerLists:
    """The list of referrers from the referrers API and from the referrers tag."""

    def __init__(self, client: Client, repository: str) -> None:
        self.client = client
        self.repository = repository

    def api(self, subject: str, query: str = "") -> list[str]:
        answer = self.client.get(f"/v2/{self.repository}/referrers/{subject}{query}")
        assert answer.status == 200
        return [entry["digest"] for entry in answer.json()["manifests"]]

    def tag(self, tag: str) -> list[str]:
        return [entry["digest"] for entry in self.whole(tag)["manifests"]]

    def whole(self, tag: str) -> Any:
        answer = self.client.get(f"/v2/{self.repository}/manifests/{tag}")
        assert (answer.status, answer.headers["content-type"]) == (200, OCI_INDEX)
        assert answer.headers["docker-content-digest"] == digest(answer.body)
        return answer.json()


@pytest.fixture
def lists(root: Client, repository: str) -> ReferrerLists:
    return ReferrerLists(root, repository)


def names(*images: Image) -> list[str]:
    return [each.manifest.digest for each in images]


def test_a_client_without_the_api_finds_referrers_that_others_pushed(
    root: Client, repository: str, lists: ReferrerLists
) -> None:
    subject = image()
    signature = referrer(subject, 1, artifactType=SIGNATURE, annotations={"a": "b"})
    root.push(repository, signature)

    answer = root.get(f"/v2/{repository}/manifests/{tag_of(subject)}")
    head = root.head(f"/v2/{repository}/manifests/{tag_of(subject)}")

    assert answer.body == root.get(f"/v2/{repository}/referrers/{subject.manifest.digest}").body
    assert lists.whole(tag_of(subject))["manifests"] == [
        {**signature.manifest.descriptor, "artifactType": SIGNATURE, "annotations": {"a": "b"}}
    ]
    assert head.headers == answer.headers
    assert (
        root.get(f"/v2/{repository}/manifests/{tag_of(subject)}", {"if-none-match": head.headers["etag"]}).status == 304
    )


def test_the_referrers_tag_is_not_in_lists_unless_it_was_pushed(root: Client, repository: str) -> None:
    subject = image()
    root.push(repository, referrer(subject, 1))

    assert root.get(f"/v2/{repository}/tags/list").json()["tags"] == []
    assert root.send("DELETE", f"/v2/{repository}/manifests/{tag_of(subject)}").status == 404


def test_a_subject_without_referrers_has_no_referrers_tag(root: Client, repository: str) -> None:
    """The client then starts with an empty list (distribution-spec, "Pushing Manifests with Subject")."""
    subject = image()
    root.push(repository, subject)

    answer = root.get(f"/v2/{repository}/manifests/{tag_of(subject)}")

    assert (answer.status, answer.code) == (404, "MANIFEST_UNKNOWN")


def test_an_image_that_a_client_lists_under_the_tag_is_a_referrer(
    root: Client, repository: str, lists: ReferrerLists
) -> None:
    """Even without a subject in its manifest: manifests from before OCI 1.1 cannot have one."""
    subject, old = image(), image(seed=1)
    root.push(repository, old)
    pushed = listed_by_client(old)

    assert root.push_manifest(repository, pushed, tag_of(subject)).status == 201

    assert lists.api(subject.manifest.digest) == names(old)
    assert root.get(f"/v2/{repository}/manifests/{tag_of(subject)}").body == pushed.content
    entry = root.get(f"/v2/{repository}/referrers/{subject.manifest.digest}").json()["manifests"][0]
    assert entry == {**old.manifest.descriptor, "artifactType": old.blobs[0].media_type}


def test_both_ways_of_pushing_result_in_one_list_without_repetition(
    root: Client, repository: str, lists: ReferrerLists
) -> None:
    subject, old, both, new = image(), image(seed=1), referrer(image(), 2), referrer(image(), 3)
    for each in (old, both):
        root.push(repository, each)
    root.push_manifest(repository, listed_by_client(old, both), tag_of(subject))
    root.push(repository, new)

    assert lists.api(subject.manifest.digest) == lists.tag(tag_of(subject)) == names(old, both, new)
    assert lists.api(subject.manifest.digest, f"?artifactType={SIGNATURE}") == []


def test_a_client_that_extends_the_list_that_it_read_loses_nothing(
    root: Client, repository: str, lists: ReferrerLists
) -> None:
    subject, first, second = image(), referrer(image(), 1), image(seed=2)
    for each in (first, second):
        root.push(repository, each)
    known = lists.whole(tag_of(subject))
    known["manifests"].append(second.manifest.descriptor)
    content = json.dumps(known).encode()

    root.push_manifest(repository, Blob(content, OCI_INDEX), tag_of(subject))

    assert lists.api(subject.manifest.digest) == names(first, second)
    assert root.get(f"/v2/{repository}/manifests/{tag_of(subject)}").body == content


def test_an_image_that_a_client_removes_from_its_list_is_a_referrer_only_if_it_names_the_subject(
    root: Client, repository: str, lists: ReferrerLists
) -> None:
    subject, old, new = image(), image(seed=1), referrer(image(), 2)
    for each in (old, new):
        root.push(repository, each)
    root.push_manifest(repository, listed_by_client(old, new), tag_of(subject))

    root.push_manifest(repository, listed_by_client(), tag_of(subject))

    assert lists.api(subject.manifest.digest) == lists.tag(tag_of(subject)) == names(new)

    root.send("DELETE", f"/v2/{repository}/manifests/{tag_of(subject)}")

    assert lists.api(subject.manifest.digest) == lists.tag(tag_of(subject)) == names(new)


def test_a_manifest_that_names_its_subject_is_a_referrer(root: Client, repository: str, lists: ReferrerLists) -> None:
    subject, another = image(), image(seed=7)
    elsewhere = referrer(another, 1)
    root.push(repository, elsewhere)
    root.push(repository, subject)

    root.push_manifest(repository, listed_by_client(elsewhere, subject), tag_of(subject))

    assert lists.api(subject.manifest.digest) == lists.tag(tag_of(subject)) == []
    assert lists.api(another.manifest.digest) == names(elsewhere)


def test_an_index_tagged_with_its_own_digest_is_a_list_of_platforms(
    root: Client, repository: str, lists: ReferrerLists
) -> None:
    """Mirrors use such tags for their copies."""
    part = image()
    whole = index([part])
    root.push(repository, part)
    root.push(repository, whole, tag_of(whole))

    assert lists.api(whole.manifest.digest) == []
    assert root.get(f"/v2/{repository}/manifests/{tag_of(whole)}").body == whole.manifest.content


@pytest.mark.parametrize("docker", [True, False])
def test_a_manifest_that_is_not_an_oci_index_is_an_image_under_any_tag(
    root: Client, repository: str, lists: ReferrerLists, docker: bool
) -> None:
    subject, part = image(), image(seed=1, docker=docker)
    root.push(repository, part)
    root.push(repository, referrer(subject, 2))
    other = index([part], docker=True) if docker else part
    root.push(repository, other, tag_of(subject))

    assert root.get(f"/v2/{repository}/manifests/{tag_of(subject)}").body == other.manifest.content
    assert lists.api(subject.manifest.digest) == names(referrer(subject, 2))


@pytest.mark.parametrize("suffix", [".sig", "0", "-x"])
def test_other_tags_that_contain_a_digest_are_tags(root: Client, repository: str, suffix: str) -> None:
    subject, pushed = image(), image(seed=1)
    root.push(repository, referrer(subject, 2))
    root.push(repository, pushed)
    path = f"/v2/{repository}/manifests/{tag_of(subject)}{suffix}"

    assert root.get(path).status == 404

    listed = listed_by_client(pushed)
    root.push_manifest(repository, listed, f"{tag_of(subject)}{suffix}")

    assert root.get(path).body == listed.content


def test_the_tag_of_a_long_digest_has_its_first_half(root: Client, repository: str, lists: ReferrerLists) -> None:
    subject = digest(b"subject", "sha512")
    old = image(seed=1)
    new = image(seed=2, extra={"subject": {**old.manifest.descriptor, "digest": subject}})
    tag = f"sha512-{subject[7:71]}"
    root.push(repository, old)
    listed = listed_by_client(old)

    root.push_manifest(repository, listed, tag)
    assert root.get(f"/v2/{repository}/manifests/{tag}").body == listed.content
    root.push(repository, new)

    assert lists.api(subject) == lists.tag(tag) == names(old, new)
    assert root.get(f"/v2/{repository}/manifests/sha512-{'0' * 64}").status == 404


def test_referrers_of_a_deleted_subject_stay(root: Client, repository: str, lists: ReferrerLists) -> None:
    """ECR's lifecycle removes them later. Until then they dangle (user guide, "Deleting an image")."""
    subject, old, new = image(), image(seed=1), referrer(image(), 2)
    for each in (subject, old, new):
        root.push(repository, each)
    root.push_manifest(repository, listed_by_client(old), tag_of(subject))

    assert root.send("DELETE", f"/v2/{repository}/manifests/{subject.manifest.digest}").status == 202

    assert lists.api(subject.manifest.digest) == lists.tag(tag_of(subject)) == names(old, new)


def test_a_deleted_referrer_is_in_no_list(root: Client, repository: str, lists: ReferrerLists) -> None:
    subject, pushed, two = image(), referrer(image(), 1), referrer(image(), 2)
    for each in (pushed, two):
        root.push(repository, each)

    root.send("DELETE", f"/v2/{repository}/manifests/{pushed.manifest.digest}")

    assert lists.api(subject.manifest.digest) == lists.tag(tag_of(subject)) == names(two)


def test_a_list_is_visible_only_to_readers_of_its_repository(world: World, root: Client, repository: str) -> None:
    subject = image()
    root.push(repository, referrer(subject, 1))
    tag = tag_of(subject)

    assert root.get(f"/v2/{world.new_repository()}/manifests/{tag}").status == 404
    assert root.get(f"/v2/{repository}/none/manifests/{tag}").code == "NAME_UNKNOWN"
    assert world.user().get(f"/v2/{repository}/manifests/{tag}").status == 403


def test_an_immutable_tag_keeps_its_list_while_the_api_changes(world: World, root: Client) -> None:
    repository = world.new_repository(settings=RepositorySettings(tag_mutability="IMMUTABLE"))
    lists = ReferrerLists(root, repository)
    subject, old, new = image(), image(seed=1), referrer(image(), 2)
    root.push(repository, old)
    root.push_manifest(repository, listed_by_client(old), tag_of(subject))

    refused = root.push_manifest(repository, listed_by_client(), tag_of(subject))
    root.push(repository, new)

    assert (refused.status, refused.code) == (400, "TAG_INVALID")
    assert lists.api(subject.manifest.digest) == lists.tag(tag_of(subject)) == names(old, new)


@pytest.mark.parametrize("plus", ["+", "%2B", "%2b", "%20"])
def test_a_plus_in_the_query_is_a_plus_of_the_media_type(
    root: Client, repository: str, lists: ReferrerLists, plus: str
) -> None:
    """Clients that do not escape it send what means a space in a query (WHATWG URL, 5.1)."""
    subject = image()
    found = referrer(subject, 1, artifactType="application/vnd.example.sbom+json")
    root.push(repository, found)
    root.push(repository, referrer(subject, 2, artifactType=SIGNATURE))

    assert lists.api(subject.manifest.digest, f"?artifactType=application/vnd.example.sbom{plus}json") == names(found)


def test_pages_of_a_type_combine_both_ways_of_pushing(
    root: Client, repository: str, lists: ReferrerLists, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moorage.oci.listings.PAGE_LIMIT", 2)
    subject = image()
    old = [image(seed=seed, extra={"artifactType": SIGNATURE}) for seed in (1, 2, 3)]
    new = [referrer(subject, seed, artifactType=SIGNATURE) for seed in (4, 5)]
    for each in (old[0], new[0], old[1], image(seed=9), new[1], old[2]):
        root.push(repository, each)
    root.push_manifest(repository, listed_by_client(*old, image(seed=9)), tag_of(subject))

    target: str | None = f"/v2/{repository}/referrers/{subject.manifest.digest}?artifactType={SIGNATURE}"
    pages = []
    while target:
        answer = root.get(target)
        assert answer.headers["oci-filters-applied"] == "artifactType"
        pages.append([entry["digest"] for entry in answer.json()["manifests"]])
        target = answer.headers["link"].partition(">")[0].lstrip("<") if "link" in answer.headers else None

    assert pages == [names(old[0], new[0]), names(old[1], new[1]), names(old[2])]


def test_an_index_with_an_empty_type_has_no_artifact_type(root: Client, repository: str) -> None:
    subject = image()
    root.push(repository, subject)
    root.push(repository, index([subject], extra={"subject": subject.manifest.descriptor, "artifactType": ""}))

    (entry,) = root.get(f"/v2/{repository}/referrers/{subject.manifest.digest}").json()["manifests"]

    assert "artifactType" not in entry


def test_a_list_is_never_larger_than_clients_accept(root: Client, repository: str) -> None:
    subject = image()
    large = [referrer(subject, seed, annotations={"a": "x" * 1_500_000}) for seed in (1, 2, 3)]
    for each in large:
        root.push(repository, each)

    by_tag = root.get(f"/v2/{repository}/manifests/{tag_of(subject)}")
    by_api = root.get(f"/v2/{repository}/referrers/{subject.manifest.digest}")

    assert by_tag.body == by_api.body
    assert len(by_tag.body) < MANIFEST_LIMIT
    assert [entry["digest"] for entry in by_api.json()["manifests"]] == names(*large[:2])
