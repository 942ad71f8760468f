"""The fixtures of pytest. Nothing but pytest is imported before a test uses one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from moorage.testing.starting import Login, Registry, Repository


@pytest.fixture(scope="session")
def moorage_options() -> Sequence[str]:
    """The options of `moorage run` for the registry of the session. Override it in `conftest.py`."""
    return ()


@pytest.fixture(scope="session")
def moorage(moorage_options: Sequence[str]) -> Iterator[Registry]:
    """The registry of the session, for all tests together."""
    from moorage.testing.starting import registry  # noqa: PLC0415 - starts nothing in sessions without it

    with registry(*moorage_options) as started:
        yield started


@pytest.fixture
def moorage_region(moorage: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The registry in a Region of this test alone, where clients of the test find it by their environment."""
    own = moorage.in_region()
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in own.environment.items():
        monkeypatch.setenv(name, value)
    return own


@pytest.fixture
def moorage_reset(moorage: Registry) -> Iterator[Registry]:
    """The registry of the session, which returns to its state at the start after the test."""
    yield moorage
    moorage.reset()


@pytest.fixture
def ecr_client(moorage_region: Registry) -> Any:
    """boto3's client of ECR in the Region of this test."""
    return moorage_region.client()


@pytest.fixture
def ecr_repository(moorage_region: Registry) -> Repository:
    """A new repository in the Region of this test."""
    return moorage_region.create_repository()


@pytest.fixture
def registry_login(moorage_region: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Login:
    """A login of Docker clients to the Region of this test, which they find by their environment."""
    for name, value in moorage_region.write_login(tmp_path / "docker-config").items():
        monkeypatch.setenv(name, value)
    return moorage_region.login()
