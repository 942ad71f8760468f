"""Blobs as files on a local disk.

    ROOT/uploads/UPLOAD                     an upload, until it is committed or abandoned
    ROOT/blobs/sha256/ab/abcd…-UPLOAD       a blob; the path below ROOT is its storage key
    ROOT/blobs/sha512/ab/abcd…-UPLOAD
    ROOT/blobs/registry                     the marker of the store's registry

The upload id makes every key unique. Both trees are on one file system, so a commit is a rename. The folders of
sha256 are created at the start, so a commit does not have to create one and sync its parent. Those of sha512, which few
clients use, are created by commits, because on a slow disk they would double the time of a first start.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from moorage.adapters.disk_space import DiskSpace
from moorage.adapters.files import durable
from moorage.adapters.files.commits import catch_up, commit
from moorage.adapters.files.large_append import LargeAppend, next_batch
from moorage.adapters.files.running_digests import DigestRecord, RunningDigest, RunningDigests, read_record
from moorage.adapters.files.small_reads import digests
from moorage.adapters.files.uploads import AppendStart, FileState, append_small, store_whole
from moorage.domain.ports import (
    CHUNK_BYTES,
    DEFAULT_ALGORITHM,
    MARKER_KEY,
    UPLOAD_ID,
    BlobMissing,
    FileLink,
    SmallBlob,
    StoredObject,
    UploadMissing,
)
from moorage.sendfile import is_on_memory_file_system, read_whole
from moorage.shares import SharedThreads

THREADS = 8
SMALL_BYTES = 256 << 10
"""A body up to this size is read completely, then stored in one call in one thread."""

UPLOAD_LENGTH = 36
"""The length of an upload's id, with which each key ends."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_KEY = re.compile(rf"blobs/(?:sha256/(?=.{{67}}-)|sha512/(?=.{{131}}-))([0-9a-f]{{2}})/\1[0-9a-f]+-{UPLOAD_ID.pattern}")

_Result = TypeVar("_Result")


