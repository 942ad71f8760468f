"""The saved state of an upload to an object store, with which any node can continue the upload.

An object store cannot append. A part of a multipart upload has at least 5 MiB and cannot be read back. So an upload has
*parts* of one multipart upload and, behind them, a *tail*: objects with bytes that are too few for a part. They are
read and sent again as the start of the next part. An upload that stays small is one object, which becomes the blob.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from typing import Final

import msgspec

from moorage.domain.ports import UPLOAD_ID, UploadBusy, UploadMissing, UploadStates


class Part(msgspec.Struct, array_like=True, frozen=True):
    number: int
    size: int
    etag: str


class UploadObject(msgspec.Struct, array_like=True, frozen=True):
    key: str
    size: int


class Multipart(msgspec.Struct, array_like=True, frozen=True):
    key: str
    id: str


class Content(msgspec.Struct, array_like=True, frozen=True):
    """The first `size` bytes of an upload: the number of its `parts`, the `tail` behind them, and known digests.

    `hash_state` lets another process continue the hash that `digests` has (`hash_state.py`); it is empty if it was
    lost. `finalized` content was put into one object, to read it or to make it a blob, and cannot grow any more.
    """

    size: int = 0
    parts: int = 0
    tail: tuple[UploadObject, ...] = ()
    hash_state: bytes = b""
    digests: tuple[str, ...] = ()
    finalized: bool = False

    def digest(self, algorithm: str) -> str | None:
        """The digest with that algorithm, if it is known."""
        return next((digest for digest in self.digests if digest.startswith(f"{algorithm}:")), None)

    @property
    def whole(self) -> UploadObject | None:
        """The object that holds all bytes, if there is only one."""
        return self.tail[0] if self.parts == 0 and len(self.tail) == 1 else None


EMPTY: Final = Content(digests=(f"sha256:{hashlib.sha256().hexdigest()}", f"sha512:{hashlib.sha512().hexdigest()}"))


class CommittedBlob(msgspec.Struct, array_like=True, frozen=True):
    key: str
    digest: str
    size: int


class UploadState(msgspec.Struct, array_like=True):
    """The saved state of one upload.

    `previous` is the content before the newest append, because that append's client may not have received the response.
    `last_number` is the highest part number ever reserved, so concurrent requests never write the same part. `unused`
    lists objects that hold nothing of the upload any more. `blob` is set once the upload is committed.
    """

    current: Content = EMPTY
    previous: Content | None = None
    parts: list[Part] = msgspec.field(default_factory=list)
    multipart: Multipart | None = None
    last_number: int = 0
    unused: list[str] = msgspec.field(default_factory=list)
    blob: CommittedBlob | None = None

    def content_at(self, size: int) -> Content | None:
        """The content when the upload had that size, if it is still known."""
        if size == 0:
            return EMPTY
        return next(
            (content for content in (self.current, self.previous) if content is not None and content.size == size), None
        )

    def rewind(self, content: Content) -> None:
        """Go back to `content`, a result of `content_at`; dropped objects become unused."""
        kept = {item.key for item in content.tail}
        dropped = {item.key for item in self.current.tail} | set(self.unused)
        self.unused = sorted(dropped - kept)
        self.current, self.previous = content, None
        del self.parts[content.parts :]

    def extend(self, content: Content, parts: list[Part]) -> None:
        """Set the content after an append; the content before stays available as `previous`."""
        kept = {item.key for item in content.tail}
        self.unused += [item.key for item in self.current.tail if item.key not in kept]
        self.previous, self.current = self.current, content
        self.parts += parts


class UploadRecord:
    """The state of one upload as one request loaded it, with its version."""

    def __init__(self, states: UploadStates, upload: str, version: int, state: UploadState) -> None:
        self._states = states
        self._version = version
        self.upload = upload
        self.state = state

    @classmethod
    async def open(cls, states: UploadStates, upload: str) -> UploadRecord:
        """Load the state; it is empty for a new upload. Raises UploadMissing for an invalid upload id."""
        if UPLOAD_ID.fullmatch(upload) is None:
            raise UploadMissing(upload)
        version, encoded = await states.load(upload)
        state = msgspec.msgpack.decode(encoded, type=UploadState) if version else UploadState()
        return cls(states, upload, version, state)

    @property
    def is_known(self) -> bool:
        """Whether a state was ever saved."""
        return self._version > 0

    async def save(self) -> None:
        """Save the state for all nodes.

        Raises UploadBusy when another request has saved a newer version; UploadMissing when the upload was abandoned.
        """
        encoded = msgspec.msgpack.encode(self.state)
        saving = asyncio.ensure_future(self._states.save(self.upload, self._version, encoded))
        try:
            saved = await asyncio.shield(saving)
        except asyncio.CancelledError:
            await asyncio.wait((saving,))  # otherwise it could finish after the next request has loaded the state
            raise
        if saved:
            self._version += 1
            return
        version, _ = await self._states.load(self.upload)
        raise UploadBusy(self.upload) if version else UploadMissing(self.upload)

    async def remove(self) -> bool:
        """Delete the state; returns False when another request has saved a newer version."""
        return await self._states.remove(self.upload, self._version)

    def new_key(self) -> str:
        """A unique storage key of this upload."""
        return new_key(self.upload)


def new_key(upload: str) -> str:
    """A unique storage key in one of 256 folders; some stores represent folders as such."""
    return f"blobs/{upload[:2]}/{upload}-{secrets.token_hex(8)}"
