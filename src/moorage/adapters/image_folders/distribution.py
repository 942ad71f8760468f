"""The storage folder of CNCF Distribution (registry:2, registry:3), which Harbor has, too.

    docker/registry/v2/blobs/sha256/ab/abcd…/data
    docker/registry/v2/repositories/NAME/_manifests/revisions/sha256/abcd…/link
    docker/registry/v2/repositories/NAME/_manifests/tags/TAG/current/link

Distribution, registry/storage/paths.go. A file `link` has the digest of a blob. A repository can be below another one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from moorage.adapters.image_folders.reading import NAME_DEPTH, chunks_of, parts_of, read_small
from moorage.domain.image_sources import RootImage, SourceBroken, SourceManifest

_TREE: Final = Path("docker", "registry", "v2")
_LINK_LIMIT: Final = 256


class DistributionFolder:
    """A storage folder: see `ImageSource`. `root` is the `rootdirectory` of its configuration, or `v2` below it."""

    def __init__(self, root: Path) -> None:
        self._root = root / _TREE if (root / _TREE).is_dir() else root
        if not (self._root / "repositories").is_dir():
            raise SourceBroken(f"{root} is not a storage folder of Distribution: it has no {_TREE}/repositories")

    async def repositories(self) -> AsyncIterator[str]:
        """See `ImageSource.repositories`."""
        for name in _names(self._root / "repositories", "", NAME_DEPTH):
            yield name

    async def images(self, repository: str) -> AsyncIterator[RootImage | SourceBroken]:
        """See `ImageSource.images`. All revisions, with their tags, and tags of revisions that are missing."""
        tags, broken = await asyncio.to_thread(self._tags, repository)
        for problem in broken:
            yield problem
        for digest in await asyncio.to_thread(self._revisions, repository):
            yield RootImage(digest, tuple(tags.pop(digest, ())))
        for digest, names in tags.items():
            yield SourceBroken(f"the tags {', '.join(names)} name {digest}, which is missing")

    async def manifest(self, repository: str, digest: str) -> SourceManifest:
        """See `ImageSource.manifest`."""
        return SourceManifest(await asyncio.to_thread(read_small, self.file(repository, digest)))

    def blob(self, repository: str, digest: str, _size: int) -> AsyncIterator[bytes]:
        """See `ImageSource.blob`."""
        return chunks_of(self.file(repository, digest))

    def file(self, _repository: str, digest: str) -> Path:
        """See `ImageSource.file`."""
        algorithm, encoded = parts_of(digest)
        return self._root / "blobs" / algorithm / encoded[:2] / encoded / "data"

    async def referrers(self, _repository: str, _digest: str) -> list[str]:
        """See `ImageSource.referrers`. They are revisions."""
        return []

    def _revisions(self, repository: str) -> list[str]:
        """The digests of all revisions. A deleted one has a folder without a link."""
        folder = self._manifests(repository) / "revisions"
        return [
            f"{algorithm}:{encoded}"
            for algorithm in _folders(folder)
            for encoded in _folders(folder / algorithm)
            if (folder / algorithm / encoded / "link").is_file()
        ]

    def _tags(self, repository: str) -> tuple[dict[str, list[str]], list[SourceBroken]]:
        """The tags by digest, and the tags whose link cannot be read."""
        folder = self._manifests(repository) / "tags"
        found: dict[str, list[str]] = {}
        broken = []
        for tag in _folders(folder):
            try:
                digest = read_small(folder / tag / "current" / "link", _LINK_LIMIT).decode("ascii", "replace").strip()
            except SourceBroken as problem:
                broken.append(SourceBroken(f"tag {tag}: {problem}"))
            else:
                found.setdefault(digest, []).append(tag)
        return found, broken

    def _manifests(self, repository: str) -> Path:
        return self._root / "repositories" / repository / "_manifests"


def _names(folder: Path, name: str, depth: int) -> Iterator[str]:
    """The names of the repositories in and below a folder."""
    inner = _folders(folder)
    if name and "_manifests" in inner:
        yield name
    for component in inner if depth else ():
        if not component.startswith("_"):
            yield from _names(folder / component, f"{name}/{component}" if name else component, depth - 1)


def _folders(folder: Path) -> list[str]:
    """The names of the folders in a folder, sorted, without symbolic links."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    return []