class FileBlobStore:
    """A `BlobStore` below one folder, shared by any number of processes on one machine.

    Each process creates its own instance after a fork and uses it from one event loop.
    """

    def __init__(self, root: Path, space: DiskSpace | None = None) -> None:
        self._root = root
        self._space = space or DiskSpace(root)
        self._uploads = root / "uploads"
        self._running = RunningDigests()
        self._is_memory: bool | None = None
        self._pool = SharedThreads(THREADS, "blobs")

    def prepare(self) -> None:
        """Create the folders, durably; once per server start is enough. Raises OSError."""
        durable.make_folders(
            [self._uploads, self._root / "blobs" / "sha512", *_blob_folders(self._root, DEFAULT_ALGORITHM)]
        )

    def close(self) -> None:
        """Stop the threads. No operation may be running."""
        self._pool.shutdown()

    async def append(
        self, upload: str, offset: int, chunks: AsyncIterator[bytes], algorithm: str = DEFAULT_ALGORITHM
    ) -> int:
        """See `BlobStore.append`."""
        path = self._upload_path(upload)
        self._space.require()
        start = AppendStart(path, offset, FileState.of(path), self._running.get(upload), self._space, algorithm)
        if offset > 0 and start.state is None:
            raise UploadMissing(upload)
        first = await next_batch(chunks, SMALL_BYTES)
        if first.last:
            size, running = await self._in_thread(append_small, start, first.chunks)
        else:
            size, running = await LargeAppend(self._pool).append(start, first, chunks)
        if running is not None:
            self._running.keep(upload, running)
        return size

    async def store_small(self, upload: str, chunks: Sequence[bytes], algorithm: str) -> bool:
        """See `BlobStore.store_small`."""
        path = self._upload_path(upload)
        hasher = hashlib.new(algorithm)
        is_stored = await self._in_thread(_store_and_hash, path, chunks, self._space, hasher)
        if is_stored:
            size = sum(map(len, chunks))
            self._running.keep(upload, RunningDigest(size, hasher, needs_record=False))
        return is_stored

    def small_size(self, upload: str, *digests: str) -> int:
        """See `BlobStore.small_size`."""
        state = FileState.of(self._upload_path(upload))
        for digest in filter(_DIGEST.fullmatch, digests):
            state = state or FileState.of(self._root / key_of(digest, upload))
        return 0 if state is None else state.size

    async def received(self, upload: str, start: int, limit: int) -> bytes:
        """See `BlobStore.received`."""
        return await self._in_thread(_read_upload, self._upload_path(upload), start, limit)

    async def digest(self, upload: str, size: int, algorithm: str) -> str:
        """See `BlobStore.digest`. Reads only bytes that were not hashed when they arrived."""
        if size == 0:
            return f"{algorithm}:{hashlib.new(algorithm).hexdigest()}"
        running = self._running.get(upload)
        if running is not None and running.hasher.name != algorithm:
            running = None
        if running is not None and running.size == size and not running.needs_record:
            return running.record().digest
        path = self._upload_path(upload)
        with _missing(UploadMissing(upload)):
            record = read_record(path)
            if record is not None and record.size == size and record.digest.startswith(f"{algorithm}:"):
                return record.digest
            caught_up = await self._in_thread(catch_up, path, size, algorithm, running)
        self._running.keep(upload, caught_up)
        return f"{algorithm}:{caught_up.hasher.hexdigest()}"

    async def commit(self, upload: str, digest: str, size: int) -> str:
        """See `BlobStore.commit`. Raises UploadMissing when the bytes no longer have this digest."""
        return await asyncio.wrap_future(self.committing(upload, digest, size))

    def committing(self, upload: str, digest: str, size: int) -> Future[str]:
        """See `BlobStore.committing`."""
        path = self._upload_path(upload)
        running = self._running.pop(upload)
        content = DigestRecord(size, digest)
        is_known = running is not None and not running.needs_record and running.record() == content
        return self._pool.submit(_commit, path, self._root, key_of(digest, upload), content, is_known)

    async def abandon(self, upload: str) -> None:
        """See `BlobStore.abandon`."""
        self._running.pop(upload)
        with suppress(UploadMissing):
            await self._in_thread(self._upload_path(upload).unlink, True)

    async def content(self, key: str) -> bytes:
        """See `BlobStore.content`. Reads on the event loop what is in memory: a switch to a thread costs more."""
        with _missing(BlobMissing(key)):
            descriptor = os.open(self._blob_path(key), os.O_RDONLY)
        try:
            return await read_whole(descriptor, is_memory=self._is_in_memory(descriptor))
        finally:
            os.close(descriptor)

    async def size(self, key: str) -> int:
        """See `BlobStore.size`."""
        with _missing(BlobMissing(key)):
            return self._blob_path(key).stat().st_size

    async def read(self, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """See `BlobStore.read`."""
        with _missing(BlobMissing(key)):
            descriptor = os.open(self._blob_path(key), os.O_RDONLY)
        reading: Future[bytes] | None = None
        try:
            while start < stop:
                reading = self._pool.submit(os.pread, descriptor, min(CHUNK_BYTES, stop - start), start)
                chunk = await asyncio.wrap_future(reading)
                if not chunk:
                    raise OSError(errno.EIO, f"ends at byte {start}", key)
                start += len(chunk)
                yield chunk
        finally:
            _close_after(reading, descriptor)

    async def digests(self, blobs: Sequence[SmallBlob]) -> list[str | BlobMissing | OSError]:
        """See `SmallBlobs.digests`. One thread reads all."""
        return await self._in_thread(digests, self._blob_path, blobs)

    def link(self, key: str) -> FileLink:
        """See `BlobStore.link`."""
        return FileLink(self._blob_path(key))

    async def delete(self, *keys: str) -> None:
        """See `BlobStore.delete`. Durable: a power cut does not bring back a file without a row."""
        await self._in_thread(_delete, [self._blob_path(key) for key in keys])

    async def objects(self) -> AsyncIterator[list[StoredObject]]:
        """See `Listing.objects`. Lists one folder at a time."""
        for folder in _blob_folders(self._root, DEFAULT_ALGORITHM, "sha512"):
            yield await self._in_thread(_objects_in, self._root, folder)

    async def uploads(self) -> AsyncIterator[list[str]]:
        """See `Listing.uploads`."""
        yield await self._in_thread(_uploads_in, self._uploads)

    async def remove_upload(self, upload: str) -> None:
        """See `Listing.remove_upload`."""
        await self.abandon(upload)

    async def marker(self) -> str | None:
        """See `MarkedStore.marker`."""
        return await self._in_thread(_marker, self._root / MARKER_KEY)

    async def mark(self, marker: str) -> None:
        """See `MarkedStore.mark`."""
        await self._in_thread(_mark, self._root / MARKER_KEY, marker)

    async def copies_of(self, digest: str, key: str) -> list[str]:  # noqa: ARG002 - the digest is in each key
        """See `CopySource.copies_of`. Finds the copies of all uploads."""
        prefix = key_of(digest, "")
        folder = self._root / Path(prefix).parent
        return [
            blob.key for blob in await self._in_thread(_objects_in, self._root, folder) if blob.key.startswith(prefix)
        ]

    async def set_aside(self, key: str) -> str:
        """See `Quarantine.set_aside`. Moves the blob to `quarantine/` in the same root."""
        with _missing(BlobMissing(key)):
            return str(await self._in_thread(_quarantine, self._root, self._blob_path(key)))

    def _is_in_memory(self, blob: int) -> bool:
        """Whether the file system of the blobs, to judge by one of them, keeps everything in memory."""
        if self._is_memory is None:
            self._is_memory = is_on_memory_file_system(blob)
        return self._is_memory

    def _upload_path(self, upload: str) -> Path:
        if UPLOAD_ID.fullmatch(upload) is None:
            raise UploadMissing(upload)
        return self._uploads / upload

    def _blob_path(self, key: str) -> Path:
        """The path of a blob. Raises BlobMissing for a key that this store cannot have created."""
        if _KEY.fullmatch(key) is None:
            raise BlobMissing(key)
        return self._root / key

    async def _in_thread(self, work: Callable[..., _Result], *arguments: Any) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)


