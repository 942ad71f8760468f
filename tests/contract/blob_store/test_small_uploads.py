"""The guarantees of every `BlobStore` for small uploads, which are stored at once."""

from __future__ import annotations

import pytest

from moorage.domain.ports import BlobStore, UploadBusy
from tests.contract.blob_store.blob_stores import LARGE, asynchronous, digest_of, new_upload, noise, pieces


@asynchronous
async def test_a_small_upload_is_stored_at_once_or_not_at_all(store: BlobStore) -> None:
    upload, content = new_upload(), noise(10_000)
    assert store.small_size(upload) == 0

    if not await store.store_small(upload, [content[:1], content[1:]], "sha256"):  # a store of objects
        assert store.small_size(upload) == 0
        return

    assert store.small_size(upload) == len(content)
    with pytest.raises(UploadBusy):
        await store.store_small(upload, [b"others"], "sha256")
    assert await store.digest(upload, len(content), "sha256") == digest_of(content)
    assert await store.digest(upload, len(content), "sha512") == digest_of(content, "sha512")
    key = await store.commit(upload, digest_of(content), len(content))
    assert await store.content(key) == content
    assert store.small_size(upload) == 0
    assert store.small_size(upload, digest_of(b"other"), digest_of(content)) == len(content)
    assert await store.commit(upload, digest_of(content), len(content)) == key


@asynchronous
async def test_a_small_upload_can_grow(store: BlobStore) -> None:
    upload, content = new_upload(), noise(LARGE)

    if await store.store_small(upload, [content[:1_000]], "sha256"):
        assert await store.append(upload, 1_000, pieces(content[1_000:])) == LARGE
        assert await store.digest(upload, LARGE, "sha256") == digest_of(content)


@asynchronous
async def test_bytes_of_a_small_upload_that_another_process_stored_are_read_again(
    store: BlobStore, other: BlobStore
) -> None:
    upload, content = new_upload(), noise(10_000)

    if await store.store_small(upload, [content], "sha256"):
        assert await other.digest(upload, len(content), "sha256") == digest_of(content)
        assert await other.content(await other.commit(upload, digest_of(content), len(content))) == content
