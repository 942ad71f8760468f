"""A server with upstream registries that its operator added, and another Moorage as one of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.api.ecr.wire import client_of
from tests.api.pull_through.calls import ADDED_ECR
from tests.support.server import Server


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Another Moorage, whose images are cached."""
    yield from _started(tmp_path_factory, "upstream")


@pytest.fixture(scope="session")
def caching(tmp_path_factory: pytest.TempPathFactory, upstream: Server) -> Iterator[Server]:
    """A server whose operator added four upstream registries: two names of one that answers, and two that do not."""
    there = f"http://{upstream.host}:{upstream.port}"
    added = [f"other.test={there}", f"{ADDED_ECR}={there}", "refused.test=http://127.0.0.1:1", "10.255.255.1"]
    words = [word for one in added for word in ("--upstream", one)]
    yield from _started(tmp_path_factory, "caching", *words)


def _started(folders: pytest.TempPathFactory, name: str, *words: str) -> Iterator[Server]:
    one = Server(folders.mktemp(name) / "data")
    one.start(extra_args=["--workers", "1", *words])
    yield one
    one.stop()


_numbers = itertools.count()


@pytest.fixture
def ecr(caching: Server) -> Any:
    """A client of a Region that no other test uses."""
    return client_of(caching, region=f"ptc-region-{next(_numbers)}")


@pytest.fixture
def new_secret(caching: Server, ecr: Any) -> Callable[..., str]:
    """Stores credentials in the Region of the test; returns the ARN."""

    def put(token: str = "token", name: str = "ann", secret: str = "ecr-pullthroughcache/hub") -> str:
        words = ("secret", "put", secret, "--username", name, "--region", ecr.meta.region_name)
        return caching.moorage(*words, stdin=token).strip()

    return put
