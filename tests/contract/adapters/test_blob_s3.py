"""Blobs in an object store: parts, pieces, leftovers, and uploads that continue on another node."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from moorage.adapters.s3 import append as s3_append
from moorage.adapters.s3 import hash_state as saved_hashes
from moorage.adapters.s3.append import MAX_PARTS, PART_BYTES, part_bytes
from moorage.adapters.s3.blob_store import S3BlobStore
from moorage.adapters.s3.upload_state import EMPTY, Content, UploadObject, UploadState
from moorage.core.registry.open_uploads import LAYER_LIMIT, PART_LIMIT
from moorage.domain.ports import BlobMissing, UploadBusy, UploadMissing
from moorage.metadata.engines.sqlite.database import SqliteDatabase
from moorage.metadata.engines.sqlite.schema import migrate
from tests.contract.blob_store.blob_stores import (
    PausingBody,
    asynchronous,
    body,
    bytes_of,
    digest_of,
    new_upload,
    noise,
    pieces,
    prefix_of,
    store_in,
)
from tests.support.object_store import ObjectStore

MIB = 1 << 20
LARGE = noise(MIB) * 23 + b"and a bit"


class Nodes:
    """Any number of nodes on one bucket and one database, and boto3's view of the bucket."""

    def __init__(self, server: ObjectStore, place: Path, stack: ExitStack) -> None:
        self._server = server
        self._place = place
        self._stack = stack
        self._stores: list[S3BlobStore] = []
        migrate(place / "moorage.db")

    def add(self) -> S3BlobStore:
        database = SqliteDatabase(self._place / "moorage.db")
        database.start()
        self._stack.callback(database.close)
        self._stores.append(store_in(self._server, self._place, database))
        return self._stores[-1]

    def keys(self) -> list[str]:
        return [key.removeprefix(f"{prefix_of(self._place)}/") for key in self._server.keys(prefix_of(self._place))]

    def uploads(self) -> list[str]:
        return self._server.uploads(prefix_of(self._place))

    def sizes(self) -> list[int]:
        """Sizes of the parts of unfinished multipart uploads."""
        client = self._server.client()
        listed = client.list_multipart_uploads(Bucket=self._server.bucket, Prefix=prefix_of(self._place))
        names = [(upload["Key"], upload["UploadId"]) for upload in listed.get("Uploads", [])]
        parts = [client.list_parts(Bucket=self._server.bucket, Key=key, UploadId=name) for key, name in names]
        return [part["Size"] for answer in parts for part in answer.get("Parts", [])]

    async def close(self) -> None:
        for store in self._stores:
            await store.close()


@pytest.fixture
def nodes(object_store: ObjectStore, tmp_path: Path) -> Iterator[Nodes]:
    with ExitStack() as stack:
        yield Nodes(object_store, tmp_path, stack)


@pytest.fixture
def upload() -> str:
    return new_upload()


def on_nodes(test: Any) -> Any:
    """Run a coroutine test, and close the connections of its nodes."""

    async def closing(nodes: Nodes, **fixtures: object) -> None:
        try:
            await test(nodes=nodes, **fixtures)
        finally:
            await nodes.close()

    run = asynchronous(closing)
    run.__wrapped__ = test  # type: ignore[attr-defined]  # pytest reads the fixtures off it
    return run


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@on_nodes
async def test_a_large_upload_over_three_nodes_is_never_read_and_leaves_only_the_blob(
    nodes: Nodes, upload: str, algorithm: str
) -> None:
    """For any sizes of the client's parts: below 5 MiB, 10 MiB, and a few bytes."""
    cuts = [0, 3 * MIB, 13 * MIB, 13 * MIB + 5, 14 * MIB, len(LARGE)]
    for start, stop in itertools.pairwise(cuts):
        assert await nodes.add().append(upload, start, pieces(LARGE[start:stop], MIB), algorithm) == stop

    node, name = nodes.add(), digest_of(LARGE, algorithm)
    assert await node.digest(upload, len(LARGE), algorithm) == name
    assert nodes.uploads() != []  # A read would have to complete the multipart upload first.
    key = await node.commit(upload, name, len(LARGE))

    assert await bytes_of(nodes.add(), key, 0, len(LARGE)) == LARGE
    assert nodes.keys() == [key]
    assert nodes.uploads() == []


