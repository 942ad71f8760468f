"""Interfaces to the outside, as protocols. Every implementation passes the contract test of its protocol."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

CHUNK_BYTES = 1 << 20
"""The chunk size of bodies: large enough to be efficient, small enough for many concurrent uploads in memory."""

DEFAULT_ALGORITHM = "sha256"
"""The digest algorithm of uploads that announce no other one: Docker and ECR use it. The other one is sha512."""

UPLOAD_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
"""The pattern of an upload's id, which is a UUID: no other text becomes a path or an object's key."""


MARKER_KEY = "blobs/registry"
"""The key of the marker of a store (`MarkedStore`). No blob has such a key."""


class BlobMissing(Exception):
    """No bytes are stored under that key."""


class UploadMissing(Exception):
    """The upload has received nothing, or was finished or abandoned."""


class UploadBusy(Exception):
    """Another request is writing to the upload, in this process or another."""


class StoreFull(Exception):
    """The store cannot accept more bytes, usually because it is full; the text has the reason. Reads still work."""


@dataclass(frozen=True, slots=True)
class FileLink:
    """A blob as a local file, which the HTTP server can send."""

    path: Path


@dataclass(frozen=True, slots=True)
class UrlLink:
    """A URL from which the client can fetch the blob; it contains its own short-lived permission."""

    url: str


class BlobStore(Protocol):
    """Bytes by storage key. A key is never reused, so a late delete cannot hit other bytes.

    Uploads grow by appending. Only `commit` turns an upload into a blob, and only the database records which key holds
    which digest. Methods raise the exceptions of this module, Unavailable when a remote store does not respond, and
    OSError when the file system of a local one fails (`failures.py`). Errors of an S3 client are not exposed.
    """

    async def append(
        self, upload: str, offset: int, chunks: AsyncIterator[bytes], algorithm: str = DEFAULT_ALGORITHM
    ) -> int:
        """Store `chunks` from byte `offset` on, durably, and return the new size in bytes.

        They are hashed with `algorithm` while they arrive, if all appends to the upload name the same one.

        `offset` is 0 or the result of one of the last two appends. Bytes beyond it were never acknowledged and are
        dropped first. An exception from `chunks` passes through and leaves nothing beyond `offset`. Of concurrent
        appends, only one succeeds. Raises UploadBusy; UploadMissing when bytes before `offset` are missing; StoreFull;
        OSError when the medium fails, after which the upload is gone.
        """

    async def store_small(self, upload: str, chunks: Sequence[bytes], algorithm: str) -> bool:
        """Store the first bytes of an upload at once, so that `small_size` finds them; all bytes or none.

        They survive a crash of the process, but not a power cut before `commit`, or an `append` to them, has returned.
        False if this store cannot do that; it has stored nothing then. Raises UploadBusy if the upload has bytes;
        StoreFull; OSError.
        """

    def small_size(self, upload: str, *digests: str) -> int:
        """How many bytes `store_small` stored; 0 if it stored none. For uploads that nothing else wrote to.

        The upload may have been committed with one of `digests`.
        """

    async def received(self, upload: str, start: int, limit: int) -> bytes | None:
        """At most `limit` bytes, from `start` on, of an upload that another request is writing.

        Empty if they have not arrived yet, or the upload has ended. They can still be dropped. None if this store reads
        only complete blobs.
        """

    async def digest(self, upload: str, size: int, algorithm: str) -> str:
        """The digest (`sha256:…`) of the first `size` received bytes. Raises UploadMissing, UploadBusy.

        For an algorithm that the appends did not name, the upload is read, and may then not be able to grow any more.
        """

    async def commit(self, upload: str, digest: str, size: int) -> str:
        """Turn an upload into a blob, durably, and return its storage key. It can be repeated after a crash.

        The caller has compared the digest. Raises UploadMissing, UploadBusy, StoreFull, OSError.
        """

    def committing(self, upload: str, digest: str, size: int) -> Future[str]:
        """`commit`, begun. Its result may arrive in another thread, where `Database.write_after` continues."""

    async def abandon(self, upload: str) -> None:
        """Delete an upload and its bytes; does nothing if it does not exist."""

    async def content(self, key: str) -> bytes:
        """Read a whole small blob. Raises BlobMissing."""

    async def size(self, key: str) -> int:
        """The size of a blob in bytes. Raises BlobMissing."""

    def read(self, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """Bytes `start` to `stop` (exclusive) in chunks up to CHUNK_BYTES. Raises BlobMissing, or OSError midway."""

    def link(self, key: str) -> FileLink | UrlLink | None:
        """A link for the HTTP server or the client to get the blob directly; None if only `read` is possible."""

    async def delete(self, *keys: str) -> None:
        """Delete the bytes of blobs, in one request where possible; keys that do not exist are ignored."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """Bytes stored as a blob: their key, the upload that brought them, and their size."""

    key: str
    upload: str
    size: int


class Listing(Protocol):
    """The contents of a store, whether the database knows them or not. Used in the background only."""

    def objects(self) -> AsyncIterator[list[StoredObject]]:
        """All objects stored as blobs or in their place, in batches."""

    def uploads(self) -> AsyncIterator[list[str]]:
        """The uploads that have bytes elsewhere, in batches."""

    async def remove_upload(self, upload: str) -> None:
        """Delete all that `uploads` found of an ended upload, including what `BlobStore.abandon` does not know."""


class SmallBlob(NamedTuple):
    """A blob to hash with an algorithm: as many bytes as its row says."""

    key: str
    size: int
    algorithm: str


class SmallBlobs(Protocol):
    """A store that hashes many small blobs in one call."""

    async def digests(self, blobs: Sequence[SmallBlob]) -> list[str | BlobMissing | OSError]:
        """The digest of each blob's bytes, or the error of reading them: EIO if the bytes are damaged or too few."""


