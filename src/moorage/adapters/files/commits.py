"""Turn the file of an upload into a blob. Everything here blocks and runs in pool threads."""

from __future__ import annotations

import os
from pathlib import Path

from moorage import failpoints
from moorage.adapters.files import durable
from moorage.adapters.files.running_digests import (
    DigestRecord,
    RunningDigest,
    drop_record_beyond,
    hash_up_to,
    read_record,
    write_record,
)
from moorage.adapters.files.uploads import FileState, open_locked
from moorage.domain.ports import DEFAULT_ALGORITHM, UploadBusy, UploadMissing


def catch_up(path: Path, size: int, algorithm: str, running: RunningDigest | None) -> RunningDigest:
    """Hash the first `size` bytes of an upload and leave a record for other processes."""
    try:
        descriptor, _ = open_locked(path)
        locked = True
    except UploadBusy:  # another request is writing: leave no record; `commit` reads the bytes again
        descriptor, locked = os.open(path, os.O_RDONLY), False
    try:
        if running and (running.size > size or not running.describes(descriptor)):
            running = None
        caught_up = hash_up_to(descriptor, size, algorithm, running)
        if locked:
            durable.sync(descriptor)
            write_record(descriptor, DigestRecord(size, f"{algorithm}:{caught_up.hasher.hexdigest()}"))
    except EOFError as error:
        raise UploadMissing(path.name) from error
    finally:
        os.close(descriptor)
    return caught_up


def commit(path: Path, final: Path, content: DigestRecord, is_known: bool) -> None:
    """Turn an upload's file into a blob, unless an earlier call has done it. Bytes that are known are not verified."""
    with durable.unwritable_as_store_full():
        if not content.digest.startswith(DEFAULT_ALGORITHM):
            durable.make_folders([final.parent])
        if not _is_committed(final, content.size):
            try:
                _rename(path, final, content, is_known)
            except UploadMissing:
                if not _is_committed(final, content.size):
                    raise
        failpoints.hit("U8")
        durable.sync_folder(final.parent)
        failpoints.hit("U9")


def _is_committed(final: Path, size: int) -> bool:
    state = FileState.of(final)
    return state is not None and state.size == size


def _rename(path: Path, final: Path, content: DigestRecord, is_known: bool) -> None:
    descriptor, state = open_locked(path, 0 if content.size else os.O_CREAT)
    try:
        if state.size < content.size:
            raise UploadMissing(path.name)
        if state.size > content.size or content.size == 0:
            drop_record_beyond(descriptor, content.size)
            os.ftruncate(descriptor, content.size)
            _sync_or_discard(descriptor, path)
        if read_record(descriptor) != content:
            if not is_known:
                _verify(descriptor, content)
            _sync_or_discard(descriptor, path)
        failpoints.hit("U7")
        path.rename(final)
    except EOFError as error:
        raise UploadMissing(path.name) from error
    finally:
        os.close(descriptor)


def _sync_or_discard(descriptor: int, path: Path) -> None:
    """Wait until the file is on the medium. If that fails, delete it: a second attempt could succeed without bytes."""
    try:
        durable.sync(descriptor)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _verify(descriptor: int, content: DigestRecord) -> None:
    """Read the bytes again. They have no record, so they may have changed between `digest` and the lock."""
    algorithm = content.digest.partition(":")[0]
    hasher = hash_up_to(descriptor, content.size, algorithm, None).hasher
    if f"{algorithm}:{hasher.hexdigest()}" != content.digest:
        raise EOFError("the bytes changed after their digest was compared")
