"""A process that is killed at any point of its work on an object store leaves an upload that can continue."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from moorage import failpoints
from moorage.domain.ports import BlobStore
from tests.contract.blob_store.blob_stores import (
    OBJECT_STORE_PORT,
    bytes_of,
    digest_of,
    new_upload,
    noise,
    pieces,
    prefix_of,
    released,
    s3_store,
)
from tests.support.object_store import ObjectStore

MIB = 1 << 20
SIZES = {"one object": 100_000, "two pieces": 300_000, "parts and a piece": 7 * MIB}


@pytest.fixture(autouse=True)
def known_port(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fixed port in the environment, so that the killed process uses it too."""
    monkeypatch.setenv(OBJECT_STORE_PORT, str(object_store.port))


async def push(store: BlobStore, upload: str, kind: str) -> str:
    """Append what is missing, as a client does that asks for its position; then commit."""
    content = noise(SIZES[kind])
    first = len(content) if kind == "one object" else 6 * MIB if kind.startswith("parts") else 100_000
    size = await store.append(upload, 0, pieces(content[:first], MIB))
    if size < len(content):
        size = await store.append(upload, size, pieces(content[first:], MIB))
    return await store.commit(upload, digest_of(content), size)


def push_until_killed(place: Path, upload: str, kind: str, point: str) -> None:
    failpoints.arm(f"{point}=kill")
    with s3_store(place) as store:
        asyncio.run(push(store, upload, kind))


@pytest.mark.parametrize(("kind", "point"), [("one object", "U2"), ("two pieces", "U3"), ("parts and a piece", "U3")])
def test_an_upload_that_was_killed_can_be_repeated(kind: str, point: str, tmp_path: Path) -> None:
    upload = new_upload()
    kill(tmp_path, upload, kind, point)

    async def repeat(store: BlobStore) -> None:
        key = await push(store, upload, kind)
        assert await bytes_of(store, key, 0, SIZES[kind]) == noise(SIZES[kind])
        await released(store)

    with s3_store(tmp_path) as store:
        asyncio.run(repeat(store))


@pytest.mark.parametrize(
    ("kind", "point"),
    [
        ("one object", "U8"),
        ("two pieces", "U8"),
        ("parts and a piece", "U7"),
        ("parts and a piece", "U8"),
        ("parts and a piece", "U9"),
    ],
)
def test_a_commit_that_was_killed_can_be_repeated_and_one_object_remains(
    kind: str, point: str, tmp_path: Path, object_store: ObjectStore
) -> None:
    """Except for an object that it had assembled and not recorded before it died."""
    upload, content = new_upload(), noise(SIZES[kind])
    kill(tmp_path, upload, kind, point)

    async def repeat(store: BlobStore) -> str:
        key = await store.commit(upload, digest_of(content), len(content))
        assert await bytes_of(store, key, 0, len(content)) == content
        await released(store)
        return key

    with s3_store(tmp_path) as store:
        key = asyncio.run(repeat(store))

    remaining = {name.removeprefix(f"{prefix_of(tmp_path)}/") for name in object_store.keys(prefix_of(tmp_path))}
    assert remaining - {key} == set() or (kind, point) == ("two pieces", "U8")
    assert object_store.uploads(prefix_of(tmp_path)) == []


def kill(place: Path, upload: str, kind: str, point: str) -> None:
    arguments = (place, upload, kind, point)
    process = multiprocessing.get_context("spawn").Process(target=push_until_killed, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert os.environ[OBJECT_STORE_PORT]
