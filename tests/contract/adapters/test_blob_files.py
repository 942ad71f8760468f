"""Blobs in local files: the layout, crashes between its steps, and full or failing disks."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import multiprocessing
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from moorage import failpoints
from moorage.adapters.disk_space import DiskSpace
from moorage.adapters.files import durable
from moorage.adapters.files.blob_store import FileBlobStore
from moorage.adapters.files.running_digests import DigestRecord, RunningDigest, RunningDigests, read_record
from moorage.domain.ports import BlobMissing, FileLink, StoreFull, UploadMissing
from tests.support.disks import small_disk

MIB = 1 << 20
UPLOAD = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def store(root: Path) -> Iterator[FileBlobStore]:
    yield from opened(root)


def opened(root: Path) -> Iterator[FileBlobStore]:
    store = FileBlobStore(root, DiskSpace(root, 0))
    store.prepare()
    yield store
    store.close()


async def body(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def append(store: FileBlobStore, offset: int, *chunks: bytes) -> int:
    return asyncio.run(store.append(UPLOAD, offset, body(*chunks)))


def digest(store: FileBlobStore, size: int) -> str:
    return asyncio.run(store.digest(UPLOAD, size, "sha256"))


def commit(store: FileBlobStore, content: bytes) -> str:
    return asyncio.run(store.commit(UPLOAD, sha256(content), len(content)))


def files_below(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_the_key_is_the_path_of_the_blob_and_no_other_file_remains(root: Path, store: FileBlobStore) -> None:
    append(store, 0, b"content")
    assert files_below(root) == {f"uploads/{UPLOAD}"}

    key = commit(store, b"content")

    encoded = sha256(b"content").partition(":")[2]
    assert key == f"blobs/sha256/{encoded[:2]}/{encoded}-{UPLOAD}"
    assert files_below(root) == {key}
    assert store.link(key) == FileLink(root / key)


def test_preparing_creates_the_folders_of_sha256_and_can_be_repeated(root: Path, store: FileBlobStore) -> None:
    store.prepare()

    assert sum(path.is_dir() for path in root.glob("blobs/*/*")) == 256


def test_a_commit_creates_a_folder_of_sha512_durably(
    monkeypatch: pytest.MonkeyPatch, root: Path, store: FileBlobStore
) -> None:
    synced: list[Path] = []
    append(store, 0, b"content")
    monkeypatch.setattr(durable, "sync_folder", synced.append)
    digest = f"sha512:{hashlib.sha512(b'content').hexdigest()}"

    key = asyncio.run(store.commit(UPLOAD, digest, len(b"content")))

    assert asyncio.run(store.content(key)) == b"content"
    assert synced == [root / "blobs" / "sha512", (root / key).parent]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "uploads/" + UPLOAD,
        f"blobs/sha256/ab/{'a' * 64}-{UPLOAD}",
        f"blobs/sha256/aa/{'a' * 63}-{UPLOAD}",
        f"blobs/sha256/aa/{'a' * 128}-{UPLOAD}",
        f"blobs/sha512/aa/{'a' * 64}-{UPLOAD}",
        f"blobs/sha256/aa/{'a' * 64}-{UPLOAD}/..",
        f"blobs/sha256/aa/{'a' * 64}",
        f"/blobs/sha256/aa/{'a' * 64}-{UPLOAD}",
    ],
)
def test_an_invalid_key_never_becomes_a_path(store: FileBlobStore, key: str) -> None:
    with pytest.raises(BlobMissing):
        store.link(key)
    with pytest.raises(BlobMissing):
        asyncio.run(store.content(key))
    with pytest.raises(BlobMissing):
        asyncio.run(store.delete(key))


def test_an_invalid_digest_never_becomes_a_path(store: FileBlobStore) -> None:
    with pytest.raises(ValueError, match="not a digest"):
        asyncio.run(store.commit(UPLOAD, "sha256:../../" + "a" * 58, 1))


def push_until_killed(root: Path, point: str) -> None:
    failpoints.arm(point)
    store = FileBlobStore(root)
    append(store, 0, b"content")
    commit(store, b"content")


def push_with_a_crash(root: Path, point: str) -> None:
    process = multiprocessing.get_context("spawn").Process(target=push_until_killed, args=(root, f"{point}=kill"))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("point", ["U7", "U8", "U9"])
def test_a_commit_that_was_killed_is_completed_by_repeating_it(root: Path, store: FileBlobStore, point: str) -> None:
    push_with_a_crash(root, point)

    key = commit(store, b"content")

    assert asyncio.run(store.content(key)) == b"content"
    assert files_below(root) == {key}


@pytest.mark.parametrize("point", ["U2", "U3"])
def test_an_append_that_was_killed_is_completed_by_repeating_it(root: Path, store: FileBlobStore, point: str) -> None:
    push_with_a_crash(root, point)
    assert files_below(root) == {f"uploads/{UPLOAD}"}

    assert append(store, 0, b"content") == 7
    assert asyncio.run(store.content(commit(store, b"content"))) == b"content"


def test_a_file_that_became_a_blob_before_it_was_locked_is_not_written_to(
    monkeypatch: pytest.MonkeyPatch, store: FileBlobStore
) -> None:
    append(store, 0, b"content")
    keys = []
    real = fcntl.flock

    def commit_and_lock(descriptor: int, operation: int) -> None:
        monkeypatch.undo()
        keys.append(commit(store, b"content"))
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", commit_and_lock)
    with pytest.raises(UploadMissing):
        append(store, 0, b"another")

    assert asyncio.run(store.content(keys[0])) == b"content"


@pytest.fixture
def disk() -> Iterator[Path]:
    with small_disk(4) as place:
        yield place


@pytest.mark.parametrize("chunks", [[b"x" * MIB] * 8, [b"x" * (200 << 10)]])
def test_a_full_disk_rejects_new_bytes_and_keeps_the_stored_ones(disk: Path, chunks: list[bytes]) -> None:
    for store in opened(disk):
        key = asyncio.run(store_blob(store, b"y" * 2 * MIB))
        append(store, 0, b"x" * (1900 << 10))

        with pytest.raises(StoreFull):
            append(store, 1900 << 10, *chunks)

        assert (disk / "uploads" / UPLOAD).stat().st_size == 1900 << 10
        assert digest(store, 1900 << 10) == sha256(b"x" * (1900 << 10))
        assert asyncio.run(store.content(key)) == b"y" * 2 * MIB
        asyncio.run(store.delete(key))
        assert append(store, 1900 << 10, b"x" * MIB) == (1900 << 10) + MIB


async def store_blob(store: FileBlobStore, content: bytes) -> str:
    upload = str(uuid.uuid4())
    size = await store.append(upload, 0, body(content))
    return await store.commit(upload, sha256(content), size)


@pytest.mark.parametrize("chunks", [[b"small"], [b"x" * MIB] * 3])
@pytest.mark.parametrize(("number", "failure"), [(errno.EIO, OSError), (errno.ENOSPC, StoreFull)])
def test_a_sync_that_fails_discards_the_upload(
    monkeypatch: pytest.MonkeyPatch,
    store: FileBlobStore,
    chunks: list[bytes],
    number: int,
    failure: type[Exception],
) -> None:
    """The kernel reports a lost page once. A second sync would succeed and acknowledge bytes that were lost."""
    append(store, 0, b"kept")
    synced = []

    def fail(descriptor: int) -> None:
        synced.append(descriptor)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(failure):
        append(store, 4, *chunks)
    monkeypatch.undo()

    assert len(synced) == 1
    with pytest.raises(UploadMissing):
        append(store, 4, b"more")


@pytest.mark.parametrize("chunks", [[b"small"], [b"x" * MIB] * 8])
def test_a_write_that_fails_discards_the_upload(
    monkeypatch: pytest.MonkeyPatch, root: Path, store: FileBlobStore, chunks: list[bytes]
) -> None:
    append(store, 0, b"kept")

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "pwritev", fail)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        append(store, 4, *chunks)

    assert files_below(root) == set()


def test_a_partial_write_continues_with_the_rest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real, chunks = os.pwritev, [b"one", b"", b"two", b"three and more", b""]

    def take_four_bytes(descriptor: int, buffers: list[bytes], position: int) -> int:
        return real(descriptor, [b"".join(buffers)[:4]], position)

    monkeypatch.setattr(os, "pwritev", take_four_bytes)
    with (tmp_path / "file").open("wb") as file:
        durable.write_all(file.fileno(), chunks, 2)

    assert (tmp_path / "file").read_bytes() == b"\0\0" + b"".join(chunks)


def test_more_buffers_than_the_kernel_accepts_at_once_are_written(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        durable.write_all(file.fileno(), [b"ab"] * (2 * durable.MAX_BUFFERS + 1), 0)

    assert (tmp_path / "file").stat().st_size == 4 * durable.MAX_BUFFERS + 2


@pytest.fixture
def upload_file(root: Path, store: FileBlobStore) -> Path:
    append(store, 0, b"kept", b" and dropped")
    path = root / "uploads" / UPLOAD
    if read_record(path) is None:
        pytest.skip("no extended attributes here")
    return path


def test_the_record_describes_the_synced_bytes(upload_file: Path, store: FileBlobStore) -> None:
    assert read_record(upload_file) == DigestRecord(16, sha256(b"kept and dropped"))
    append(store, 16, b", or not")
    assert read_record(upload_file) == DigestRecord(24, sha256(b"kept and dropped, or not"))


def test_the_record_of_truncated_bytes_is_removed_first(
    monkeypatch: pytest.MonkeyPatch, upload_file: Path, store: FileBlobStore
) -> None:
    records = []
    real = os.ftruncate

    def look_and_truncate(descriptor: int, size: int) -> None:
        records.append(read_record(descriptor))
        real(descriptor, size)

    monkeypatch.setattr(os, "ftruncate", look_and_truncate)
    append(store, 4, b" and more")

    assert records == [None]
    assert digest(store, 13) == sha256(b"kept and more")


def test_a_file_system_without_extended_attributes_gives_the_same_digests(
    monkeypatch: pytest.MonkeyPatch, store: FileBlobStore
) -> None:
    if sys.platform != "linux":
        pytest.skip("Python has extended attributes on Linux only")

    def unsupported(*_: object) -> bytes:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(os, "getxattr", unsupported)
    monkeypatch.setattr(os, "setxattr", unsupported)
    append(store, 0, b"first")
    append(store, 5, b" second")

    assert digest(store, 12) == sha256(b"first second")
    assert asyncio.run(store.content(commit(store, b"first second"))) == b"first second"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_bytes_that_were_hashed_as_they_arrived_are_not_read_again(
    monkeypatch: pytest.MonkeyPatch, upload_file: Path, store: FileBlobStore, algorithm: str
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "preadv", fail)
    for start, part in (0, b"a" * MIB), (MIB, b"b"), (MIB + 1, b"c" * MIB):
        asyncio.run(store.append(UPLOAD, start, body(part), algorithm))
    name = asyncio.run(store.digest(UPLOAD, 2 * MIB + 1, algorithm))
    asyncio.run(store.commit(UPLOAD, name, 2 * MIB + 1))

    content = b"a" * MIB + b"b" + b"c" * MIB
    assert name == f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
    assert not upload_file.exists()


def test_only_recently_used_uploads_keep_a_running_digest() -> None:
    running = RunningDigests(maximum=2)
    for number, upload in enumerate(["a", "b", "a", "c"]):
        running.keep(upload, RunningDigest(number, hashlib.sha256()))

    assert [running.get(upload) is not None for upload in "abc"] == [True, False, True]


def test_many_slow_uploads_share_the_threads(store: FileBlobStore) -> None:
    """An upload that waits for its client holds no thread, so there can be more uploads than threads."""

    async def scenario() -> list[int]:
        everyone_started = asyncio.Barrier(40)

        async def slow() -> AsyncIterator[bytes]:
            yield b"x" * MIB
            await everyone_started.wait()
            yield b"x"

        return await asyncio.gather(*(store.append(str(uuid.uuid4()), 0, slow()) for _ in range(40)))

    assert asyncio.run(scenario()) == [MIB + 1] * 40
