"""A repository that a push creates is recorded like one that CreateRepository creates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.audit.conftest import Trail
from tests.support.http_client import Docker


@pytest.fixture
def prefix(ecr: Any) -> Iterator[str]:
    """The prefix of a creation template for pushes."""
    ecr.create_repository_creation_template(prefix="audited", appliedFor=["CREATE_ON_PUSH"])
    yield "audited"
    ecr.delete_repository_creation_template(prefix="audited")


def test_the_audit_log_has_the_creation_before_the_upload(prefix: str, http: Docker, trail: Trail) -> None:
    for _ in range(2):
        http.post(f"/v2/{prefix}/app/blobs/uploads/")

    assert trail.names() == [
        "CreateRepository",
        "InitiateLayerUpload",
        "InitiateLayerUpload",
    ]
    record = trail.records()[0]
    arn = f"arn:aws:ecr:us-east-1:000000000000:repository/{prefix}/app"
    assert [resource["ARN"] for resource in record["resources"]] == [arn]
    assert record["userIdentity"]["invokedBy"] == "ecr.amazonaws.com"
