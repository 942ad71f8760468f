"""The stores under test, and helpers for their tests."""

from __future__ import annotations

import asyncio
import hashlib
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path

from moorage.adapters.files.blob_store import FileBlobStore
from moorage.adapters.s3.blob_store import S3BlobStore
from moorage.adapters.s3.client import DEFAULT_TIMEOUTS, S3Client, Timeouts
from moorage.adapters.s3.objects import Objects
from moorage.adapters.s3.signing import Signer
from moorage.domain.buckets import Bucket, BucketKey
from moorage.domain.ports import CHUNK_BYTES, BlobStore
from moorage.metadata.engines.sqlite.database import SqliteDatabase
from moorage.metadata.engines.sqlite.schema import migrate
from moorage.metadata.registry.upload_states import StoredUploadStates
from tests.support.object_store import KEY_ID, SECRET, ObjectStore

LARGE = 3 * CHUNK_BYTES + 12_345


@contextmanager
def file_store(place: Path) -> Iterator[BlobStore]:
    store = FileBlobStore(place)
    store.prepare()
    try:
        yield store
    finally:
        store.close()


@contextmanager
def s3_store(place: Path) -> Iterator[BlobStore]:
    """A store with its own prefix for objects and rows. `OBJECT_STORE_PORT` is the port of the S3 server."""
    migrate(place / "moorage.db")
    database = SqliteDatabase(place / "moorage.db")
    database.start()
    try:
        yield store_in(ObjectStore(int(os.environ[OBJECT_STORE_PORT])), place, database)
    finally:
        database.close()


def store_in(
    server: ObjectStore,
    place: Path,
    database: SqliteDatabase,
    *,
    port: int | None = None,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
) -> S3BlobStore:
    """A store whose keys have the prefix of that place. `port` is that of a proxy in front of the store."""
    bucket = Bucket.parse(server.setting(prefix_of(place), port))
    objects = Objects(S3Client(Signer(bucket, BucketKey(KEY_ID, SECRET)), timeouts), bucket.prefix)
    return S3BlobStore(objects, StoredUploadStates(database))


def prefix_of(place: Path) -> str:
    return f"contract/{hashlib.sha256(str(place).encode()).hexdigest()[:16]}"


OBJECT_STORE_PORT = "MOORAGE_TESTS_OBJECT_STORE_PORT"
STORES = {"files": file_store, "s3": s3_store, "radosgw": s3_store}


async def released(*stores: object) -> None:
    """Close what belongs to the event loop that is about to end."""
    for store in stores:
        if isinstance(store, S3BlobStore):
            await store.close()


def new_upload() -> str:
    return str(uuid.uuid4())


def asynchronous(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test that is a coroutine function."""

    @wraps(test)
    def run(**fixtures: object) -> None:
        async def scenario() -> None:
            try:
                await test(**fixtures)
            finally:
                await released(*fixtures.values())

        asyncio.run(scenario())

    return run


async def body(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


def pieces(content: bytes, size: int = 64 << 10) -> AsyncIterator[bytes]:
    return body(*(content[start : start + size] for start in range(0, len(content), size)))


async def broken_body(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    raise ConnectionResetError("the client went away")


class PausingBody:
    """A body that stops after its first chunk until the test lets it continue."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = chunks
        self.paused = asyncio.Event()
        self.resume = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for number, chunk in enumerate(self._chunks):
            if number == 1:
                self.paused.set()
                await self.resume.wait()
            yield chunk


def noise(size: int, seed: bytes = b"") -> bytes:
    return hashlib.shake_128(seed).digest(size)


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


async def committed(store: BlobStore, content: bytes) -> str:
    upload = new_upload()
    size = await store.append(upload, 0, pieces(content))
    return await store.commit(upload, digest_of(content), size)


async def bytes_of(store: BlobStore, key: str, start: int, stop: int) -> bytes:
    return b"".join([chunk async for chunk in store.read(key, start, stop)])
