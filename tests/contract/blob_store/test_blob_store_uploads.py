"""The guarantees of every `BlobStore` for uploads: append, digest, abandon, in one process and in several."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage import failpoints
from moorage.domain.ports import CHUNK_BYTES, BlobStore, UploadBusy, UploadMissing
from tests.contract.blob_store.blob_stores import (
    LARGE,
    STORES,
    PausingBody,
    asynchronous,
    body,
    broken_body,
    digest_of,
    new_upload,
    noise,
    pieces,
    released,
)

_UPLOAD = "4beb25a3-b780-46dd-88c3-ae037f77d14d"


@pytest.mark.parametrize("size", [70_000, LARGE])
@asynchronous
async def test_a_body_in_chunks_and_views_of_any_size_is_stored_the_same(store: BlobStore, size: int) -> None:
    content = noise(size)
    views = cast("list[bytes]", [memoryview(content)[:10], memoryview(content)[10:]])  # The type of the API's parts.
    bodies = [pieces(content, 97), body(content), body(b"", content[:1], b"", content[1:], b""), body(*views)]

    for chunks in bodies:
        upload = new_upload()
        assert await store.append(upload, 0, chunks) == size
        assert await store.digest(upload, size, "sha256") == digest_of(content)
        assert await store.content(await store.commit(upload, digest_of(content), size)) == content


@asynchronous
async def test_sha512_digests_are_computed_like_sha256(store: BlobStore, upload: str) -> None:
    content = noise(LARGE)
    size = await store.append(upload, 0, pieces(content))

    assert await store.digest(upload, size, "sha512") == digest_of(content, "sha512")
    assert await store.digest(upload, size, "sha256") == digest_of(content)
    key = await store.commit(upload, digest_of(content, "sha512"), size)

    assert await store.content(key) == content


@pytest.mark.parametrize("announced", [["sha256", "sha512"], ["sha512", "sha256"], ["sha512", "sha512"]])
@pytest.mark.parametrize("wanted", ["sha256", "sha512"])
@asynchronous
async def test_the_digest_is_right_for_any_algorithms_that_the_appends_named(
    store: BlobStore, other: BlobStore, upload: str, announced: list[str], wanted: str
) -> None:
    content = noise(LARGE)
    cut = await store.append(upload, 0, pieces(content[: LARGE // 2]), announced[0])
    size = await store.append(upload, cut, pieces(content[cut:]), announced[1])

    assert await other.digest(upload, size, wanted) == digest_of(content, wanted)
    assert await store.digest(upload, size, wanted) == digest_of(content, wanted)
    key = await store.commit(upload, digest_of(content, wanted), size)

    assert await store.content(key) == content


@asynchronous
async def test_an_upload_grows_by_appending(store: BlobStore, upload: str) -> None:
    content = noise(LARGE)
    sizes = [await store.append(upload, 0, body(content[:10]))]
    sizes.append(await store.append(upload, sizes[-1], pieces(content[10 : 2 << 20])))
    sizes.append(await store.append(upload, sizes[-1], pieces(content[2 << 20 :])))

    assert sizes == [10, 2 << 20, LARGE]
    assert await store.digest(upload, LARGE, "sha256") == digest_of(content)


@asynchronous
async def test_bytes_beyond_the_offset_are_dropped(store: BlobStore, upload: str) -> None:
    """They belong to a request that was never acknowledged, so the client sends its own version of them again."""
    await store.append(upload, 0, body(b"kept"))
    await store.append(upload, 4, body(b"dropped", b" and longer"))

    assert await store.append(upload, 4, body(b" new")) == 8
    assert await store.digest(upload, 8, "sha256") == digest_of(b"kept new")
    assert await store.content(await store.commit(upload, digest_of(b"kept new"), 8)) == b"kept new"


@asynchronous
async def test_an_empty_append_after_the_offset_drops_later_bytes(store: BlobStore, upload: str) -> None:
    await store.append(upload, 0, body(b"kept"))
    await store.append(upload, 4, body(b" and dropped"))

    assert await store.append(upload, 4, body()) == 4
    assert await store.digest(upload, 4, "sha256") == digest_of(b"kept")
    with pytest.raises(UploadMissing):
        await store.digest(upload, 5, "sha256")


@asynchronous
async def test_the_digest_of_the_first_bytes_ignores_later_ones(store: BlobStore, upload: str) -> None:
    await store.append(upload, 0, body(b"acknowledged"))
    await store.append(upload, 12, body(b" and not"))

    assert await store.digest(upload, 12, "sha256") == digest_of(b"acknowledged")


@asynchronous
async def test_commit_makes_a_blob_of_the_first_bytes_only(store: BlobStore, upload: str) -> None:
    await store.append(upload, 0, body(b"acknowledged"))
    await store.append(upload, 12, body(b" and not"))

    key = await store.commit(upload, digest_of(b"acknowledged"), 12)

    assert await store.content(key) == b"acknowledged"


@asynchronous
async def test_another_process_continues_an_upload(store: BlobStore, other: BlobStore, upload: str) -> None:
    content = noise(LARGE)
    await store.append(upload, 0, pieces(content[:1_000_000]))
    await other.append(upload, 1_000_000, pieces(content[1_000_000:1_500_000]))
    await store.append(upload, 1_500_000, pieces(content[1_500_000:]))

    assert await other.digest(upload, LARGE, "sha256") == digest_of(content)
    assert await store.digest(upload, LARGE, "sha256") == digest_of(content)
    key = await other.commit(upload, digest_of(content), LARGE)
    assert await store.content(key) == content


@asynchronous
async def test_bytes_that_another_process_overwrote_have_the_new_digest(
    store: BlobStore, other: BlobStore, upload: str
) -> None:
    """The first process still has the digest of its own bytes, of the same length, in memory."""
    await store.append(upload, 0, body(b"first"))
    await other.append(upload, 0, body(b"other"))

    assert await store.digest(upload, 5, "sha256") == digest_of(b"other")
    await store.append(upload, 5, body(b" bytes"))
    assert await store.digest(upload, 11, "sha256") == digest_of(b"other bytes")


@asynchronous
async def test_bytes_that_changed_after_the_digest_was_compared_never_become_a_blob(
    store: BlobStore, other: BlobStore, upload: str
) -> None:
    """A client that sends two concurrent requests must not get bytes stored under a digest of other bytes."""
    await store.append(upload, 0, body(b"first"))
    digest = await store.digest(upload, 5, "sha256")
    await other.append(upload, 0, body(b"other"))

    with pytest.raises(UploadMissing):
        await store.commit(upload, digest, 5)
    assert await store.digest(upload, 5, "sha256") == digest_of(b"other")


@pytest.mark.parametrize("chunks", [[b"short"], [noise(CHUNK_BYTES)] * 3])
@asynchronous
async def test_a_truncated_body_leaves_nothing(store: BlobStore, upload: str, chunks: Sequence[bytes]) -> None:
    await store.append(upload, 0, body(b"kept"))

    with pytest.raises(ConnectionResetError):
        await store.append(upload, 4, broken_body(*chunks))

    with pytest.raises(UploadMissing):
        await store.digest(upload, 5, "sha256")
    assert await store.append(upload, 4, body(b" more")) == 9
    assert await store.digest(upload, 9, "sha256") == digest_of(b"kept more")


@asynchronous
async def test_a_cancelled_append_leaves_nothing_and_does_not_block_the_next(store: BlobStore, upload: str) -> None:
    await store.append(upload, 0, body(b"kept"))
    chunks = PausingBody(noise(CHUNK_BYTES), b"never")
    request = asyncio.create_task(store.append(upload, 4, aiter(chunks)))
    await chunks.paused.wait()

    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request

    assert await store.append(upload, 4, body(b" more")) == 9
    assert await store.digest(upload, 9, "sha256") == digest_of(b"kept more")


@pytest.mark.parametrize("moment", range(12))
@asynchronous
async def test_an_append_that_is_cancelled_at_any_moment_can_be_repeated(
    store: BlobStore, upload: str, moment: int
) -> None:
    content = noise(2 * CHUNK_BYTES)
    request = asyncio.create_task(store.append(upload, 0, pieces(content)))
    for _ in range(moment**2):
        await asyncio.sleep(0)
    request.cancel()
    await asyncio.wait((request,))

    assert await store.append(upload, 0, pieces(content)) == len(content)
    assert await store.digest(upload, len(content), "sha256") == digest_of(content)


@pytest.mark.parametrize("content", [b"small", noise(CHUNK_BYTES)])
@asynchronous
async def test_a_gap_before_the_offset_is_rejected(store: BlobStore, upload: str, content: bytes) -> None:
    with pytest.raises(UploadMissing):
        await store.append(upload, 1, body(content))
    await store.append(upload, 0, body(b"four"))
    with pytest.raises(UploadMissing):
        await store.append(upload, 5, body(content))

    assert await store.digest(upload, 4, "sha256") == digest_of(b"four")


@asynchronous
async def test_one_of_two_concurrent_appends_is_rejected(store: BlobStore, other: BlobStore, upload: str) -> None:
    """The store decides which one: the second if the first holds a lock, otherwise the slower one."""
    chunks = PausingBody(noise(CHUNK_BYTES), b"end")
    first = asyncio.create_task(store.append(upload, 0, aiter(chunks)))
    await chunks.paused.wait()
    second = (await asyncio.gather(other.append(upload, 0, body(b"second")), return_exceptions=True))[0]
    with pytest.raises((UploadBusy, UploadMissing)):
        await other.commit(upload, digest_of(b""), 1)
    chunks.resume.set()
    outcomes = [second, (await asyncio.gather(first, return_exceptions=True))[0]]

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["UploadBusy", "int"]
    content = b"second" if second == 6 else noise(CHUNK_BYTES) + b"end"
    assert await other.digest(upload, len(content), "sha256") == digest_of(content)


@pytest.mark.parametrize("kept", [b"", b"kept"])
@asynchronous
async def test_a_small_body_that_was_overtaken_while_it_arrived_is_rejected(
    store: BlobStore, other: BlobStore, upload: str, kept: bytes
) -> None:
    """Its offset is out of date: it would overwrite acknowledged bytes."""
    if kept:
        await store.append(upload, 0, body(kept))
    slow = PausingBody(b"ol", b"d")
    request = asyncio.create_task(store.append(upload, len(kept), aiter(slow)))
    await slow.paused.wait()
    size = await other.append(upload, len(kept), body(b"acknowledged"))
    slow.resume.set()

    with pytest.raises(UploadBusy):
        await request
    assert await store.digest(upload, size, "sha256") == digest_of(kept + b"acknowledged")


def append_until_killed(kind: str, place: Path, upload: str, offset: int) -> None:
    failpoints.arm("U2=kill:3")
    with STORES[kind](place) as store:
        asyncio.run(store.append(upload, offset, body(*[noise(CHUNK_BYTES)] * 20)))


@asynchronous
async def test_an_upload_whose_process_was_killed_continues(
    kind: str, tmp_path: Path, store: BlobStore, upload: str
) -> None:
    """Its lock is released, and its unacknowledged bytes are gone."""
    await store.append(upload, 0, body(b"kept"))
    process = multiprocessing.get_context("spawn").Process(target=append_until_killed, args=(kind, tmp_path, upload, 4))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL

    assert await store.digest(upload, 4, "sha256") == digest_of(b"kept")
    assert await store.append(upload, 4, body(b" more")) == 9
    assert await store.digest(upload, 9, "sha256") == digest_of(b"kept more")
    assert await store.content(await store.commit(upload, digest_of(b"kept more"), 9)) == b"kept more"


@asynchronous
async def test_an_abandoned_upload_is_gone(store: BlobStore, other: BlobStore, upload: str) -> None:
    await store.append(upload, 0, body(b"content"))
    await other.abandon(upload)

    with pytest.raises(UploadMissing):
        await store.digest(upload, 7, "sha256")
    with pytest.raises(UploadMissing):
        await store.append(upload, 7, body(b"more"))
    with pytest.raises(UploadMissing):
        await store.commit(upload, digest_of(b"content"), 7)


@asynchronous
async def test_abandoning_twice_or_a_missing_upload_succeeds(store: BlobStore, upload: str) -> None:
    await store.abandon(upload)
    await store.append(upload, 0, body(b"content"))
    await store.abandon(upload)
    await store.abandon(upload)


@asynchronous
async def test_an_append_whose_upload_was_abandoned_meanwhile_is_not_acknowledged(
    store: BlobStore, other: BlobStore, upload: str
) -> None:
    await store.append(upload, 0, body(b"kept"))
    chunks = PausingBody(noise(CHUNK_BYTES), b"end")
    request = asyncio.create_task(store.append(upload, 4, aiter(chunks)))
    await chunks.paused.wait()
    await other.abandon(upload)
    chunks.resume.set()

    with pytest.raises(UploadMissing):
        await request


@pytest.mark.parametrize("upload", ["", ".", "../uploads", "a/b", _UPLOAD.upper(), f"{_UPLOAD}\n"])
@asynchronous
async def test_an_invalid_upload_id_names_no_upload(store: BlobStore, upload: str) -> None:
    with pytest.raises(UploadMissing):
        await store.append(upload, 0, body(b"content"))
    with pytest.raises(UploadMissing):
        await store.digest(upload, 7, "sha256")
    with pytest.raises(UploadMissing):
        await store.commit(upload, digest_of(b"content"), 7)
    await store.abandon(upload)


Appends = list[tuple[int, str, int]]


@settings(max_examples=25, deadline=None)
@given(
    appends=st.lists(
        st.tuples(
            st.integers(0, 1),
            st.sampled_from(["all", "all", "all", "all but the newest", "nothing"]),
            st.one_of(st.integers(0, 5_000), st.integers(0, 700_000)),
        ),
        max_size=8,
    ),
    algorithm=st.sampled_from(["sha256", "sha512"]),
)
def test_any_history_of_appends_in_two_processes_has_the_digest_of_the_remaining_bytes(
    kind: str, shared_place: Path, appends: Appends, algorithm: str
) -> None:
    """Each append goes to one of two processes and keeps the bytes of an earlier one (most often the newest)."""
    with STORES[kind](shared_place) as first, STORES[kind](shared_place) as second:
        asyncio.run(replay([first, second], appends, algorithm))


async def replay(stores: Sequence[BlobStore], appends: Appends, algorithm: str) -> None:
    upload, contents = new_upload(), [b"", b""]
    for number, (side, kept, size) in enumerate(appends):
        addition = noise(size, b"%d" % number)
        before = {"all": contents[-1], "all but the newest": contents[-2], "nothing": b""}[kept]
        added = await stores[side].append(upload, len(before), pieces(addition, 50_000), algorithm)
        assert added == len(before) + size
        contents = [before, before + addition]
        if number % 3 == 2:
            found = await stores[1 - side].digest(upload, len(contents[-1]), algorithm)
            assert found == digest_of(contents[-1], algorithm)
    content = contents[-1]
    for store in stores:
        assert await store.digest(upload, len(content), algorithm) == digest_of(content, algorithm)
    key = await stores[0].commit(upload, digest_of(content, algorithm), len(content))
    assert await stores[1].content(key) == content
    await released(*stores)
