"""Manifests: pushed, pulled byte for byte, rejected, and deleted."""

from __future__ import annotations

import json

import pytest

from moorage.core.registry import repositories
from moorage.domain.registry.manifests import MANIFEST_LIMIT
from moorage.http.bodies import ClientGone
from moorage.metadata.database import Transaction
from moorage.metadata.registry.repositories import RepositorySettings
from tests.docker.oci.client import ACCOUNT, DISCONNECT, Client, World, piece
from tests.support.images import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Blob, digest, image, index


@pytest.mark.parametrize("docker", [True, False])
def test_an_image_is_returned_byte_for_byte(root: Client, repository: str, docker: bool) -> None:
    sample = image(docker=docker)

    pushed = root.push(repository, sample, "v1")
    by_tag = root.get(f"/v2/{repository}/manifests/v1")
    by_digest = root.get(f"/v2/{repository}/manifests/{sample.manifest.digest}")

    name = sample.manifest.digest
    assert pushed.status == 201
    assert pushed.headers["location"] == f"/v2/{repository}/manifests/{name}"
    assert pushed.headers["docker-content-digest"] == name
    assert "oci-subject" not in pushed.headers
    assert by_tag.body == by_digest.body == sample.manifest.content
    assert by_tag.headers == by_digest.headers
    assert by_tag.headers == {
        "content-length": str(len(sample.manifest.content)),
        "content-type": sample.manifest.media_type,
        "docker-content-digest": name,
        "docker-distribution-api-version": "registry/2.0",
        "etag": f'"{name}"',
    }
    assert (pushed.details.operation, by_tag.details.operation) == ("PutImage", "BatchGetImage")


def test_head_of_a_manifest_returns_the_same_headers_without_the_bytes(root: Client, repository: str) -> None:
    root.push(repository, image(), "v1")

    answer = root.head(f"/v2/{repository}/manifests/v1")

    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers == root.get(f"/v2/{repository}/manifests/v1").headers


def test_a_client_that_has_the_manifest_does_not_get_it_again(root: Client, repository: str) -> None:
    pushed = image()
    root.push(repository, pushed, "v1")

    answer = root.get(f"/v2/{repository}/manifests/v1", {"if-none-match": f'"{pushed.manifest.digest}"'})

    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["docker-content-digest"] == pushed.manifest.digest


def test_an_index_needs_its_images_first(root: Client, repository: str) -> None:
    first, second = image(seed=1), image(seed=2)
    both = index([first, second])
    root.push(repository, first)

    early = root.push(repository, both, "v1")
    root.push(repository, second)
    late = root.push(repository, both, "v1")

    assert (early.status, early.code) == (404, "MANIFEST_BLOB_UNKNOWN")
    assert second.manifest.digest in early.body.decode()
    assert late.status == 201
    assert root.get(f"/v2/{repository}/manifests/v1").headers["content-type"] == OCI_INDEX


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_manifest_may_be_pushed_by_its_digest(root: Client, repository: str, algorithm: str) -> None:
    pushed = image()
    root.push(repository, pushed)
    name = digest(pushed.manifest.content, algorithm)

    answer = root.push_manifest(repository, pushed.manifest, name)

    assert answer.headers["docker-content-digest"] == name
    assert root.get(f"/v2/{repository}/manifests/{name}").body == pushed.manifest.content
    assert root.get(f"/v2/{repository}/tags/list").json()["tags"] == []


def test_a_digest_of_another_manifest_is_rejected(root: Client, repository: str) -> None:
    answer = root.push(repository, image(), digest(b"another"))

    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


def test_a_push_is_repeatable_after_its_response_was_lost(root: Client, repository: str) -> None:
    pushed = image()
    first, again = root.push(repository, pushed, "v1"), root.push(repository, pushed, "v1")

    assert (again.status, again.headers) == (first.status, first.headers)


def test_a_tag_can_move(root: Client, repository: str) -> None:
    first, second = image(seed=1), image(seed=2)
    root.push(repository, first, "latest")
    root.push(repository, second, "latest")

    assert root.get(f"/v2/{repository}/manifests/latest").body == second.manifest.content
    assert root.get(f"/v2/{repository}/manifests/{first.manifest.digest}").status == 200


