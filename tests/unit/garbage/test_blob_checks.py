"""Blobs are compared with their digests several at a time: in batches, in order, and with few switches to threads."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from moorage.adapters.files.blob_store import FileBlobStore
from moorage.core.garbage.blob_checks import BlobChecks, Result
from moorage.core.pacing import RateLimit
from moorage.domain.ports import BlobMissing, SmallBlob
from moorage.metadata.garbage.verification import BlobRow

LARGE = b"large" * 100_000


class CountedStore(FileBlobStore):
    """Counts the switches to a thread, and the most reads that were in progress at once."""

    batches = 0
    reads = 0
    reading = 0
    most = 0

    async def digests(self, blobs: Sequence[SmallBlob]) -> list[str | BlobMissing | OSError]:
        self.batches += 1
        return await super().digests(blobs)

    async def read(self, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        self.reads += 1
        self.reading += 1
        self.most = max(self.most, self.reading)
        try:
            async for chunk in super().read(key, start, stop):
                yield chunk
        finally:
            self.reading -= 1


def add(folder: Path, content: bytes, number: int) -> BlobRow:
    found = hashlib.sha256(content).hexdigest()
    key = f"blobs/sha256/{found[:2]}/{found}-{uuid.UUID(int=number)}"
    (folder / key).parent.mkdir(parents=True, exist_ok=True)
    (folder / key).write_bytes(content)
    return BlobRow(number, f"sha256:{found}", len(content), key, False, None)


def check(store: CountedStore, rows: Sequence[BlobRow], *, in_batches: bool = True) -> tuple[list[Result], int]:
    """The results, and the bytes that were read."""
    read: list[int] = []

    async def source() -> AsyncIterator[BlobRow]:
        for row in rows:
            yield row

    async def run() -> list[Result]:
        checks = BlobChecks(store, store if in_batches else None, RateLimit(None), read.append)
        return [result async for result in checks.results(source())]

    try:
        return asyncio.run(run()), sum(read)
    finally:
        store.close()


def test_small_blobs_are_read_in_batches_with_one_switch_for_each(tmp_path: Path) -> None:
    rows = [add(tmp_path, f"blob {number}".encode(), number) for number in range(1000)]
    store = CountedStore(tmp_path)

    results, read = check(store, rows)

    assert results == [(row, None) for row in rows]
    assert (store.batches, store.reads) == (16, 0)
    assert read == sum(row.size for row in rows)


@pytest.mark.parametrize("in_batches", [True, False])
def test_damage_of_every_kind_is_described_in_the_order_of_the_rows(tmp_path: Path, in_batches: bool) -> None:
    rows = [
        add(tmp_path, content, number) for number, content in enumerate([b"a", b"bb", LARGE, b"cc", b"", b"dd", b"e"])
    ]
    (tmp_path / rows[0].key).write_bytes(b"x")
    (tmp_path / rows[1].key).unlink()
    (tmp_path / rows[2].key).write_bytes(LARGE[:-1])
    (tmp_path / rows[3].key).write_bytes(b"c")
    rows[6] = BlobRow(6, rows[6].digest, 1, "no key of this store", False, None)

    results, _ = check(CountedStore(tmp_path), rows, in_batches=in_batches)

    assert results == [
        (rows[0], f"its bytes have the digest {hashlib.sha256(b'x').hexdigest()}"),
        (rows[1], "missing"),
        (rows[2], f"cannot be read: ends at byte {len(LARGE) - 1}"),
        (rows[3], "cannot be read: ends at byte 1"),
        (rows[4], None),
        (rows[5], None),
        (rows[6], "missing"),
    ]


@pytest.mark.parametrize(("in_batches", "most"), [(True, 4), (False, 16)])
def test_few_large_blobs_are_read_at_the_same_time(tmp_path: Path, in_batches: bool, most: int) -> None:
    rows = [add(tmp_path, LARGE + bytes([number]), number) for number in range(40)]
    store = CountedStore(tmp_path)

    results, _ = check(store, rows, in_batches=in_batches)

    assert results == [(row, None) for row in rows]
    assert (store.reads, store.most <= most, store.most > 1) == (40, True, True)


def test_an_error_that_says_nothing_of_the_bytes_ends_the_verification(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [add(tmp_path, b"a", 1)]
    real = os.open

    def refuse(path: object, *rest: int, **more: int) -> int:
        if str(path).endswith(rows[0].key):
            raise OSError(errno.EMFILE, "Too many open files")
        return real(str(path), *rest, **more)

    monkeypatch.setattr(os, "open", refuse)

    with pytest.raises(OSError, match="Too many open files"):
        check(CountedStore(tmp_path), rows)
