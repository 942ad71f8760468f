"""Each system call of the blob store fails once: acknowledged bytes stay, and nothing leaks."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from moorage.adapters.files.blob_store import FileBlobStore
from moorage.domain.ports import BlobMissing, StoreFull, UploadMissing
from tests.contract.blob_store.blob_stores import body, digest_of, new_upload, noise, pieces

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="open files are counted in /proc")

SMALL, LARGE = noise(50_000, b"small"), noise(1_500_000, b"large")
CONTENT = SMALL + LARGE

# The store's system calls. Each use of each of them fails once.
CALLS = [
    (os, "open"),
    (os, "pwritev"),
    (os, "preadv"),
    (os, "fsync"),
    (os, "ftruncate"),
    (os, "fstat"),
    (os, "rename"),
    (os, "unlink"),
    (os, "setxattr"),
    (os, "getxattr"),
    (fcntl, "flock"),
]


class Failing:
    """Makes the call with a certain number fail, counted over all functions in CALLS."""

    def __init__(self, number: int, error: int) -> None:
        self.number = number
        self.error = error
        self.passed = 0
        self.failed: str | None = None

    def wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.passed += 1
            if self.passed == self.number:
                self.failed = name
                raise OSError(self.error, os.strerror(self.error))
            return real(*arguments, **named)

        return call


@contextmanager
def failing(number: int, error: int) -> Iterator[Failing]:
    faults = Failing(number, error)
    with pytest.MonkeyPatch.context() as patch:
        for module, name in CALLS:
            patch.setattr(module, name, faults.wrap(name, getattr(module, name)))
        yield faults


class Progress:
    """What the store acknowledged before a call failed."""

    size = 0
    key: str | None = None
    deleted = False


async def life_of_a_blob(store: FileBlobStore, upload: str, progress: Progress) -> None:
    """Two appends, of a small and of a large body; the digest; the commit; and the deletion."""
    progress.size = await store.append(upload, 0, body(SMALL))
    progress.size = await store.append(upload, len(SMALL), pieces(LARGE))
    assert await store.digest(upload, progress.size, "sha256") == digest_of(CONTENT)
    assert await store.digest(upload, progress.size, "sha512") == digest_of(CONTENT, "sha512")
    progress.key = await store.commit(upload, digest_of(CONTENT), progress.size)
    await store.delete(progress.key)
    progress.deleted = True


async def check_what_was_acknowledged(store: FileBlobStore, upload: str, progress: Progress) -> None:
    """The bytes exist, or the store reports them as missing. They are never different."""
    if progress.key is not None:
        with suppress(BlobMissing):  # The deletion failed before or after the file was removed.
            assert await store.content(progress.key) == CONTENT
            assert not progress.deleted
        return
    if progress.size == 0:
        return
    try:
        assert await store.digest(upload, progress.size, "sha256") == digest_of(CONTENT[: progress.size])
    except UploadMissing:  # After an input/output error the file is not trusted, or it was renamed.
        return


async def check_that_it_can_continue(store: FileBlobStore, upload: str, progress: Progress) -> None:
    """The rest of the same upload, or a new one if it is missing, becomes the right blob."""
    try:
        size = await store.append(upload, progress.size, pieces(CONTENT[progress.size :]))
    except UploadMissing:
        upload = new_upload()
        size = await store.append(upload, 0, pieces(CONTENT))
    assert await store.digest(upload, size, "sha256") == digest_of(CONTENT)
    assert await store.content(await store.commit(upload, digest_of(CONTENT), size)) == CONTENT


def check_failure(surfaced: Exception, error: int) -> None:
    """A full disk raises the port's own exception. Other errors are raised unchanged."""
    if isinstance(surfaced, StoreFull):
        assert error == errno.ENOSPC
    if isinstance(surfaced, OSError):
        assert surfaced.errno == error


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC, errno.EMFILE])
def test_a_failed_system_call_loses_nothing_acknowledged_and_leaks_nothing(tmp_path: Path, error: int) -> None:
    """A failed call may raise an error. If the call was only a hint, it may be ignored."""
    store = FileBlobStore(tmp_path)
    store.prepare()
    failed: list[str] = []

    async def scenario() -> None:
        await life_of_a_blob(store, new_upload(), Progress())  # Starts the pool's threads and opens the loop's files.
        before = open_files()
        while True:
            upload, progress = new_upload(), Progress()
            with failing(len(failed) + 1, error) as faults:
                try:
                    await life_of_a_blob(store, upload, progress)
                except (StoreFull, OSError, UploadMissing) as surfaced:
                    check_failure(surfaced, error)
            if faults.failed is None:
                return
            failed.append(faults.failed)
            assert open_files() == before, faults.failed
            await check_what_was_acknowledged(store, upload, progress)
            await check_that_it_can_continue(store, upload, progress)
            assert open_files() == before, faults.failed

    asyncio.run(scenario())
    store.close()
    assert set(failed) >= {"open", "pwritev", "preadv", "fsync", "fstat", "rename", "unlink", "flock"}