@on_nodes
async def test_parts_of_ten_mib_are_sent_unchanged(nodes: Nodes, upload: str) -> None:
    """ECR's clients send parts of this size, so nothing is stored twice."""
    node = nodes.add()
    await node.append(upload, 0, pieces(LARGE[:PART_BYTES], MIB))
    await node.append(upload, PART_BYTES, pieces(LARGE[PART_BYTES : 2 * PART_BYTES], MIB))

    assert nodes.sizes() == [PART_BYTES, PART_BYTES]
    assert nodes.keys() == []


@on_nodes
async def test_a_small_upload_is_one_object_from_its_first_byte_on(nodes: Nodes, upload: str) -> None:
    node = nodes.add()
    await node.append(upload, 0, body(b"content"))
    before = nodes.keys()

    assert [await node.commit(upload, digest_of(b"content"), 7)] == before == nodes.keys()


@on_nodes
async def test_many_small_appends_are_combined(nodes: Nodes, upload: str) -> None:
    content = noise(60 * 1000)
    for start in range(0, len(content), 1000):
        await nodes.add().append(upload, start, body(content[start : start + 1000]))
        assert len(nodes.keys()) <= s3_append.MAX_UNUSED_OBJECTS + 2 * s3_append.MAX_TAIL_OBJECTS
    node = nodes.add()
    key = await node.commit(upload, digest_of(content), len(content))

    assert await node.content(key) == content
    assert nodes.keys() == [key]


@pytest.mark.parametrize("size", [7, len(LARGE)])
@on_nodes
async def test_an_abandoned_upload_leaves_nothing(nodes: Nodes, upload: str, size: int) -> None:
    await nodes.add().append(upload, 0, pieces(LARGE[:size], MIB))

    await nodes.add().abandon(upload)

    assert nodes.keys() == nodes.uploads() == []


@on_nodes
async def test_a_truncated_body_after_sent_parts_does_not_change_the_upload(nodes: Nodes, upload: str) -> None:
    async def broken() -> AsyncIterator[bytes]:
        async for chunk in pieces(LARGE[MIB:], MIB):
            yield chunk
        raise ConnectionResetError

    await nodes.add().append(upload, 0, body(LARGE[:MIB]))
    with pytest.raises(ConnectionResetError):
        await nodes.add().append(upload, MIB, broken())

    assert await nodes.add().append(upload, MIB, pieces(LARGE[MIB:], MIB)) == len(LARGE)
    key = await nodes.add().commit(upload, digest_of(LARGE), len(LARGE))
    assert await bytes_of(nodes.add(), key, 0, len(LARGE)) == LARGE
    assert nodes.keys() == [key]


@on_nodes
async def test_two_concurrent_large_appends_never_write_the_same_part(nodes: Nodes, upload: str) -> None:
    """The slower one is rejected. What it still sends, even later, has no effect."""
    other = noise(MIB, b"other") * 12
    slow = PausingBody(LARGE[: 11 * MIB], LARGE[11 * MIB :])
    first = asyncio.create_task(nodes.add().append(upload, 0, aiter(slow)))
    await slow.paused.wait()
    assert await nodes.add().append(upload, 0, pieces(other, MIB)) == len(other)
    slow.resume.set()
    with pytest.raises(UploadBusy):
        await first

    node = nodes.add()
    key = await node.commit(upload, digest_of(other), len(other))
    assert await bytes_of(node, key, 0, len(other)) == other


