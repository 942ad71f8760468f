"""Small blobs are read once from the store while they fit into memory; larger ones each time."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from moorage.adapters.files.blob_store import FileBlobStore
from moorage.domain.ports import BlobMissing
from moorage.http.blob_response import BlobResponses
from moorage.http.bodies import RequestBody
from moorage.http.messages import Request, RequestHead
from moorage.http.small_blobs import SMALL_BYTES
from moorage.metadata.registry.layers import Blob
from tests.unit.http.connection import NoBody

UPLOAD = "00000000-0000-4000-8000-{:012d}"


class Store(FileBlobStore):
    """Counts the contents that are read."""

    read_whole = 0

    async def content(self, key: str) -> bytes:
        self.read_whole += 1
        return await super().content(key)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path)
    store.prepare()
    return store


def stored(folder: Path, number: int, size: int) -> Blob:
    """A blob in the folder of a store."""
    content = b"%d" % number * size
    digest = hashlib.sha256(content[:size]).hexdigest()
    key = f"blobs/sha256/{digest[:2]}/{digest}-{UPLOAD.format(number)}"
    (folder / key).write_bytes(content[:size])
    return Blob(id=number, digest=f"sha256:{digest}", size=size, key=key)


async def got(responses: BlobResponses, blob: Blob, *headers: tuple[bytes, bytes]) -> bytes:
    head = RequestHead("GET", b"/", [(b"host", b"r"), *headers])
    return (await responses.response(Request(head, RequestBody(NoBody(), 0), "id"), blob)).body


def test_a_small_blob_is_read_once(store: Store, tmp_path: Path) -> None:
    blob, responses = stored(tmp_path, 1, SMALL_BYTES), BlobResponses(store)

    async def run() -> list[bytes]:
        return [await got(responses, blob), await got(responses, blob, (b"range", b"bytes=1-2"))]

    assert asyncio.run(run()) == [b"1" * SMALL_BYTES, b"11"]
    assert store.read_whole == 1


def test_a_blob_of_another_size_is_missing_each_time(store: Store, tmp_path: Path) -> None:
    blob, responses = stored(tmp_path, 1, 100), BlobResponses(store)
    (tmp_path / blob.key).write_bytes(b"1" * 99)

    async def run() -> None:
        for _ in range(2):
            with pytest.raises(BlobMissing):
                await got(responses, blob)

    asyncio.run(run())
    assert store.read_whole == 2


def test_the_contents_that_are_kept_have_a_bound(store: Store, tmp_path: Path) -> None:
    """4 MiB are less than 300 blobs of 16 KiB: the first ones are read again."""
    blobs, responses = [stored(tmp_path, number, SMALL_BYTES) for number in range(300)], BlobResponses(store)

    async def run() -> None:
        for blob in [*blobs, *blobs[:10]]:
            assert len(await got(responses, blob)) == SMALL_BYTES

    asyncio.run(run())
    assert store.read_whole == 310


def test_blobs_that_are_read_again_and_again_take_their_place_once(store: Store, tmp_path: Path) -> None:
    """Also when several requests miss a blob at the same time."""
    blob, responses = stored(tmp_path, 1, SMALL_BYTES), BlobResponses(store)

    async def run() -> None:
        for _ in range(100):
            await asyncio.gather(*(got(responses, blob) for _ in range(8)))

    asyncio.run(run())
    assert store.read_whole <= 8
