"""Each client pushes to a repository that does not exist yet, and a creation template creates it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.everyday.transfers import PULLERS, PUSHERS, Desk
from tests.support.images import image

pytestmark = pytest.mark.client

CLIENTS = [pusher for pusher in PUSHERS if pusher != "api"]
"""The ECR API creates a repository only through CreateRepository."""


@pytest.fixture
def template(ecr: Any) -> Iterator[str]:
    """The prefix of a creation template for pushes."""
    ecr.create_repository_creation_template(
        prefix="on-push", appliedFor=["CREATE_ON_PUSH"], imageTagMutability="IMMUTABLE"
    )
    yield "on-push"
    ecr.delete_repository_creation_template(prefix="on-push")


@pytest.mark.parametrize("pusher", CLIENTS)
def test_a_push_creates_the_repository_as_the_template_says(pusher: str, template: str, ecr: Any, desk: Desk) -> None:
    repository = f"{template}/{pusher}"

    PUSHERS[pusher](desk, repository, image(seed=9_000 + CLIENTS.index(pusher), docker=True))

    (created,) = ecr.describe_repositories(repositoryNames=[repository])["repositories"]
    assert created["imageTagMutability"] == "IMMUTABLE"
    assert PULLERS[pusher](desk, repository).contents
