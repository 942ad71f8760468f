"""An object store that fails: every fault ends in success after another attempt, or in a clear refusal."""

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
"""So that what stays wrong is refused within a second, not after those that docs/storage.md says."""

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
def gate(object_store: ObjectStore) -> Iterator[Proxy]:
    with proxy_before(object_store.port) as one:
        yield one


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    migrate(tmp_path / "moorage.db")
    with ExitStack() as stack:
        opened = SqliteDatabase(tmp_path / "moorage.db")
        opened.start()
        stack.callback(opened.close)
        yield opened


@pytest.fixture
def store(object_store: ObjectStore, gate: Proxy, tmp_path: Path, database: SqliteDatabase) -> S3BlobStore:
    return store_in(object_store, tmp_path, database, port=gate.port, timeouts=PATIENT)


@pytest.fixture
def hasty(object_store: ObjectStore, gate: Proxy, tmp_path: Path, database: SqliteDatabase) -> S3BlobStore:
    """Another process on the same store, which gives up soon."""
    return store_in(object_store, tmp_path, database, port=gate.port, timeouts=HASTY)


@pytest.fixture
def upload() -> str:
    return new_upload()


async def pushed(store: S3BlobStore, upload: str) -> str:
    await store.append(upload, 0, pieces(LARGE, MIB))
    return await store.commit(upload, digest_of(LARGE), SIZE)


@pytest.mark.parametrize(("request_kind", "fault"), [*(("part", fault) for fault in PASSING), *AT_OTHER_REQUESTS])
@asynchronous
async def test_a_fault_that_passes_is_not_noticed(
    store: S3BlobStore, gate: Proxy, upload: str, request_kind: str, fault: str
) -> None:
    gate.fail(*REQUESTS[request_kind], PASSING[fault], times=1)

    key = await pushed(store, upload)

    assert gate.hits == 1
    assert await bytes_of(store, key, 0, SIZE) == LARGE


@pytest.mark.parametrize("request_kind", ["begin", "complete"])
@asynchronous
async def test_an_error_under_status_200_is_an_error(
    store: S3BlobStore, gate: Proxy, upload: str, request_kind: str
) -> None:
    """S3 begins to answer before it has completed an upload (API reference, CompleteMultipartUpload)."""
    gate.fail(*REQUESTS[request_kind], proxy.answer(200, "InternalError"), times=1)

    key = await pushed(store, upload)

    assert gate.hits == 1
    assert await bytes_of(store, key, 0, SIZE) == LARGE


@pytest.mark.parametrize(("request_kind", "fault"), STAYING)
@asynchronous
async def test_a_fault_that_stays_is_a_refusal_and_the_upload_goes_on_later(
    store: S3BlobStore, hasty: S3BlobStore, gate: Proxy, upload: str, request_kind: str, fault: str
) -> None:
    await store.append(upload, 0, body(LARGE[:MIB]))
    gate.fail(*REQUESTS[request_kind], PASSING[fault])

    with pytest.raises(Unavailable, match="object store is not available"):
        await rest(hasty, upload)
    gate.heal()

    key = await rest(store, upload)
    assert await bytes_of(store, key, 0, SIZE) == LARGE


async def rest(store: S3BlobStore, upload: str) -> str:
    await store.append(upload, MIB, pieces(LARGE[MIB:], MIB))
    return await store.commit(upload, digest_of(LARGE), SIZE)


@pytest.mark.parametrize("status", [400, 200])
@asynchronous
async def test_a_part_that_the_store_lost_ends_the_upload(
    store: S3BlobStore, gate: Proxy, upload: str, status: int
) -> None:
    gate.fail("POST", "uploadId=", proxy.answer(status, "InvalidPart"))

    with pytest.raises(UploadMissing):
        await pushed(store, upload)


@asynchronous
async def test_an_object_of_another_size_never_becomes_a_blob(store: S3BlobStore, gate: Proxy, upload: str) -> None:
    """The store says yes to completing, and has made nothing."""
    gate.fail("POST", "uploadId=", proxy.answer(200))

    with pytest.raises(UploadMissing):
        await pushed(store, upload)


