"""Each contract test runs on every blob store. Two stores on one folder act as two server processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage.domain.ports import BlobStore
from tests.contract.blob_store.blob_stores import OBJECT_STORE_PORT, STORES, new_upload
from tests.support.ceph import running_radosgw
from tests.support.object_store import ObjectStore

OBJECT_STORES = {"s3": "object_store", "radosgw": "radosgw"}
"""The fixture that starts each."""


@pytest.fixture(scope="session")
def radosgw() -> Iterator[ObjectStore]:
    """A second real S3 server, beside SeaweedFS."""
    with running_radosgw() as store:
        yield store


@pytest.fixture(params=["files", "s3", pytest.param("radosgw", marks=pytest.mark.long)], scope="module")
def kind(request: pytest.FixtureRequest) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param in OBJECT_STORES:
            # An environment variable, so that processes that a test starts have it as well.
            patch.setenv(OBJECT_STORE_PORT, str(request.getfixturevalue(OBJECT_STORES[request.param]).port))
        yield str(request.param)


@pytest.fixture
def store(kind: str, tmp_path: Path) -> Iterator[BlobStore]:
    with STORES[kind](tmp_path) as opened:
        yield opened


@pytest.fixture
def other(kind: str, tmp_path: Path) -> Iterator[BlobStore]:
    """The store of another process."""
    with STORES[kind](tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture
def upload() -> str:
    return new_upload()
