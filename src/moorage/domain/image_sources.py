"""Where imports come from, as ports: another registry's folder or bucket, its API, or files that an export wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeAlias

REF_NAME: Final = "org.opencontainers.image.ref.name"
"""The annotation with the name of an image in the index of a layout (image-spec, annotations.md)."""

INDEX_DEPTH: Final = 4
"""Indexes within indexes, and referrers of referrers, that imports and exports follow."""


class SourceBroken(Exception):
    """The source does not have something that it names, or has other bytes. The text is for the report."""


@dataclass(frozen=True, slots=True)
class RootImage:
    """An image of a source with some of its tags. The images that an index lists need not be named."""

    digest: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceManifest:
    """A manifest; `media_type` is None if only the manifest itself can name it."""

    body: bytes
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class BucketObject:
    """An object of a bucket. `endpoint` is that of the object store."""

    endpoint: str
    bucket: str
    key: str


BlobPlace: TypeAlias = "Path | BucketObject"
"""Where the bytes of a blob are, for a blob store that can take them over itself."""


class ImageSource(Protocol):
    """Repositories with images. All methods raise SourceBroken; those that end an import raise what is not its."""

    def repositories(self) -> AsyncIterator[str]:
        """The names of the repositories."""

    def images(self, repository: str) -> AsyncIterator[RootImage | SourceBroken]:
        """The images of a repository; in place of one that is broken, the reason."""

    async def manifest(self, repository: str, digest: str) -> SourceManifest:
        """A manifest by its digest. The caller compares the digest."""

    def blob(self, repository: str, digest: str, size: int) -> AsyncIterator[bytes]:
        """The bytes of a blob. The caller compares size and digest."""

    def place(self, repository: str, digest: str) -> BlobPlace | None:
        """The file or object with the bytes of a blob; None if there is no such thing."""

    async def referrers(self, repository: str, digest: str) -> Sequence[str]:
        """The digests of the referrers of a manifest that `images` may leave out."""


@dataclass(frozen=True, slots=True)
class BlobToLink:
    """A file or object that becomes a blob. `upload` makes the storage key unique."""

    place: BlobPlace
    upload: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class LinkResult:
    """The storage key of a linked blob. Without one, it cannot be linked or, with a `reason`, is broken."""

    key: str | None = None
    reason: str = ""


class BlobLinks(Protocol):
    """A blob store that takes blobs over without receiving them: files of its disk, or objects of its object store."""

    done: str
    """What happened to the blobs, as a participle for reports."""

    async def link_all(self, blobs: Sequence[BlobToLink], *, verify: bool) -> list[LinkResult]:
        """Make each a blob, durably, if it has its size and, with `verify`, its digest. Raises Unavailable."""


class ImageTarget(Protocol):
    """A folder or file that an export writes, which an interrupted one continues. Raises OSError."""

    def has(self, digest: str, size: int, *, inherits: bool) -> bool:
        """Whether the blob is there; or with `inherits`, in what came earlier to the place where this one goes."""

    async def add(self, digest: str, size: int, chunks: AsyncIterator[bytes]) -> str:
        """Add a blob, unless `chunks` have another digest or size; returns their digest."""

    async def finish(self, files: dict[str, bytes]) -> None:
        """Write these small files by name, durably, and with them finish."""

    def close(self) -> None:
        """Close it, finished or not."""