@pytest.mark.parametrize(
    ("code", "status"), [("AccessDenied", 403), ("NoSuchBucket", 404), ("InvalidAccessKeyId", 403)]
)
@asynchronous
async def test_a_store_that_refuses_is_told_at_once_with_its_code(
    store: S3BlobStore, gate: Proxy, upload: str, code: str, status: int
) -> None:
    gate.fail("PUT", "", proxy.answer(status, code))

    with pytest.raises(Unavailable, match=code):
        await store.append(upload, 0, body(b"content"))
    assert gate.hits == 1


@pytest.mark.parametrize(("code", "status"), [("QuotaExceeded", 403), ("", 507)])
@asynchronous
async def test_a_full_store_is_full(store: S3BlobStore, gate: Proxy, upload: str, code: str, status: int) -> None:
    gate.fail("PUT", "", proxy.answer(status, code))

    with pytest.raises(StoreFull):
        await store.append(upload, 0, body(b"content"))


@asynchronous
async def test_nobody_there_is_a_refusal(
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
async def test_a_read_is_tried_again_and_refused_in_the_end(
    store: S3BlobStore, hasty: S3BlobStore, gate: Proxy, fault: str
) -> None:
    key = await committed(store, LARGE)
    gate.fail("GET", "", PASSING[fault], times=1)
    assert await bytes_of(store, key, 5, SIZE) == LARGE[5:]
    gate.fail("GET", "", PASSING[fault], times=1)
    assert await store.content(key) == LARGE

    gate.fail("GET", "", PASSING[fault])
    with pytest.raises(Unavailable):
        await bytes_of(hasty, key, 0, SIZE)
    with pytest.raises(Unavailable):
        await hasty.content(key)


@asynchronous
async def test_a_read_that_breaks_goes_on_where_it_was(store: S3BlobStore, gate: Proxy) -> None:
    key = await committed(store, LARGE)
    gate.fail("GET", "", proxy.cut_answer, times=5)

    assert await bytes_of(store, key, 0, SIZE) == LARGE
    assert gate.hits == 5


@asynchronous
async def test_a_blob_that_is_gone_is_missing_and_nothing_is_tried_again(store: S3BlobStore, gate: Proxy) -> None:
    key = await committed(store, LARGE)
    gate.fail("GET", "", proxy.answer(404, "NoSuchKey"))

    with pytest.raises(BlobMissing):
        await bytes_of(store, key, 0, SIZE)
    with pytest.raises(BlobMissing):
        await store.content(key)
    assert gate.hits == 2


@asynchronous
async def test_a_store_that_ignores_ranges_gives_no_wrong_bytes(
    store: S3BlobStore, hasty: S3BlobStore, gate: Proxy
) -> None:
    key = await committed(store, LARGE)
    gate.fail("GET", "", proxy.answer(200))

    with pytest.raises(Unavailable):
        await bytes_of(hasty, key, 5, SIZE)


@asynchronous
async def test_what_could_not_be_removed_is_removed_at_the_next_attempt(
    store: S3BlobStore, hasty: S3BlobStore, gate: Proxy, upload: str, object_store: ObjectStore, tmp_path: Path
) -> None:
    """The notes go last, so that nothing is left that nobody knows of."""
    await store.append(upload, 0, pieces(LARGE, MIB))
    gate.fail("POST", "delete=", proxy.answer(503, "SlowDown"))
    gate.fail("DELETE", "", proxy.answer(503, "SlowDown"))
    with pytest.raises(Unavailable):
        await hasty.abandon(upload)
    gate.heal()

    await store.abandon(upload)

    assert object_store.keys(prefix_of(tmp_path)) == object_store.uploads(prefix_of(tmp_path)) == []


@asynchronous
async def test_a_batch_that_was_deleted_in_part_is_an_error(store: S3BlobStore, gate: Proxy) -> None:
    key = await committed(store, b"content")
    gate.fail("POST", "delete=", proxy.answer(200, "AccessDenied"))

    with pytest.raises(Unavailable, match="AccessDenied"):
        await store.delete(key)


@asynchronous
async def test_a_client_that_goes_away_while_the_store_fails_leaves_an_upload_that_can_go_on(
    store: S3BlobStore, gate: Proxy, upload: str
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        async for chunk in pieces(LARGE, MIB):
            yield chunk
        raise ConnectionResetError

    gate.fail("PUT", "partNumber=", proxy.be_silent, times=1)
    with pytest.raises(ConnectionResetError):
        await store.append(upload, 0, broken())

    assert await bytes_of(store, await pushed(store, upload), 0, SIZE) == LARGE
