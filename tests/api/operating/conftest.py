"""Clients of the operating API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.services.calls import client_of
from tests.support.server import Server


@pytest.fixture(scope="session")
def moorage(server: Server) -> Any:
    """boto3's client of the operating API with the root key."""
    return client_of(server, "moorage")


@pytest.fixture
def all_of() -> Callable[..., list[Any]]:
    """All items of a list, by pages."""

    def read(operation: Callable[..., dict[str, Any]], member: str, **request: Any) -> list[Any]:
        answer = operation(**request)
        found: list[Any] = answer[member]
        while "nextToken" in answer:
            answer = operation(**request, nextToken=answer["nextToken"])
            found += answer[member]
        return found

    return read
