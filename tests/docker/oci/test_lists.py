"""Lists of tags, repositories and referrers, in pages."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from moorage.core.registry import referrers, repositories
from moorage.domain.identity.managed_policies import MANAGED_POLICIES
from moorage.oci import listings as lists
from tests.docker.oci.client import ACCOUNT, REGION, Answer, Client, World
from tests.support.images import OCI_INDEX, Image, digest, image, index
from tests.support.policies import policy

TAGS = ["1.0", "1.0.1", "V2", "_x", "latest", "v10", "v2"]  # In the order of their bytes.


@pytest.fixture
def tagged(root: Client, repository: str) -> str:
    """The path of a repository with tags."""
    pushed = image()
    for tag in reversed(TAGS):
        root.push(repository, pushed, tag)
    return f"/v2/{repository}"


def next_page(answer: Answer) -> str:
    target, relation = answer.headers["link"].split(">; ")
    assert relation == 'rel="next"'
    return target.removeprefix("<")


def test_tags_are_ordered_by_their_bytes(root: Client, tagged: str, repository: str) -> None:
    answer = root.get(f"{tagged}/tags/list")

    assert answer.json() == {"name": repository, "tags": TAGS}
    assert answer.headers["content-type"] == "application/json"
    assert "link" not in answer.headers


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_of_tags_are_complete_and_without_repetition(root: Client, tagged: str, size: int) -> None:
    target, seen, pages = f"{tagged}/tags/list?n={size}", [], 0
    while target:
        answer = root.get(target)
        seen += answer.json()["tags"]
        pages += 1
        target = next_page(answer) if "link" in answer.headers else ""

    assert seen == TAGS
    assert pages == -(-len(TAGS) // size)


def test_a_link_names_the_last_tag_and_the_size(root: Client, tagged: str) -> None:
    assert next_page(root.get(f"{tagged}/tags/list?n=2")) == f"{tagged}/tags/list?last=1.0.1&n=2"


def test_last_may_name_a_missing_tag(root: Client, tagged: str) -> None:
    assert root.get(f"{tagged}/tags/list?last=m").json()["tags"] == ["v10", "v2"]
    assert root.get(f"{tagged}/tags/list?last=zzz").json()["tags"] == []


def test_a_size_of_0_returns_no_tags(root: Client, tagged: str) -> None:
    answer = root.get(f"{tagged}/tags/list?n=0")

    assert answer.json()["tags"] == []
    assert "link" not in answer.headers


@pytest.mark.parametrize("size", ["-1", "x", "", "1.5", "%C2%B2"])
def test_a_size_that_is_not_a_number_is_rejected(root: Client, tagged: str, size: str) -> None:
    assert root.get(f"{tagged}/tags/list?n={size}").status == 400


@pytest.mark.parametrize("size", ["1001", "9" * 5000])
def test_a_size_beyond_the_limit_is_reduced(root: Client, tagged: str, size: str) -> None:
    assert root.get(f"{tagged}/tags/list?n={size}").json()["tags"] == TAGS


def test_an_empty_repository_has_no_tags(root: Client, repository: str) -> None:
    assert root.get(f"/v2/{repository}/tags/list").json() == {"name": repository, "tags": []}


def test_the_catalogue_lists_the_caller_s_registry_in_pages(world: World) -> None:
    account = "222222222222"
    other = world.root(account)
    names = ["a/b", "abc", "team/app"]
    for name in reversed(names):
        world.new_repository(account, name)

    first = other.get("/v2/_catalog?n=2")
    second = other.get(next_page(first))

    assert first.json() == {"repositories": names[:2]}
    assert second.json() == {"repositories": names[2:]}
    assert "link" not in second.headers


def test_the_catalogue_needs_permission(world: World) -> None:
    answer = world.user().get("/v2/_catalog")

    assert (answer.status, answer.code) == (403, "DENIED")
    assert (
        f"ecr:DescribeRepositories on resource: arn:aws:ecr:{REGION}:{ACCOUNT}:repository/* because"
        in answer.body.decode()
    )


def hiding(*names: str) -> str:
    """An identity policy that lets a user list all repositories but these."""
    return policy(
        {"Effect": "Allow", "Action": "ecr:DescribeRepositories", "Resource": "*"},
        {
            "Effect": "Deny",
            "Action": "ecr:*",
            "Resource": [f"arn:aws:ecr:*:*:repository/{name}" for name in names],
        },
    )


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_of_the_catalogue_and_their_links_name_only_visible_repositories(
    world: World, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Each page but the last is full, however many repositories the caller may not see."""
    account = f"33333333333{size}"
    world.root(account)
    monkeypatch.setitem(MANAGED_POLICIES, "Hiding", hiding("*secret*"))
    caller = world.user("Hiding", account=account)
    shown = ["a/shown", "c/shown", "e/shown", "f/shown"]
    for name in (*shown, "a/secret", "b/secret", "b/secret-2", "d/secret", "g/secret"):
        world.new_repository(account, name)

    target, pages = f"/v2/_catalog?n={size}", []
    while target:
        answer = caller.get(target)
        assert "secret" not in str(answer.headers) + answer.body.decode()
        pages.append(answer.json()["repositories"])
        target = next_page(answer) if "link" in answer.headers else ""

    assert [name for page in pages for name in page] == shown
    assert len(pages) == -(-len(shown) // size)


def test_a_page_that_ends_among_hidden_repositories_has_a_link_without_a_name(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request looks at a limited number of repositories."""
    account = "444444444444"
    world.root(account)
    monkeypatch.setattr(repositories, "_SCANNED_AT_ONCE", 2)
    monkeypatch.setattr(repositories, "_SCANS", 2)
    monkeypatch.setitem(MANAGED_POLICIES, "Hiding", hiding("*secret*"))
    caller = world.user("Hiding", account=account)
    for name in ("a/shown", *(f"b/secret-{number}" for number in range(9)), "c/shown"):
        world.new_repository(account, name)

    first = caller.get("/v2/_catalog?n=2")
    target, seen = next_page(first), first.json()["repositories"]
    assert seen == ["a/shown"]
    assert "b/" not in target
    assert "last=" not in target
    token = target.partition("next=")[2]
    assert b"secret" not in base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert caller.get(f"/v2/_catalog?next={token[:-4]}AAAA").status == 400


def listing(*names: str) -> str:
    """An identity policy that lets a user list only these repositories."""
    resources = [f"arn:aws:ecr:*:*:repository/{name}" for name in names]
    return policy({"Effect": "Allow", "Action": "ecr:DescribeRepositories", "Resource": resources})


def test_a_page_without_a_visible_repository_is_empty_and_has_a_link(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = "555555555555"
    world.root(account)
    monkeypatch.setattr(repositories, "_SCANNED_AT_ONCE", 2)
    monkeypatch.setattr(repositories, "_SCANS", 2)
    monkeypatch.setitem(MANAGED_POLICIES, "Listing", listing("a/*", "c/*"))
    caller = world.user("Listing", account=account)
    for name in ("a/shown", *(f"b/secret-{number}" for number in range(9)), "c/shown", "d/secret"):
        world.new_repository(account, name)

    target, pages = "/v2/_catalog?n=1", []
    while target:
        answer = caller.get(target)
        assert answer.status == 200
        pages.append(answer.json()["repositories"])
        target = next_page(answer) if "link" in answer.headers else ""

    assert [page for page in pages if page] == [["a/shown"], ["c/shown"]]
    assert [] in pages
    assert caller.get("/v2/_catalog?last=c/shown").json() == {"repositories": []}


def referrer(subject: Image, seed: int, **extra: object) -> Image:
    return image(seed=seed, extra={"subject": subject.manifest.descriptor, **extra})


def test_referrers_are_an_index_with_their_own_descriptions(root: Client, repository: str) -> None:
    subject = image()
    root.push(repository, subject)
    signature = referrer(subject, 1, artifactType="application/vnd.example.sig", annotations={"a": "b"})
    plain = referrer(subject, 2)
    whole = index([subject], extra={"subject": subject.manifest.descriptor})
    answers = [root.push(repository, each) for each in (signature, plain, whole)]

    answer = root.get(f"/v2/{repository}/referrers/{subject.manifest.digest}")

    assert [pushed.headers["oci-subject"] for pushed in answers] == [subject.manifest.digest] * 3
    assert answer.headers["content-type"] == OCI_INDEX
    assert answer.json() == {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [
            {
                **signature.manifest.descriptor,
                "artifactType": "application/vnd.example.sig",
                "annotations": {"a": "b"},
            },
            {**plain.manifest.descriptor, "artifactType": plain.blobs[0].media_type},
            whole.manifest.descriptor,
        ],
    }


def test_referrers_of_one_type_are_marked_as_filtered(root: Client, repository: str) -> None:
    subject = image()
    root.push(repository, referrer(subject, 1, artifactType="a/sbom+json"))
    root.push(repository, referrer(subject, 2, artifactType="a/sig"))

    answer = root.get(
        f"/v2/{repository}/referrers/{subject.manifest.digest}?artifactType={quote('a/sbom+json', safe='')}"
    )

    assert [entry["artifactType"] for entry in answer.json()["manifests"]] == ["a/sbom+json"]
    assert answer.headers["oci-filters-applied"] == "artifactType"


def test_many_referrers_are_returned_in_pages(root: Client, repository: str, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = image()
    pushed = [referrer(subject, seed, artifactType="a/b+c") for seed in range(1, 6)]
    for each in pushed:
        root.push(repository, each)
    monkeypatch.setattr(lists, "PAGE_LIMIT", 2)

    target, seen = f"/v2/{repository}/referrers/{subject.manifest.digest}?artifactType=a/b%2Bc", []
    while target:
        answer = root.get(target)
        seen += [entry["digest"] for entry in answer.json()["manifests"]]
        target = next_page(answer) if "link" in answer.headers else ""

    assert seen == [each.manifest.digest for each in pushed]


def test_a_page_of_referrers_is_not_larger_than_clients_accept(
    root: Client, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = image()
    for seed in (1, 2):
        root.push(repository, referrer(subject, seed, annotations={"a": "x" * 1000}))
    monkeypatch.setattr(referrers, "MANIFEST_LIMIT", 2500)

    answer = root.get(f"/v2/{repository}/referrers/{subject.manifest.digest}")

    assert len(answer.json()["manifests"]) == 1
    assert len(root.get(next_page(answer)).json()["manifests"]) == 1


def test_a_link_of_another_list_is_rejected(root: Client, repository: str) -> None:
    token = root.world.services.pages.issue("another", (1,))

    answer = root.get(f"/v2/{repository}/referrers/{digest(b'')}?next={token}")

    assert (answer.status, answer.code) == (400, "UNSUPPORTED")


def test_an_unknown_subject_has_no_referrers(root: Client, repository: str) -> None:
    answer = root.get(f"/v2/{repository}/referrers/{digest(b'absent')}")

    assert (answer.status, answer.json()["manifests"]) == (200, [])


def test_an_invalid_digest_has_no_referrers(root: Client, repository: str) -> None:
    answer = root.get(f"/v2/{repository}/referrers/latest")

    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
