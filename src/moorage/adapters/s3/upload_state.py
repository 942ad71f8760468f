"""What must be known of an upload to an object store so that any node can go on with it.

An object store cannot append, and a part of a multipart upload has at least 5 MiB and cannot be read back. So bytes
lie in *parts* of one multipart upload, and what is too little for a part lies behind them in *pieces*: objects of their
own, which are read and sent again with the part that they grow into. An upload that stays small is one piece, and that
piece becomes the blob as it is.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from typing import Final

import msgspec

from moorage.domain.ports import UploadBusy, UploadMissing, UploadStates

UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_UPLOAD: Final = re.compile(UUID)


class Part(msgspec.Struct, array_like=True, frozen=True):
    number: int
    size: int
    etag: str


class Piece(msgspec.Struct, array_like=True, frozen=True):
    key: str
    size: int


class Multipart(msgspec.Struct, array_like=True, frozen=True):
    key: str
    id: str


class Content(msgspec.Struct, array_like=True, frozen=True):
    """The first `size` bytes: so many `parts`, the `pieces` behind them, and what is known of their digests.

    `hash_state` lets SHA-256 go on in another process (`saved_hashes.py`); empty when it was lost. What is `sealed` was
    brought into one object, to be read or to be a blob, and grows no more.
    """

    size: int = 0
    parts: int = 0
    pieces: tuple[Piece, ...] = ()
    hash_state: bytes = b""
    digests: tuple[str, ...] = ()
    sealed: bool = False

    def digest(self, algorithm: str) -> str | None:
        """The digest of that algorithm, if it is known."""
        return next((one for one in self.digests if one.startswith(f"{algorithm}:")), None)

    @property
    def whole(self) -> Piece | None:
        """The one object that holds all of it, where there is one."""
        return self.pieces[0] if self.parts == 0 and len(self.pieces) == 1 else None


EMPTY: Final = Content(digests=(f"sha256:{hashlib.sha256().hexdigest()}", f"sha512:{hashlib.sha512().hexdigest()}"))


class Blob(msgspec.Struct, array_like=True, frozen=True):
    key: str
    digest: str
    size: int


class Notes(msgspec.Struct, array_like=True):
    """All that is noted of one upload.

    `before` is the content before the newest append, whose caller may have died without hearing of it. `numbers` counts
    the part numbers that were ever given out: two requests that write at once never write the same part. `spent` are
    objects that hold nothing of the upload any more. `blob` is what it became.
    """

    now: Content = EMPTY
    before: Content | None = None
    parts: list[Part] = msgspec.field(default_factory=list)
    multipart: Multipart | None = None
    numbers: int = 0
    spent: list[str] = msgspec.field(default_factory=list)
    blob: Blob | None = None

    def at(self, size: int) -> Content | None:
        """What was there when the upload had that size, if it is still known."""
        if size == 0:
            return EMPTY
        return next((one for one in (self.now, self.before) if one is not None and one.size == size), None)

    def cut(self, content: Content) -> None:
        """Let the upload be `content`, one of `at`; what is dropped becomes spent."""
        kept = {piece.key for piece in content.pieces}
        dropped = {piece.key for piece in self.now.pieces} | set(self.spent)
        self.spent = sorted(dropped - kept)
        self.now, self.before = content, None
        del self.parts[content.parts :]

    def grow(self, content: Content, parts: list[Part]) -> None:
        """Let the upload be what an append made of it; what it was before can still be gone back to."""
        kept = {piece.key for piece in content.pieces}
        self.spent += [piece.key for piece in self.now.pieces if piece.key not in kept]
        self.before, self.now = self.now, content
        self.parts += parts


class Ledger:
    """The notes of one upload as one request has them in hand."""

    def __init__(self, states: UploadStates, upload: str, version: int, notes: Notes) -> None:
        self._states = states
        self._version = version
        self.upload = upload
        self.notes = notes

    @classmethod
    async def open(cls, states: UploadStates, upload: str) -> Ledger:
        """The notes as they are; empty ones when there are none. Raises UploadMissing for what is no upload's id."""
        if _UPLOAD.fullmatch(upload) is None:
            raise UploadMissing(upload)
        version, state = await states.load(upload)
        notes = msgspec.msgpack.decode(state, type=Notes) if version else Notes()
        return cls(states, upload, version, notes)

    @property
    def is_known(self) -> bool:
        """Whether anything was ever saved."""
        return self._version > 0

    async def save(self) -> None:
        """Make the notes what every node finds.

        Raises UploadBusy when another request has saved its own since these were read, and UploadMissing when the
        upload was abandoned.
        """
        state = msgspec.msgpack.encode(self.notes)
        saving = asyncio.ensure_future(self._states.save(self.upload, self._version, state))
        try:
            saved = await asyncio.shield(saving)
        except asyncio.CancelledError:
            await asyncio.wait((saving,))  # else it could still come after the next request has read the notes
            raise
        if saved:
            self._version += 1
            return
        version, _ = await self._states.load(self.upload)
        raise UploadBusy(self.upload) if version else UploadMissing(self.upload)

    async def remove(self) -> bool:
        """Forget the upload; False when another request has saved since the notes were read."""
        return await self._states.remove(self.upload, self._version)

    def new_key(self) -> str:
        """A storage key that nobody has used, in one of 256 folders (some stores keep folders as such)."""
        return f"blobs/{self.upload[:2]}/{self.upload}-{secrets.token_hex(8)}"
