"""An object store that fails: each fault ends with success after a retry, or with a clear refusal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from moorage.adapters.s3.blob_store import S3BlobStore
from moorage.adapters.s3.client import Timeouts
from moorage.domain.errors import Unavailable
from moorage.domain.ports import BlobMissing, StoreFull, UploadMissing
from moorage.metadata.engines.sqlite.database import SqliteDatabase
from moorage.metadata.engines.sqlite.schema import migrate
from tests.contract.blob_store.blob_stores import (
    asynchronous,
    body,
    bytes_of,
    committed,
    digest_of,
    new_upload,
    noise,
    pieces,
    prefix_of,
    store_in,
)
from tests.support import proxy
from tests.support.object_store import ObjectStore
from tests.support.ports import free_port
from tests.support.proxy import Fault, Proxy, proxy_before

MIB = 1 << 20
LARGE = noise(MIB) * 6
SIZE = len(LARGE)

PATIENT = Timeouts(read_seconds=2.0, total_seconds=15.0, min_bytes_per_second=10 * MIB)
HASTY = Timeouts(0.5, 0.3, 0.8, 0.05, min_bytes_per_second=100 * MIB)
"""So permanent faults are reported within a second, not after the time in docs/storage.md."""

PASSING: dict[str, Fault] = {
    "slow down": proxy.answer(503, "SlowDown"),
    "internal error": proxy.answer(500, "InternalError"),
    "bare 502": proxy.answer(502),
    "too many": proxy.answer(429),
    "request timeout": proxy.answer(400, "RequestTimeout"),
    "reset": proxy.reset,
    "request cut": proxy.cut_request,
    "answer lost": proxy.lose_answer,
    "done but 500": proxy.answer_500_when_done,
    "silence": proxy.be_silent,
}
REQUESTS = {"begin": ("POST", "uploads="), "part": ("PUT", "partNumber="), "complete": ("POST", "uploadId=")}
AT_OTHER_REQUESTS = [
    ("begin", "slow down"),
    ("begin", "answer lost"),
    ("complete", "slow down"),
    ("complete", "request cut"),
    ("complete", "answer lost"),
    ("complete", "done but 500"),
]
STAYING = [
    ("begin", "reset"),
    ("part", "slow down"),
    ("part", "request cut"),
    ("part", "silence"),
    ("complete", "internal error"),
    ("complete", "silence"),
]


@pytest.fixture
def store_proxy(object_store: ObjectStore) -> Iterator[Proxy]:
    with proxy_before(object_store.port) as started:
        yield started


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    migrate(tmp_path / "moorage.db")
    with ExitStack() as stack:
        opened = SqliteDatabase(tmp_path / "moorage.db")
        opened.start()
        stack.callback(opened.close)
        yield opened


@pytest.fixture
def store(object_store: ObjectStore, store_proxy: Proxy, tmp_path: Path, database: SqliteDatabase) -> S3BlobStore:
    return store_in(object_store, tmp_path, database, port=store_proxy.port, timeouts=PATIENT)


@pytest.fixture
def hasty(object_store: ObjectStore, store_proxy: Proxy, tmp_path: Path, database: SqliteDatabase) -> S3BlobStore:
    """Another process on the same store, with short timeouts."""
    return store_in(object_store, tmp_path, database, port=store_proxy.port, timeouts=HASTY)


@pytest.fixture
def upload() -> str:
    return new_upload()


async def pushed(store: S3BlobStore, upload: str) -> str:
    await store.append(upload, 0, pieces(LARGE, MIB))
    return await store.commit(upload, digest_of(LARGE), SIZE)


@pytest.mark.parametrize(("request_kind", "fault"), [*(("part", fault) for fault in PASSING), *AT_OTHER_REQUESTS])
@asynchronous
async def test_a_temporary_fault_is_not_noticed(
    store: S3BlobStore, store_proxy: Proxy, upload: str, request_kind: str, fault: str
) -> None:
    store_proxy.fail(*REQUESTS[request_kind], PASSING[fault], times=1)

    key = await pushed(store, upload)

    assert store_proxy.hits == 1
    assert await bytes_of(store, key, 0, SIZE) == LARGE


@pytest.mark.parametrize("request_kind", ["begin", "complete"])
@asynchronous
async def test_an_error_with_status_200_is_an_error(
    store: S3BlobStore, store_proxy: Proxy, upload: str, request_kind: str
) -> None:
    """S3 begins to respond before it has completed an upload (API reference, CompleteMultipartUpload)."""
    store_proxy.fail(*REQUESTS[request_kind], proxy.answer(200, "InternalError"), times=1)

    key = await pushed(store, upload)

    assert store_proxy.hits == 1
    assert await bytes_of(store, key, 0, SIZE) == LARGE


@pytest.mark.parametrize(("request_kind", "fault"), STAYING)
@asynchronous
async def test_a_permanent_fault_is_a_refusal_and_the_upload_continues_later(
    store: S3BlobStore, hasty: S3BlobStore, store_proxy: Proxy, upload: str, request_kind: str, fault: str
) -> None:
    await store.append(upload, 0, body(LARGE[:MIB]))
    store_proxy.fail(*REQUESTS[request_kind], PASSING[fault])

    with pytest.raises(Unavailable, match="object store is not available"):
        await rest(hasty, upload)
    store_proxy.heal()

    key = await rest(store, upload)
    assert await bytes_of(store, key, 0, SIZE) == LARGE


async def rest(store: S3BlobStore, upload: str) -> str:
    await store.append(upload, MIB, pieces(LARGE[MIB:], MIB))
    return await store.commit(upload, digest_of(LARGE), SIZE)


@pytest.mark.parametrize("status", [400, 200])
@asynchronous
async def test_a_part_that_the_store_lost_ends_the_upload(
    store: S3BlobStore, store_proxy: Proxy, upload: str, status: int
) -> None:
    store_proxy.fail("POST", "uploadId=", proxy.answer(status, "InvalidPart"))

    with pytest.raises(UploadMissing):
        await pushed(store, upload)


@asynchronous
async def test_an_object_of_another_size_never_becomes_a_blob(
    store: S3BlobStore, store_proxy: Proxy, upload: str
) -> None:
    """The store confirms the completion and has created nothing."""
    store_proxy.fail("POST", "uploadId=", proxy.answer(200))

    with pytest.raises(UploadMissing):
        await pushed(store, upload)


@pytest.mark.parametrize(
    ("code", "status"), [("AccessDenied", 403), ("NoSuchBucket", 404), ("InvalidAccessKeyId", 403)]
)
@asynchronous
async def test_an_error_of_the_store_is_reported_at_once_with_its_code(
    store: S3BlobStore, store_proxy: Proxy, upload: str, code: str, status: int
) -> None:
    store_proxy.fail("PUT", "", proxy.answer(status, code))

    with pytest.raises(Unavailable, match=code):
        await store.append(upload, 0, body(b"content"))
    assert store_proxy.hits == 1


@pytest.mark.parametrize(("code", "status"), [("QuotaExceeded", 403), ("", 507)])
@asynchronous
async def test_a_full_store_is_reported_as_full(
    store: S3BlobStore, store_proxy: Proxy, upload: str, code: str, status: int
) -> None:
    store_proxy.fail("PUT", "", proxy.answer(status, code))

    with pytest.raises(StoreFull):
        await store.append(upload, 0, body(b"content"))


@asynchronous
async def test_an_unreachable_store_is_a_refusal(
    object_store: ObjectStore, tmp_path: Path, database: SqliteDatabase, upload: str
) -> None:
    nowhere = store_in(object_store, tmp_path, database, port=free_port(), timeouts=HASTY)
    try:
        with pytest.raises(Unavailable):
            await nowhere.append(upload, 0, body(b"content"))
        with pytest.raises(Unavailable):
            await nowhere.content(f"blobs/{upload[:2]}/{upload}-0011223344556677")
    finally:
        await nowhere.close()


@pytest.mark.parametrize("fault", ["slow down", "reset"])
@asynchronous
async def test_a_read_is_retried_and_fails_in_the_end(
    store: S3BlobStore, hasty: S3BlobStore, store_proxy: Proxy, fault: str
) -> None:
    key = await committed(store, LARGE)
    store_proxy.fail("GET", "", PASSING[fault], times=1)
    assert await bytes_of(store, key, 5, SIZE) == LARGE[5:]
    store_proxy.fail("GET", "", PASSING[fault], times=1)
    assert await store.content(key) == LARGE

    store_proxy.fail("GET", "", PASSING[fault])
    with pytest.raises(Unavailable):
        await bytes_of(hasty, key, 0, SIZE)
    with pytest.raises(Unavailable):
        await hasty.content(key)


@asynchronous
async def test_a_broken_read_continues_at_its_position(store: S3BlobStore, store_proxy: Proxy) -> None:
    key = await committed(store, LARGE)
    store_proxy.fail("GET", "", proxy.cut_answer, times=5)

    assert await bytes_of(store, key, 0, SIZE) == LARGE
    assert store_proxy.hits == 5


@asynchronous
async def test_a_missing_blob_is_missing_and_not_retried(store: S3BlobStore, store_proxy: Proxy) -> None:
    key = await committed(store, LARGE)
    store_proxy.fail("GET", "", proxy.answer(404, "NoSuchKey"))

    with pytest.raises(BlobMissing):
        await bytes_of(store, key, 0, SIZE)
    with pytest.raises(BlobMissing):
        await store.content(key)
    assert store_proxy.hits == 2


@asynchronous
async def test_a_store_that_ignores_ranges_gives_no_wrong_bytes(
    store: S3BlobStore, hasty: S3BlobStore, store_proxy: Proxy
) -> None:
    key = await committed(store, LARGE)
    store_proxy.fail("GET", "", proxy.answer(200))

    with pytest.raises(Unavailable):
        await bytes_of(hasty, key, 5, SIZE)


@asynchronous
async def test_objects_that_could_not_be_removed_are_removed_at_the_next_attempt(
    store: S3BlobStore, hasty: S3BlobStore, store_proxy: Proxy, upload: str, object_store: ObjectStore, tmp_path: Path
) -> None:
    """The rows are deleted last, so no object remains without a row."""
    await store.append(upload, 0, pieces(LARGE, MIB))
    store_proxy.fail("POST", "delete=", proxy.answer(503, "SlowDown"))
    store_proxy.fail("DELETE", "", proxy.answer(503, "SlowDown"))
    with pytest.raises(Unavailable):
        await hasty.abandon(upload)
    store_proxy.heal()

    await store.abandon(upload)

    assert object_store.keys(prefix_of(tmp_path)) == object_store.uploads(prefix_of(tmp_path)) == []


@asynchronous
async def test_a_partially_deleted_batch_is_an_error(store: S3BlobStore, store_proxy: Proxy) -> None:
    key = await committed(store, b"content")
    store_proxy.fail("POST", "delete=", proxy.answer(200, "AccessDenied"))

    with pytest.raises(Unavailable, match="AccessDenied"):
        await store.delete(key)


@asynchronous
async def test_an_upload_continues_after_its_client_disconnected_while_the_store_failed(
    store: S3BlobStore, store_proxy: Proxy, upload: str
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        async for chunk in pieces(LARGE, MIB):
            yield chunk
        raise ConnectionResetError

    store_proxy.fail("PUT", "partNumber=", proxy.be_silent, times=1)
    with pytest.raises(ConnectionResetError):
        await store.append(upload, 0, broken())

    assert await bytes_of(store, await pushed(store, upload), 0, SIZE) == LARGE
