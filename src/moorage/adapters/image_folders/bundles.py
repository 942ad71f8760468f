"""Bundles: an OCI layout in a tar file, for the way to a registry that has no network.

`skopeo` and others read it as `oci-archive`. A bundle can leave out layers that an earlier one has; its file
`moorage-bundle.json` lists them.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from moorage.adapters.files import durable
from moorage.adapters.image_folders.layouts import blob_name
from moorage.adapters.image_folders.reading import chunks_of, open_file
from moorage.domain import strict_json
from moorage.domain.image_sources import SourceBroken
from moorage.domain.strict_json import BadJson

_BLOCK: Final = tarfile.BLOCKSIZE
_CONTENTS: Final = "moorage-bundle.json"
_CONTENTS_LIMIT: Final = 64 << 20
_MOST_MEMBERS: Final = 10_000_000


class _Contents(msgspec.Struct):
    """What a bundle says of itself: the digests of layers that an earlier bundle has."""

    inherited: list[str] = []


class _Part(NamedTuple):
    """The bytes of a member in the file."""

    start: int
    size: int


class BundleFiles:
    """A bundle: see `LayoutFiles`. Raises SourceBroken for a file that is not a tar file, or is cut off."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parts, self._end = _members(path)
        self._inherited = frozenset(self._contents().inherited)

    def small(self, name: str, limit: int) -> bytes:
        """See `LayoutFiles.small`."""
        part = self._part(name)
        if part.size > limit:
            raise SourceBroken(f"{name} has more than {limit} bytes")
        descriptor = open_file(self._path)
        try:
            return os.pread(descriptor, part.size, part.start)
        finally:
            os.close(descriptor)

    def chunks(self, name: str) -> AsyncIterator[bytes]:
        """See `LayoutFiles.chunks`."""
        return self._chunks(name)

    async def _chunks(self, name: str) -> AsyncIterator[bytes]:
        part = self._part(name)
        async for chunk in chunks_of(self._path, part.start, part.size):
            yield chunk

    def path(self, _name: str) -> None:
        """See `LayoutFiles.path`."""

    def digests(self) -> set[str]:
        """The blobs that the bundle and its earlier ones have."""
        blobs = (name.split("/") for name in self._parts if name.startswith("blobs/"))
        return {f"{parts[1]}:{parts[2]}" for parts in blobs if len(parts) == 3} | self._inherited

    def _part(self, name: str) -> _Part:
        part = self._parts.get(name)
        if part is None and name in {blob_name(digest) for digest in self._inherited}:
            raise SourceBroken("is in an earlier bundle: import that one first")
        if part is None:
            raise SourceBroken("is missing")
        return part

    def _contents(self) -> _Contents:
        if _CONTENTS not in self._parts:
            return _Contents()
        try:
            return strict_json.read_as(_Contents, self.small(_CONTENTS, _CONTENTS_LIMIT))
        except BadJson as error:
            raise SourceBroken(f"{_CONTENTS}: {error}") from None


class BundleWriter:
    """Writes a bundle: see `ImageTarget`. Until it is finished it has a name that ends in `.part`.

    A run that was interrupted is continued behind the last member that is whole. `earlier` are the digests that earlier
    bundles have.
    """

    def __init__(self, path: Path, earlier: frozenset[str] = frozenset()) -> None:
        self._final = path
        self._part = path.with_name(f"{path.name}.part")
        self._earlier = earlier
        self._inherited: set[str] = set()
        self._parts, self._end = _members(self._part) if self._part.exists() else ({}, 0)
        self._descriptor = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        os.ftruncate(self._descriptor, self._end)

    def close(self) -> None:
        """Close the file, finished or not."""
        os.close(self._descriptor)

    def has(self, digest: str, size: int, *, inherits: bool) -> bool:
        """See `ImageTarget.has`."""
        if inherits and digest in self._earlier:
            self._inherited.add(digest)
            return True
        part = self._parts.get(blob_name(digest))
        return part is not None and part.size == size

    async def add(self, digest: str, size: int, chunks: AsyncIterator[bytes]) -> str:
        """See `ImageTarget.add`."""
        start, name = self._end, blob_name(digest)
        header = _header(name, size)
        hasher, position = hashlib.new(digest.partition(":")[0]), start + len(header)
        try:
            async for chunk in chunks:
                hasher.update(chunk)
                await asyncio.to_thread(durable.write_all, self._descriptor, [chunk], position)
                position += len(chunk)
            found = f"{hasher.name}:{hasher.hexdigest()}"
        except BaseException:
            os.ftruncate(self._descriptor, start)
            raise
        if found == digest and position == start + len(header) + size:
            # The header comes last, so a member that has one is whole.
            self._close_member(name, header, size)
        else:
            os.ftruncate(self._descriptor, start)
        return found

    async def finish(self, files: dict[str, bytes]) -> None:
        """See `ImageTarget.finish`."""
        contents = msgspec.json.encode(_Contents(sorted(self._inherited)))
        for name, content in {**files, _CONTENTS: contents}.items():
            header = _header(name, len(content))
            durable.write_all(self._descriptor, [content], self._end + len(header))
            self._close_member(name, header, len(content))
        os.ftruncate(self._descriptor, self._end + 2 * _BLOCK)
        await asyncio.to_thread(durable.sync, self._descriptor)
        self._part.rename(self._final)
        durable.sync_folder(self._final.parent)

    def _close_member(self, name: str, header: bytes, size: int) -> None:
        start = self._end + len(header)
        end = start + -(-size // _BLOCK) * _BLOCK
        os.ftruncate(self._descriptor, end)
        durable.write_all(self._descriptor, [header], self._end)
        self._parts[name], self._end = _Part(start, size), end


def earlier_digests(bundles: tuple[Path, ...]) -> frozenset[str]:
    """The digests that these bundles and their earlier ones have. Raises SourceBroken."""
    found: set[str] = set()
    for path in bundles:
        found |= BundleFiles(path).digests()
    return frozenset(found)


def _header(name: str, size: int) -> bytes:
    """The header of a member, the same in each run."""
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o644
    return member.tobuf(tarfile.USTAR_FORMAT if size < 1 << 33 else tarfile.GNU_FORMAT)


def _members(path: Path) -> tuple[dict[str, _Part], int]:
    """The regular files of a tar file that are whole, and where they end. Raises SourceBroken."""
    found: dict[str, _Part] = {}
    end = 0
    length = path.stat().st_size
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                padded = member.offset_data + -(-member.size // _BLOCK) * _BLOCK
                if padded > length or len(found) > _MOST_MEMBERS:
                    break
                end = padded
                if member.isreg():
                    found[os.path.normpath(member.name)] = _Part(member.offset_data, member.size)
    except tarfile.ReadError as error:
        if not found and length > 0 and end == 0 and not _begins_with_zeros(path):
            raise SourceBroken(f"{path} is not a bundle: {error}") from None
    except tarfile.TarError as error:
        raise SourceBroken(f"{path} is not a bundle: {error}") from None
    return found, end


def _begins_with_zeros(path: Path) -> bool:
    """Whether the first header is missing: the file was interrupted while its first member was written."""
    with path.open("rb") as file:
        return not any(file.read(_BLOCK))
