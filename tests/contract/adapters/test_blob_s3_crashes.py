"""A process that is killed anywhere on its way to an object store leaves an upload that goes on."""

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
    """In the environment, so that the process that is killed knows it, too."""
    monkeypatch.setenv(OBJECT_STORE_PORT, str(object_store.port))


async def push(store: BlobStore, upload: str, kind: str) -> str:
    """Append what is missing, as a client does that asks how far it got; then commit."""
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
def test_an_upload_that_was_killed_is_repeated(kind: str, point: str, tmp_path: Path) -> None:
    upload = new_upload()
    kill(tmp_path, upload, kind, point)

    async def again(store: BlobStore) -> None:
        key = await push(store, upload, kind)
        assert await bytes_of(store, key, 0, SIZES[kind]) == noise(SIZES[kind])
        await released(store)

    with s3_store(tmp_path) as store:
        asyncio.run(again(store))


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
def test_a_commit_that_was_killed_is_repeated_and_one_object_is_left(
    kind: str, point: str, tmp_path: Path, object_store: ObjectStore
) -> None:
    """But for what it had put together and nobody knows of, when it died before noting it."""
    upload, content = new_upload(), noise(SIZES[kind])
    kill(tmp_path, upload, kind, point)

    async def again(store: BlobStore) -> str:
        key = await store.commit(upload, digest_of(content), len(content))
        assert await bytes_of(store, key, 0, len(content)) == content
        await released(store)
        return key

    with s3_store(tmp_path) as store:
        key = asyncio.run(again(store))

    left = {name.removeprefix(f"{prefix_of(tmp_path)}/") for name in object_store.keys(prefix_of(tmp_path))}
    assert left - {key} == set() or (kind, point) == ("two pieces", "U8")
    assert object_store.uploads(prefix_of(tmp_path)) == []


def kill(place: Path, upload: str, kind: str, point: str) -> None:
    arguments = (place, upload, kind, point)
    process = multiprocessing.get_context("spawn").Process(target=push_until_killed, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert os.environ[OBJECT_STORE_PORT]
