"""If-Match and If-None-Match of requests for manifests and blobs (RFC 9110, section 13)."""

from __future__ import annotations

import pytest

from tests.docker.oci.client import Answer, Client, World
from tests.support.images import Image, digest, image

FIRST, SECOND, THIRD = image(seed=1), image(seed=2), image(seed=3)
OTHER = f'"{digest(b"another")}"'


def etag(pushed: Image) -> str:
    return f'"{pushed.manifest.digest}"'


def put(client: Client, repository: str, pushed: Image, reference: str = "v1", **headers: str) -> Answer:
    """Push a manifest; a keyword such as `if_match` is a header."""
    for blob in pushed.blobs:
        client.push_blob(repository, blob.content)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    path = f"/v2/{repository}/manifests/{reference}"
    return client.send("PUT", path, pushed.manifest.content, {"content-type": pushed.manifest.media_type, **named})


def current(client: Client, repository: str) -> str:
    return client.head(f"/v2/{repository}/manifests/v1").headers.get("docker-content-digest", "")


ON_EXISTING = [
    ({"if_match": etag(FIRST)}, True),
    ({"if_match": f"{OTHER}, {etag(FIRST)}"}, True),
    ({"if_match": "*"}, True),
    ({"if_match": OTHER}, False),
    ({"if_match": f"W/{etag(FIRST)}"}, False),
    ({"if_match": ""}, False),
    ({"if_none_match": OTHER}, True),
    ({"if_none_match": etag(FIRST)}, False),
    ({"if_none_match": f"W/{etag(FIRST)}"}, False),
    ({"if_none_match": "*"}, False),
    ({"if_match": etag(FIRST), "if_none_match": etag(FIRST)}, False),
]


@pytest.mark.parametrize(("headers", "agrees"), ON_EXISTING)
def test_a_push_moves_a_tag_only_if_it_names_what_the_client_expects(
    world: World, root: Client, repository: str, headers: dict[str, str], agrees: bool
) -> None:
    root.push(repository, FIRST, "v1")
    root.push(repository, SECOND)
    before = world.trace()

    path = f"/v2/{repository}/manifests/v1"
    sent = {"content-type": SECOND.manifest.media_type}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    answer = root.send("PUT", path, SECOND.manifest.content, sent)

    assert answer.status == (201 if agrees else 412)
    assert current(root, repository) == (SECOND if agrees else FIRST).manifest.digest
    if not agrees:
        assert answer.code == "PRECONDITION_FAILED"
        assert world.trace() == before


@pytest.mark.parametrize(("headers", "agrees"), ON_EXISTING)
@pytest.mark.parametrize("by_tag", [True, False])
def test_a_deletion_removes_only_what_the_client_expects(
    root: Client, repository: str, headers: dict[str, str], agrees: bool, by_tag: bool
) -> None:
    root.push(repository, FIRST, "v1")
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    reference = "v1" if by_tag else FIRST.manifest.digest

    answer = root.send("DELETE", f"/v2/{repository}/manifests/{reference}", headers=sent)

    assert answer.status == (202 if agrees else 412)
    assert current(root, repository) == ("" if agrees else FIRST.manifest.digest)


@pytest.mark.parametrize(
    ("headers", "agrees"),
    [({"if_match": "*"}, False), ({"if_match": OTHER}, False), ({"if_none_match": "*"}, True)],
)
def test_a_tag_that_does_not_exist_has_no_entity_tag(
    root: Client, repository: str, headers: dict[str, str], agrees: bool
) -> None:
    assert put(root, repository, FIRST, **headers).status == (201 if agrees else 412)
    assert current(root, repository) == (FIRST.manifest.digest if agrees else "")


@pytest.mark.parametrize("headers", [{"if-match": OTHER}, {"if-match": "*"}, {"if-none-match": "*"}])
def test_deleting_a_tag_that_does_not_exist_answers_404(root: Client, repository: str, headers: dict[str, str]) -> None:
    """A precondition changes no answer that is a refusal without it (RFC 9110, section 13.2.1)."""
    assert root.send("DELETE", f"/v2/{repository}/manifests/v1", headers=headers).status == 404


def test_a_push_that_is_repeated_after_a_lost_answer_succeeds_again(root: Client, repository: str) -> None:
    root.push(repository, FIRST, "v1")

    answers = [put(root, repository, SECOND, if_match=etag(FIRST)) for _ in range(2)]

    assert [answer.status for answer in answers] == [201, 201]
    assert put(root, repository, THIRD, if_match=etag(FIRST)).status == 412


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("expected", "status"), [("right", 200), ("*", 200), (OTHER, 412)])
@pytest.mark.parametrize("kind", ["manifests", "blobs"])
def test_reading_answers_412_if_the_content_is_another(
    root: Client, repository: str, method: str, expected: str, status: int, kind: str
) -> None:
    root.push(repository, FIRST, "v1")
    name = FIRST.manifest.digest if kind == "manifests" else FIRST.blobs[0].digest
    value = f'"{name}"' if expected == "right" else expected

    assert root.send(method, f"/v2/{repository}/{kind}/{name}", headers={"if-match": value}).status == status
