"""The guarantees of every `BlobStore` for blobs: commit, read, link, delete."""

from __future__ import annotations

import asyncio
import urllib.request
from typing import cast

import pytest

from moorage.domain.ports import (
    CHUNK_BYTES,
    BlobMissing,
    BlobStore,
    FileLink,
    Listing,
    MarkedStore,
    UploadBusy,
    UploadMissing,
    UrlLink,
)
from tests.contract.blob_store.blob_stores import (
    LARGE,
    asynchronous,
    body,
    bytes_of,
    committed,
    digest_of,
    new_upload,
    noise,
    pieces,
)


@pytest.mark.parametrize("size", [0, 1, 4096, 256 << 10, LARGE])
@asynchronous
async def test_appended_and_committed_bytes_are_read_back(store: BlobStore, upload: str, size: int) -> None:
    content = noise(size)

    assert await store.append(upload, 0, pieces(content)) == size
    assert await store.digest(upload, size, "sha256") == digest_of(content)
    key = await store.commit(upload, digest_of(content), size)

    assert await store.content(key) == content
    assert await bytes_of(store, key, 0, size) == content


@asynchronous
async def test_a_repeated_commit_gives_the_same_key(store: BlobStore, other: BlobStore, upload: str) -> None:
    """The client can repeat the commit if a process dies between the commit and the database row."""
    await store.append(upload, 0, body(b"content"))

    keys = {await side.commit(upload, digest_of(b"content"), 7) for side in (store, store, other)}

    assert len(keys) == 1
    assert await other.content(keys.pop()) == b"content"


@asynchronous
async def test_two_concurrent_commits_make_one_blob(store: BlobStore, other: BlobStore) -> None:
    for number in range(20):
        upload, content = new_upload(), b"content %d" % number
        size = await store.append(upload, 0, body(content))
        answers = await asyncio.gather(
            *(side.commit(upload, digest_of(content), size) for side in (store, other)), return_exceptions=True
        )

        keys = {answer for answer in answers if isinstance(answer, str)}
        assert len(keys) == 1
        assert {type(answer) for answer in answers} <= {str, UploadBusy}
        assert await store.content(keys.pop()) == content


@pytest.mark.parametrize("size", [6, 8])
@asynchronous
async def test_after_the_commit_only_the_same_commit_succeeds(store: BlobStore, upload: str, size: int) -> None:
    await store.append(upload, 0, body(b"content"))
    await store.commit(upload, digest_of(b"content"), 7)

    with pytest.raises(UploadMissing):
        await store.commit(upload, digest_of(b"content"), size)
    with pytest.raises(UploadMissing):
        await store.commit(upload, digest_of(b"another"), 7)
    with pytest.raises(UploadMissing):
        await store.append(upload, 7, body(b"more"))


@asynchronous
async def test_committing_more_than_was_received_is_rejected(store: BlobStore, upload: str) -> None:
    with pytest.raises(UploadMissing):
        await store.commit(upload, digest_of(b"content"), 7)
    await store.append(upload, 0, body(b"content"))
    with pytest.raises(UploadMissing):
        await store.commit(upload, digest_of(b"content and more"), 16)

    assert await store.commit(upload, digest_of(b"content"), 7)


@asynchronous
async def test_an_upload_without_a_single_byte_is_an_empty_blob(store: BlobStore, upload: str) -> None:
    assert await store.digest(upload, 0, "sha256") == digest_of(b"")

    keys = {await store.commit(upload, digest_of(b""), 0) for _ in range(2)}

    assert await store.content(keys.pop()) == b""


@asynchronous
async def test_the_same_bytes_uploaded_twice_have_two_keys(store: BlobStore) -> None:
    """So a later deletion of one does not affect the other."""
    first, second = await committed(store, b"content"), await committed(store, b"content")
    assert first != second

    await store.delete(first)

    assert await store.content(second) == b"content"


@pytest.mark.parametrize("bounds", [(0, 1), (5, 5), (100, 2 * CHUNK_BYTES), (LARGE - 1, LARGE), (0, LARGE)])
@asynchronous
async def test_any_range_is_read_in_chunks_of_bounded_size(store: BlobStore, bounds: tuple[int, int]) -> None:
    content = noise(LARGE)
    key = await committed(store, content)

    chunks = [chunk async for chunk in store.read(key, *bounds)]

    assert b"".join(chunks) == content[slice(*bounds)]
    assert all(0 < len(chunk) <= CHUNK_BYTES for chunk in chunks)


@asynchronous
async def test_a_blob_that_is_shorter_than_expected_ends_with_an_error(store: BlobStore) -> None:
    """An incomplete response must never look like a complete one."""
    key = await committed(store, b"content")

    with pytest.raises(OSError, match="ends at byte 7"):
        await bytes_of(store, key, 0, 8)


@asynchronous
async def test_a_read_can_be_abandoned_at_any_chunk(store: BlobStore) -> None:
    key = await committed(store, noise(LARGE))

    reading = aiter(store.read(key, 0, LARGE))
    await anext(reading)
    task = asyncio.ensure_future(anext(reading))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait((task,))

    assert await bytes_of(store, key, 0, LARGE) == noise(LARGE)


@asynchronous
async def test_a_blob_has_a_size(store: BlobStore) -> None:
    assert await store.size(await committed(store, b"")) == 0
    assert await store.size(await committed(store, noise(LARGE))) == LARGE


@asynchronous
async def test_a_deleted_blob_is_missing_and_deleting_it_again_succeeds(store: BlobStore) -> None:
    key = await committed(store, b"content")
    await store.delete(key)
    await store.delete(key)

    with pytest.raises(BlobMissing):
        await store.content(key)
    with pytest.raises(BlobMissing):
        await store.size(key)
    with pytest.raises(BlobMissing):
        await bytes_of(store, key, 0, 7)


@asynchronous
async def test_a_link_leads_to_the_bytes_in_stores_that_have_links(store: BlobStore) -> None:
    key = await committed(store, b"content")

    link = store.link(key)

    if isinstance(link, FileLink):
        assert await asyncio.to_thread(link.path.read_bytes) == b"content"
    if isinstance(link, UrlLink):
        assert await asyncio.to_thread(fetched, link.url) == b"content"


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url) as answer:
        content: bytes = answer.read()
    return content


@asynchronous
async def test_many_blobs_are_deleted_together(store: BlobStore) -> None:
    keys = [await committed(store, b"content %d" % number) for number in range(3)]

    await store.delete(*keys[1:])
    await store.delete(*keys[1:])

    assert await store.content(keys[0]) == b"content 0"
    for key in keys[1:]:
        with pytest.raises(BlobMissing):
            await store.content(key)


@asynchronous
async def test_a_store_has_the_last_marker_that_any_process_wrote(store: BlobStore, other: BlobStore) -> None:
    first, second = cast("MarkedStore", store), cast("MarkedStore", other)
    assert await first.marker() is None

    await first.mark("one")
    assert await second.marker() == "one"
    await second.mark("two")

    assert await first.marker() == "two"
    assert [found async for batch in cast("Listing", store).objects() for found in batch] == []