class Quarantine(Protocol):
    """A store that can move bytes aside itself, without a copy that could fail midway."""

    async def set_aside(self, key: str) -> str:
        """Move a blob's bytes to a place that is not served; returns the place. Raises BlobMissing."""


class MarkedStore(Protocol):
    """A store that holds the marker of the registry to which it belongs, beside the blobs and copied with them."""

    async def marker(self) -> str | None:
        """The marker; None for a store without one. Raises Unavailable, OSError."""

    async def mark(self, marker: str) -> None:
        """Write the marker, durably, in place of any other. Raises Unavailable, StoreFull, OSError."""

    async def size(self, key: str) -> int:
        """See `BlobStore.size`."""


class CopySource(Protocol):
    """Another store that may have bytes that are damaged or lost here."""

    async def copies_of(self, digest: str, key: str) -> list[str]:
        """The keys in that store that may have the bytes of the digest, which has the key `key` here."""

    def read(self, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """See `BlobStore.read`."""


class UploadStates(Protocol):
    """A database of upload states for stores that cannot keep their own, shared by all nodes.

    Each `save` increases a state's version. Version 0 means that there is no state yet.
    """

    async def load(self, upload: str) -> tuple[int, bytes]:
        """The version and the state; 0 and empty bytes when there is none."""

    async def save(self, upload: str, version: int, state: bytes) -> bool:
        """Replace the state with that version; False when the version has changed or the state was removed."""

    async def remove(self, upload: str, version: int) -> bool:
        """Remove the state with that version; False when the version has changed."""


class TargetUrlInvalid(Exception):
    """A sender cannot use that URL. The text says why and is shown to the operator."""


class TargetUnavailable(Exception):
    """A target did not accept a message, but may accept it later. The text says why."""


class MessageRejected(Exception):
    """A target did not accept a message and will not accept it later. The text says why."""


@dataclass(frozen=True, slots=True)
class Message:
    """An event as one target receives it. Names of `headers` are in lower case."""

    body: bytes
    headers: Mapping[str, str]


class TargetConnection(Protocol):
    """A connection to one event target, kept open between messages."""

    async def send(self, message: Message) -> str:
        """Send one message and return what the target answered, such as "200".

        Raises TargetUnavailable, MessageRejected.
        """

    def close(self) -> None:
        """Close the connection. A message that is being sent may or may not arrive."""


class EventSender(Protocol):
    """Sends messages to event targets of one kind, which the scheme of a target's URL names."""

    def check(self, url: str) -> None:
        """Raises TargetUrlInvalid when this sender cannot send to that URL."""

    def connect(self, url: str) -> TargetConnection:
        """Return a connection to a target, opened by the first message. Raises TargetUnavailable."""
