"""The shared server's further services."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from moorage.domain.signing.profiles import PLATFORM
from tests.api.services.calls import client_of
from tests.support.server import Server


@pytest.fixture(scope="session")
def secrets(server: Server) -> Any:
    """boto3's client of Secrets Manager with the root key."""
    return client_of(server, "secretsmanager")


@pytest.fixture
def new_name() -> Callable[[], str]:
    """Names that no other test uses."""
    return lambda: f"ecr-pullthroughcache/tests-{next(_numbers)}"


@pytest.fixture
def name(new_name: Callable[[], str]) -> str:
    return new_name()


_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def signer(server: Server) -> Any:
    """boto3's client of Signer with the root key."""
    return client_of(server, "signer")


@pytest.fixture
def profile(signer: Any) -> str:
    """The name of a new signing profile."""
    name = f"tests_{next(_numbers)}"
    signer.put_signing_profile(profileName=name, platformId=PLATFORM, tags={"team": "a"})
    return name