@pytest.mark.parametrize("size", [1000, 6 * MIB])
@on_nodes
async def test_a_digest_that_was_not_announced_is_computed_by_one_read_at_the_end(
    nodes: Nodes, upload: str, size: int
) -> None:
    content = LARGE[:size]
    await nodes.add().append(upload, 0, pieces(content[:100]))
    await nodes.add().append(upload, 100, pieces(content[100:], MIB))

    assert await nodes.add().digest(upload, size, "sha512") == digest_of(content, "sha512")
    with pytest.raises(UploadMissing):
        await nodes.add().append(upload, size, body(b"more"))
    node = nodes.add()
    key = await node.commit(upload, digest_of(content, "sha512"), size)

    assert await bytes_of(node, key, 0, size) == content
    assert nodes.keys() == [key]


@on_nodes
async def test_without_a_saved_hash_state_the_upload_is_read_once_at_its_end(
    nodes: Nodes, upload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_hashes, "resume", lambda _algorithm, _state: None)
    await nodes.add().append(upload, 0, pieces(LARGE[: 6 * MIB], MIB))
    await nodes.add().append(upload, 6 * MIB, body(LARGE[6 * MIB :]))

    assert await nodes.add().digest(upload, len(LARGE), "sha256") == digest_of(LARGE)
    node = nodes.add()
    with pytest.raises(UploadMissing):
        await node.commit(upload, digest_of(b"other bytes"), len(LARGE))
    key = await node.commit(upload, digest_of(LARGE), len(LARGE))

    assert await bytes_of(node, key, 0, len(LARGE)) == LARGE


@on_nodes
async def test_a_commit_that_died_between_the_store_and_the_database_is_completed_by_repeating_it(
    nodes: Nodes, upload: str, object_store: ObjectStore
) -> None:
    """The multipart upload is gone by then, and its object exists."""
    await nodes.add().append(upload, 0, pieces(LARGE[: 2 * PART_BYTES], MIB))
    client = object_store.client()
    (under_way,) = client.list_multipart_uploads(Bucket=object_store.bucket, Prefix=nodes.uploads()[0])["Uploads"]
    names = {"Bucket": object_store.bucket, "Key": under_way["Key"], "UploadId": under_way["UploadId"]}
    parts = [{"PartNumber": row["PartNumber"], "ETag": row["ETag"]} for row in client.list_parts(**names)["Parts"]]
    client.complete_multipart_upload(**names, MultipartUpload={"Parts": parts})

    node = nodes.add()
    key = await node.commit(upload, digest_of(LARGE[: 2 * PART_BYTES]), 2 * PART_BYTES)

    assert await bytes_of(node, key, 0, 2 * PART_BYTES) == LARGE[: 2 * PART_BYTES]


@on_nodes
async def test_an_overwritten_part_never_becomes_a_blob(nodes: Nodes, upload: str, object_store: ObjectStore) -> None:
    """Stores reject it then, or still have the part of the recorded ETag (SeaweedFS)."""
    content = LARGE[: 2 * PART_BYTES]
    await nodes.add().append(upload, 0, pieces(content, MIB))
    client = object_store.client()
    (under_way,) = client.list_multipart_uploads(Bucket=object_store.bucket, Prefix=nodes.uploads()[0])["Uploads"]
    names = {"Bucket": object_store.bucket, "Key": under_way["Key"], "UploadId": under_way["UploadId"]}
    client.upload_part(**names, PartNumber=2, Body=b"other bytes" * 1_000_000)

    node = nodes.add()
    try:
        key = await node.commit(upload, digest_of(content), len(content))
    except UploadMissing:
        return
    assert await bytes_of(node, key, 0, len(content)) == content