@pytest.mark.parametrize(
    ("mutability", "filters", "moves", "stays"),
    [
        ("IMMUTABLE", (), [], ["latest", "v1"]),
        ("IMMUTABLE_WITH_EXCLUSION", ("latest", "dev-*"), ["latest", "dev-1"], ["v1", "late"]),
        ("MUTABLE_WITH_EXCLUSION", ("v*",), ["latest", "dev"], ["v1", "v2"]),
    ],
)
def test_an_immutable_tag_cannot_move(
    world: World, root: Client, mutability: str, filters: tuple[str, ...], moves: list[str], stays: list[str]
) -> None:
    settings = RepositorySettings(tag_mutability=mutability, exclusion_filters=filters)
    name = world.new_repository(settings=settings)
    first, second = image(seed=1), image(seed=2)
    for tag in (*moves, *stays):
        assert root.push(name, first, tag).status == 201
    root.push(name, second)

    answers = {tag: root.push_manifest(name, second.manifest, tag) for tag in (*moves, *stays)}

    assert {tag: answers[tag].status for tag in moves} == dict.fromkeys(moves, 201)
    assert {tag: (answers[tag].status, answers[tag].code) for tag in stays} == dict.fromkeys(
        stays, (400, "TAG_INVALID")
    )
    for tag in stays:
        assert "cannot be overwritten because the tag is immutable" in answers[tag].body.decode()
        assert root.get(f"/v2/{name}/manifests/{tag}").body == first.manifest.content
        assert root.push_manifest(name, first.manifest, tag).status == 201  # The same push again changes nothing.


def test_a_setting_applies_from_the_next_push_on(world: World, root: Client, repository: str) -> None:
    root.push(repository, image(seed=1), "v1")

    def freeze(tx: Transaction) -> None:
        found = repositories.get(tx, root.caller.registry, repository)
        repositories.set_tag_mutability(tx, found, "IMMUTABLE", ())

    world.run(world.database.write(freeze))

    assert root.push(repository, image(seed=2), "v1").code == "TAG_INVALID"


DESCRIPTOR = Blob(b"{}", "application/vnd.oci.image.config.v1+json").descriptor


@pytest.mark.parametrize(
    ("body", "media_type", "reason"),
    [
        (b"", OCI_MANIFEST, "JSON"),
        (b"not JSON", OCI_MANIFEST, "JSON"),
        (b"{}", OCI_MANIFEST, "schemaVersion"),
        (b'{"schemaVersion":1}', OCI_MANIFEST, "schema 1"),
        (json.dumps({"schemaVersion": 2, "layers": [], "config": DESCRIPTOR}).encode(), "text/html", "text/html"),
        (json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}).encode(), OCI_MANIFEST, "sent as"),
        (
            json.dumps({"schemaVersion": 2, "layers": [], "config": DESCRIPTOR, "manifests": []}).encode(),
            OCI_MANIFEST,
            "both",
        ),
        (b"[" * 100_000, OCI_MANIFEST, ""),
    ],
)
def test_an_invalid_manifest_is_rejected_with_the_reason(
    root: Client, repository: str, body: bytes, media_type: str, reason: str
) -> None:
    before = root.world.trace()

    answer = root.send("PUT", f"/v2/{repository}/manifests/v1", body, {"content-type": media_type})

    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")
    assert reason in answer.json()["errors"][0]["message"]
    assert root.world.trace() == before


def test_the_media_type_may_be_given_in_the_header_alone(root: Client, repository: str) -> None:
    """Parameters of the header are ignored (distribution-spec, "Pushing Manifests")."""
    root.push_blob(repository, b"{}")
    body = json.dumps({"schemaVersion": 2, "layers": [], "config": DESCRIPTOR}).encode()

    answer = root.send(
        "PUT", f"/v2/{repository}/manifests/v1", body, {"content-type": f"{DOCKER_MANIFEST}; charset=utf-8"}
    )

    assert answer.status == 201
    assert root.get(f"/v2/{repository}/manifests/v1").headers["content-type"] == DOCKER_MANIFEST


def test_a_manifest_whose_layers_are_missing_changes_nothing(root: Client, repository: str) -> None:
    pushed = image()
    before = root.world.trace()

    answer = root.push_manifest(repository, pushed.manifest, "v1")

    assert (answer.status, answer.code) == (404, "MANIFEST_BLOB_UNKNOWN")
    assert all(blob.digest in answer.body.decode() for blob in pushed.blobs)
    assert root.world.trace() == before