def key_of(digest: str, upload: str) -> str:
    """The storage key of a blob that this upload brought. Raises ValueError."""
    if _DIGEST.fullmatch(digest) is None:
        raise ValueError(f"{digest!r} is not a digest")
    algorithm, _, encoded = digest.partition(":")
    return f"blobs/{algorithm}/{encoded[:2]}/{encoded}-{upload}"


@contextmanager
def _missing(failure: BlobMissing | UploadMissing) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise failure from None


def _close_after(reading: Future[bytes] | None, descriptor: int) -> None:
    """Close a file after the last read in a thread has ended; otherwise the number could belong to another file."""
    if reading is None:
        os.close(descriptor)
    else:
        reading.add_done_callback(lambda _: os.close(descriptor))


def _read_upload(path: Path, start: int, limit: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return b""
    try:
        return os.pread(descriptor, limit, start)
    finally:
        os.close(descriptor)


def _store_and_hash(path: Path, chunks: Sequence[bytes], space: DiskSpace, hasher: hashlib._Hash) -> bool:
    for chunk in chunks:
        hasher.update(chunk)
    return store_whole(path, chunks, space)


def _commit(path: Path, root: Path, key: str, content: DigestRecord, is_known: bool) -> str:
    commit(path, root / key, content, is_known)
    return key


def _marker(path: Path) -> str | None:
    with suppress(FileNotFoundError):
        return path.read_text("ascii", errors="replace").strip()
    return None


def _mark(path: Path, marker: str) -> None:
    with durable.unwritable_as_store_full():
        durable.make_folders([path.parent])
        durable.replace_file(path, f"{marker}\n".encode())


def _blob_folders(root: Path, *algorithms: str) -> list[Path]:
    return [root / "blobs" / algorithm / f"{first:02x}" for algorithm in algorithms for first in range(256)]


def _objects_in(root: Path, folder: Path) -> list[StoredObject]:
    """The blobs in a folder; ignores files of other programs."""
    found: list[StoredObject] = []
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            key = str(Path(entry.path).relative_to(root))
            if _KEY.fullmatch(key):
                with suppress(FileNotFoundError):  # removed after the folder was read
                    found.append(StoredObject(key, key[-UPLOAD_LENGTH:], entry.stat(follow_symlinks=False).st_size))
    return found


def _uploads_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if UPLOAD_ID.fullmatch(path.name)]


def _quarantine(root: Path, path: Path) -> Path:
    place = root / "quarantine"
    durable.make_folders([place])
    target = place / path.name
    path.rename(target)
    durable.sync_folder(place)
    durable.sync_folder(path.parent)
    return target


def _delete(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
    for folder in {path.parent for path in paths}:
        durable.sync_folder(folder)
