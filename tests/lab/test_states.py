"""Reset, snapshots and restores of a lab."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.ecr.wire import refusal
from tests.lab.conftest import Lab
from tests.support.http_client import Docker
from tests.support.images import image
from tests.support.waiting import wait_until

TEAM = "team/app"


def test_a_reset_returns_to_the_state_at_the_start(lab: Lab, ecr: Any, http: Docker) -> None:
    ecr.create_repository(repositoryName=TEAM)
    http.push(TEAM, image(), "v1")
    lab.call("POST", "faults", {"status": 500})
    lab.call("PUT", "settings", {"rates": "aws", "ecrQuirks": True})
    lab.call("PUT", "time", {"advance": "24h"})

    assert lab.call("POST", "reset") == {"status": "ok"}

    assert lab.call("GET", "settings") == {"rates": "", "ecrQuirks": False}
    assert lab.call("GET", "faults") == {"faults": []}
    assert lab.call("GET", "requests") == {"requests": []}
    assert ecr.describe_repositories()["repositories"] == []
    assert http.get(f"/v2/{TEAM}/manifests/v1").status == 404


def test_the_bytes_of_a_reset_registry_are_removed(lab: Lab, ecr: Any, http: Docker) -> None:
    ecr.create_repository(repositoryName=TEAM)
    http.push(TEAM, image(), "v1")
    blobs = lab.server.data / "blobs" / "sha256"
    assert any(file.is_file() for file in blobs.rglob("*"))

    lab.call("POST", "reset")

    wait_until(lambda: not any(file.is_file() for file in blobs.rglob("*")))


def test_a_restore_brings_back_rows_and_bytes_whatever_happened_meanwhile(lab: Lab, ecr: Any, http: Docker) -> None:
    one = image()
    ecr.create_repository(repositoryName=TEAM)
    http.push(TEAM, one, "v1")
    made = lab.call("POST", "snapshot", {"name": "pushed"})
    ecr.put_image_tag_mutability(repositoryName=TEAM, imageTagMutability="IMMUTABLE")
    lab.call("POST", "reset")

    restored = lab.call("POST", "restore", {"name": "pushed"})

    assert restored == made
    assert ecr.describe_repositories()["repositories"][0]["imageTagMutability"] == "MUTABLE"
    assert http.get(f"/v2/{TEAM}/manifests/v1").body == one.manifest.content
    for blob in one.blobs:
        assert http.get(f"/v2/{TEAM}/blobs/{blob.digest}").body == blob.content


def test_a_restored_registry_takes_the_same_pushes_again(lab: Lab, ecr: Any, http: Docker) -> None:
    ecr.create_repository(repositoryName=TEAM)
    lab.call("POST", "snapshot")
    for _ in range(3):
        http.push(TEAM, image(), "v1")
        assert len(ecr.describe_images(repositoryName=TEAM)["imageDetails"]) == 1
        lab.call("POST", "restore")
        assert ecr.describe_images(repositoryName=TEAM)["imageDetails"] == []


def test_identities_of_a_reset_registry_are_gone_and_the_root_user_stays(lab: Lab, ecr: Any) -> None:
    user = lab.server.moorage("user", "create", "ann")
    assert user
    lab.call("POST", "reset")

    assert "ann" not in lab.server.moorage("user", "list")
    assert ecr.describe_repositories()["repositories"] == []


def test_moto_s_reset_path_works_too(lab: Lab, ecr: Any) -> None:
    ecr.create_repository(repositoryName=TEAM)

    assert lab.request("POST", "/moto-api/reset").json() == {"status": "ok"}

    assert refusal(ecr.describe_repositories, repositoryNames=[TEAM]).code == "RepositoryNotFoundException"


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"name": "unknown"}, 404, "there is no snapshot 'unknown'"),
        ({"name": "../x"}, 400, "a name has 1 to 100 letters"),
        ({"nam": "x"}, 400, "unknown field `nam`"),
        (b"{", 400, "it is not JSON"),
    ],
)
def test_a_restore_of_what_is_not_there_is_refused(lab: Lab, body: Any, status: int, message: str) -> None:
    refused = lab.refusal("POST", "restore", body)

    assert refused[0] == status
    assert message in refused[1]


def test_the_number_of_snapshots_is_bounded(lab: Lab) -> None:
    names = [f"s{number}" for number in range(20)]
    statuses = [lab.request("POST", "/_moorage/snapshot", {"name": name}).status for name in names]

    assert 409 in statuses
    assert statuses[:10] == [200] * 10