@pytest.mark.parametrize("announced", [True, False])
def test_a_manifest_beyond_the_limit_is_too_large(root: Client, repository: str, announced: bool) -> None:
    headers = {"content-length": str(MANIFEST_LIMIT + 1)} if announced else {}
    body = [] if announced else [piece(b" " * (MANIFEST_LIMIT // 4)) for _ in range(5)]

    answer = root.send("PUT", f"/v2/{repository}/manifests/v1", body, headers)

    assert (answer.status, answer.code) == (413, "SIZE_INVALID")


def test_a_manifest_of_exactly_the_limit_is_accepted(root: Client, repository: str) -> None:
    pushed = image()
    root.push(repository, pushed)
    body = pushed.manifest.content.ljust(MANIFEST_LIMIT)

    answer = root.send("PUT", f"/v2/{repository}/manifests/v1", body, {"content-type": OCI_MANIFEST})

    assert answer.status == 201
    assert root.get(f"/v2/{repository}/manifests/v1").body == body


def test_a_truncated_manifest_is_not_accepted_as_complete(root: Client, repository: str) -> None:
    pushed = image()
    root.push(repository, pushed)
    before = root.world.trace()

    with pytest.raises(ClientGone):
        root.send("PUT", f"/v2/{repository}/manifests/v1", [piece(pushed.manifest.content), DISCONNECT])

    assert root.world.trace() == before


@pytest.mark.parametrize("tag", ["-v1", "v 1", "v" * 129, "é"])
def test_an_invalid_tag_is_not_found_and_cannot_be_pushed(root: Client, repository: str, tag: str) -> None:
    reference = root.get(f"/v2/{repository}/manifests/{tag}")
    pushed = root.push(repository, image(), tag)
    removed = root.send("DELETE", f"/v2/{repository}/manifests/{tag}")

    assert (reference.status, reference.code) == (404, "MANIFEST_UNKNOWN")
    assert (pushed.status, pushed.code) == (400, "TAG_INVALID")
    assert (removed.status, removed.code) == (404, "MANIFEST_UNKNOWN")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("reference", ["sha256:abc", "md5:" + "0" * 32, "v1:v2"])
def test_a_reference_with_an_invalid_digest_is_rejected(
    root: Client, repository: str, method: str, reference: str
) -> None:
    answer = root.send(method, f"/v2/{repository}/manifests/{reference}")

    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


@pytest.mark.parametrize("reference", ["absent", digest(b"absent")])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_missing_manifest_is_unknown(root: Client, repository: str, method: str, reference: str) -> None:
    answer = root.send(method, f"/v2/{repository}/manifests/{reference}")

    assert (answer.status, answer.code) == (404, "MANIFEST_UNKNOWN")
    assert root.head(f"/v2/{repository}/manifests/{reference}").status == 404


def test_deleting_a_tag_keeps_the_image(root: Client, repository: str) -> None:
    pushed = image()
    root.push(repository, pushed, "v1")
    root.push(repository, pushed, "v2")

    answer = root.send("DELETE", f"/v2/{repository}/manifests/v1")

    assert (answer.status, answer.body) == (202, b"")
    assert root.get(f"/v2/{repository}/manifests/v1").status == 404
    assert root.get(f"/v2/{repository}/manifests/v2").status == 200
    assert root.get(f"/v2/{repository}/manifests/{pushed.manifest.digest}").status == 200


def test_deleting_an_image_deletes_all_its_tags(root: Client, repository: str) -> None:
    pushed = image()
    root.push(repository, pushed, "v1")
    root.push(repository, pushed, "v2")

    answer = root.send("DELETE", f"/v2/{repository}/manifests/{pushed.manifest.digest}")

    assert answer.status == 202
    assert root.get(f"/v2/{repository}/manifests/{pushed.manifest.digest}").status == 404
    assert root.get(f"/v2/{repository}/tags/list").json()["tags"] == []


def test_an_image_that_an_index_lists_cannot_be_deleted(root: Client, repository: str) -> None:
    pushed = image()
    listing = index([pushed])
    root.push(repository, pushed)
    root.push(repository, listing, "v1")
    before = root.world.trace()

    answer = root.send("DELETE", f"/v2/{repository}/manifests/{pushed.manifest.digest}")

    assert (answer.status, answer.code) == (405, "UNSUPPORTED")
    assert listing.manifest.digest in answer.body.decode()
    assert root.world.trace() == before


def test_repositories_of_two_accounts_may_have_the_same_name(world: World, root: Client) -> None:
    stranger = world.root("333333333333")
    world.new_repository(ACCOUNT, "shared/name")
    world.new_repository("333333333333", "shared/name")
    root.push("shared/name", image(), "v1")

    assert stranger.get("/v2/shared/name/manifests/v1").code == "MANIFEST_UNKNOWN"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_push_by_digest_may_set_several_tags(root: Client, repository: str, algorithm: str) -> None:
    pushed = image()
    root.push(repository, pushed)
    content = pushed.manifest.content
    name = digest(content, algorithm)

    answer = root.send(
        "PUT",
        f"/v2/{repository}/manifests/{name}?tag=1.2.3&tag=1.2&tag=1.2",
        content,
        {"content-type": pushed.manifest.media_type},
    )

    assert (answer.status, answer.headers["oci-tag"]) == (201, "1.2.3, 1.2")
    for tag in ("1.2", "1.2.3"):
        assert root.head(f"/v2/{repository}/manifests/{tag}").headers["docker-content-digest"] == name


def test_several_tags_are_set_together_or_not_at_all(world: World, root: Client) -> None:
    repository = world.new_repository(settings=RepositorySettings("IMMUTABLE_WITH_EXCLUSION", ("free*",)))
    first, second = image(seed=1), image(seed=2)
    root.push(repository, first, "fixed")
    root.push(repository, second)
    before = world.trace()

    answer = root.send(
        "PUT",
        f"/v2/{repository}/manifests/{second.manifest.digest}?tag=free-1&tag=fixed&tag=free-2",
        second.manifest.content,
        {"content-type": second.manifest.media_type},
    )

    assert (answer.status, answer.code) == (400, "TAG_INVALID")
    assert world.trace() == before
