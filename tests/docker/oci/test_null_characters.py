"""Requests with the character NUL, which PostgreSQL's texts cannot contain: no such name exists, and nothing fails."""

from __future__ import annotations

import pytest

from tests.docker.oci.client import Client, basic
from tests.support.images import image


@pytest.mark.parametrize(
    "query", ["tags/list?last=%00", "tags/list?last=v%001", "referrers/{digest}?artifactType=a%00b"]
)
def test_a_list_treats_it_as_an_unknown_name(root: Client, repository: str, query: str) -> None:
    pushed = image(seed=7)
    root.push(repository, pushed, "v1")

    answer = root.get(f"/v2/{repository}/{query.format(digest=pushed.manifest.digest)}")

    assert answer.status == 200, answer


def test_the_catalogue_treats_it_as_an_unknown_name(root: Client, repository: str) -> None:
    assert root.get("/v2/_catalog?last=a%00").status == 200


def test_an_access_key_id_cannot_contain_it(root: Client, repository: str) -> None:
    authorization = basic("AKIA\0", "secret")

    assert root.get(f"/v2/{repository}/tags/list", {"authorization": authorization}).status == 401