@pytest.mark.parametrize(
    "key",
    [
        "",
        "ready",
        "blobs/4b/4beb25a3-b780-46dd-88c3-ae037f77d14d",
        "blobs/4c/4beb25a3-b780-46dd-88c3-ae037f77d14d-0011223344556677",
        "blobs/4b/4beb25a3-b780-46dd-88c3-ae037f77d14d-0011223344556677/../x",
        "/blobs/4b/4beb25a3-b780-46dd-88c3-ae037f77d14d-0011223344556677",
    ],
)
@on_nodes
async def test_an_invalid_key_is_never_requested(nodes: Nodes, key: str) -> None:
    node = nodes.add()
    with pytest.raises(BlobMissing):
        node.link(key)
    with pytest.raises(BlobMissing):
        await node.content(key)
    with pytest.raises(BlobMissing):
        await node.delete(key)


@pytest.mark.parametrize("half_size", [False, True])
def test_the_part_numbers_suffice_for_the_largest_layer_in_parts_of_any_size(half_size: bool) -> None:
    assert numbers_used(LAYER_LIMIT, LAYER_LIMIT, half_size) <= MAX_PARTS / 2
    assert numbers_used(LAYER_LIMIT, LAYER_LIMIT // PART_LIMIT + 1, half_size) < MAX_PARTS
    assert numbers_used(PART_LIMIT * s3_append.PART_MINIMUM, s3_append.PART_MINIMUM, half_size) < MAX_PARTS


def numbers_used(size: int, append: int, half_size: bool) -> int:
    """The number of parts of an upload of that size that arrives in appends of so many bytes."""
    numbers = pending = 0
    for start in range(0, size, append):
        pending += min(append, size - start)
        while pending >= (part_size := part_bytes(numbers, half_size=half_size)):
            pending -= part_size
            numbers += 1
        if pending >= s3_append.PART_MINIMUM:
            numbers, pending = numbers + 1, 0
    return numbers


@on_nodes
async def test_many_concurrent_uploads_each_hold_less_in_memory(nodes: Nodes, upload: str) -> None:
    node = nodes.add()
    others = [PausingBody(b"first", b"second") for _ in range(s3_append.FULL_SIZE_APPENDS)]
    requests = [asyncio.create_task(node.append(new_upload(), 0, aiter(other))) for other in others]
    for other in others:
        await other.paused.wait()
    await node.append(upload, 0, pieces(LARGE[: 10 * MIB], MIB))

    assert nodes.sizes() == [5 * MIB, 5 * MIB]
    for other in others:
        other.resume.set()
    assert await asyncio.gather(*requests) == [11] * len(others)


def test_the_state_before_the_newest_append_can_be_restored_once() -> None:
    state = UploadState()
    first = Content(5, tail=(UploadObject("a", 5),))
    second = Content(9, tail=(UploadObject("b", 9),))
    state.extend(first, [])
    state.extend(second, [])
    assert [state.content_at(size) for size in (9, 5, 0, 7)] == [second, first, EMPTY, None]
    assert state.unused == ["a"]

    state.rewind(first)

    assert (state.current, state.previous, state.unused) == (first, None, ["b"])
    assert hashlib.sha256().hexdigest() in EMPTY.digests[0]


@on_nodes
async def test_a_list_of_many_pages_is_read_to_its_end(object_store: ObjectStore, tmp_path: Path, nodes: Nodes) -> None:
    """A page of S3 has at most a thousand entries."""
    store, bucket = nodes.add(), object_store.client()
    uploads = sorted(new_upload() for _ in range(1_003))
    keys = {upload: f"{prefix_of(tmp_path)}/blobs/{upload[:2]}/{upload}-{16 * '0'}" for upload in uploads}
    with ThreadPoolExecutor(8) as threads:
        for name, body in (("put_object", {"Body": b"x"}), ("create_multipart_upload", {})):
            make = partial(getattr(bucket, name), Bucket=object_store.bucket, **body)
            list(threads.map(lambda key, make=make: make(Key=key), keys.values()))

    objects = [each for page in [page async for page in store.objects()] for each in page]
    begun = [upload for page in [page async for page in store.uploads()] for upload in page]

    assert [each.upload for each in objects] == uploads
    assert {each.size for each in objects} == {1}
    assert begun == uploads
