"""What the registry needs from outside, as protocols: whoever implements one passes its contract test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

CHUNK_BYTES = 1 << 20
"""The unit in which bodies are handed on: large enough to be cheap, small enough that many uploads fit into memory."""


class BlobMissing(Exception):
    """No bytes are stored under that key."""


class UploadMissing(Exception):
    """Nothing was received for that upload, or it was finished or abandoned."""


class UploadBusy(Exception):
    """Another request is writing to that upload at this moment, in this process or in another one."""


class StoreFull(Exception):
    """No more bytes can be stored, for want of room mostly: the text says why. What was stored stays readable."""


@dataclass(frozen=True, slots=True)
class FileLink:
    """A blob that is a local file, which the HTTP server can send by itself."""

    path: Path


@dataclass(frozen=True, slots=True)
class UrlLink:
    """A blob that the client can fetch by itself, from a URL that carries its own, short-lived permission."""

    url: str


class BlobStore(Protocol):
    """Bytes by storage key. A key is used once and never again, so that a late delete can hit nothing that lives.

    Uploads grow by appending; only `commit` makes a blob, and only the database says which key holds which digest.
    Failures are the exceptions of this module, and Unavailable when a store across a network does not serve at the
    moment; nothing of the file system or of an S3 client leaks.
    """

    async def append(self, upload: str, offset: int, chunks: AsyncIterator[bytes]) -> int:
        """Store `chunks` from byte `offset` on, durably, and return the new size in bytes.

        `offset` is 0 or what one of the last two appends returned: whatever is beyond was never acknowledged, and is
        dropped first. An exception out of `chunks` passes through and leaves nothing beyond `offset`. Of several
        appends at once only one succeeds. Raises UploadBusy, UploadMissing (bytes before `offset` are not there),
        StoreFull, and OSError when the medium fails, after which the upload is gone.
        """

    async def digest(self, upload: str, size: int, algorithm: str) -> str:
        """The digest (`sha256:…`) of the first `size` bytes received. Raises UploadMissing, UploadBusy.

        An upload that was asked for another digest than sha256 may have to be read for it, and then grows no more.
        """

    async def commit(self, upload: str, digest: str, size: int) -> str:
        """Make a blob of an upload, durably, and return its storage key; repeating it after a crash is safe.

        The caller has compared the digest. Raises UploadMissing, UploadBusy, StoreFull, OSError.
        """

    async def abandon(self, upload: str) -> None:
        """Forget an upload and its bytes; one that is not there is already forgotten."""

    async def content(self, key: str) -> bytes:
        """A whole small blob. Raises BlobMissing."""

    async def size(self, key: str) -> int:
        """How many bytes a blob has. Raises BlobMissing."""

    def read(self, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """Bytes `start` to `stop` (exclusive) in chunks up to CHUNK_BYTES. Raises BlobMissing, or OSError midway."""

    def link(self, key: str) -> FileLink | UrlLink | None:
        """Where server or client can fetch the blob without Python in between; None when only `read` will do."""

    async def delete(self, *keys: str) -> None:
        """Remove the bytes of blobs, together where that is cheaper; one that is not there is already removed."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """Bytes that the store has as a blob: their key, the upload that brought them, and how many there are."""

    key: str
    upload: str
    size: int


class Listing(Protocol):
    """What a store has, whether anybody knows of it or not. It is asked in the background only."""

    def objects(self) -> AsyncIterator[list[StoredObject]]:
        """Everything that is stored as a blob, or lies where blobs do, some at a time."""

    def uploads(self) -> AsyncIterator[list[str]]:
        """The uploads of which there are bytes elsewhere, some at a time."""

    async def remove_upload(self, upload: str) -> None:
        """Remove what `uploads` found of an upload that is over, also what `BlobStore.abandon` does not know of."""


class Quarantine(Protocol):
    """A store that can move bytes aside by itself, without a copy that could fail midway."""

    async def set_aside(self, key: str) -> str:
        """Move a blob's bytes to where nobody is served them, and say where that is. Raises BlobMissing."""


class CopySource(Protocol):
    """Another store that may have what was damaged or lost here."""

    async def copies_of(self, digest: str, key: str) -> list[str]:
        """The keys under which it may have the bytes of that digest, which are under `key` here."""

    def read(self, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """See `BlobStore.read`."""


class UploadStates(Protocol):
    """What a store without a memory of its own notes of each upload, where every node finds it.

    A state has a version, which grows with each `save`; there is none before the first, which is version 0.
    """

    async def load(self, upload: str) -> tuple[int, bytes]:
        """The version and the state; version 0 and nothing when there is none."""

    async def save(self, upload: str, version: int, state: bytes) -> bool:
        """Replace the state of that version; False when it has another one by now, or was removed."""

    async def remove(self, upload: str, version: int) -> bool:
        """Remove the state of that version; False when it has another one by now."""


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
