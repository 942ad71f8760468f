"""The storage of CNCF Distribution (registry:2, registry:3), which Harbor has, too: a folder or a bucket.

    docker/registry/v2/blobs/sha256/ab/abcd…/data
    docker/registry/v2/repositories/NAME/_manifests/revisions/sha256/abcd…/link
    docker/registry/v2/repositories/NAME/_manifests/tags/TAG/current/link

Distribution, registry/storage/paths.go. A file `link` has the digest of a blob. A repository can be below another one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final, Protocol

from moorage.adapters.image_folders.reading import NAME_DEPTH, parts_of
from moorage.domain.image_sources import BlobPlace, RootImage, SourceBroken, SourceManifest
from moorage.domain.registry.manifests import MANIFEST_LIMIT

_TREE: Final = "docker/registry/v2"
_LINK_LIMIT: Final = 256


class StorageFiles(Protocol):
    """The files of a storage, in a folder or a bucket. Paths have slashes; the path of the storage itself is empty."""

    @property
    def title(self) -> str:
        """The storage, for messages."""

    async def folders(self, path: str) -> list[str]:
        """The names of the folders in a folder, sorted; none if it does not exist."""

    async def below(self, path: str) -> list[str]:
        """The paths of all files below a folder, relative to it, sorted."""

    async def small(self, paths: Sequence[str], limit: int) -> list[bytes | SourceBroken]:
        """The content of each file, or why it cannot be read, or is longer than the limit."""

    def chunks(self, path: str, size: int) -> AsyncIterator[bytes]:
        """The bytes of a file that should have that size. Raises SourceBroken."""

    def place(self, path: str) -> BlobPlace:
        """The place of a file, for a blob store that can take it over."""


class DistributionSource:
    """A storage of Distribution: see `ImageSource`. The tree is where its configuration says, or `files` is `v2`."""

    def __init__(self, files: StorageFiles) -> None:
        self._files = files
        self._root = f"{_TREE}/"

    async def repositories(self) -> AsyncIterator[str]:
        """See `ImageSource.repositories`. Raises SourceBroken for anything else than a storage."""
        if "repositories" not in await self._files.folders(_TREE):
            self._root = ""
            if "repositories" not in await self._files.folders(""):
                raise SourceBroken(
                    f"{self._files.title} is not a storage of Distribution: it has no {_TREE}/repositories"
                )
        async for name in self._names("", NAME_DEPTH):
            yield name

    async def images(self, repository: str) -> AsyncIterator[RootImage | SourceBroken]:
        """See `ImageSource.images`. All revisions, with their tags, and tags of revisions that are missing."""
        tags, broken = await self._tags(repository)
        for problem in broken:
            yield problem
        for digest in await self._revisions(repository):
            yield RootImage(digest, tuple(tags.pop(digest, ())))
        for digest, names in tags.items():
            yield SourceBroken(f"the tags {', '.join(names)} name {digest}, which is missing")

    async def manifest(self, _repository: str, digest: str) -> SourceManifest:
        """See `ImageSource.manifest`."""
        (body,) = await self._files.small([self._data(digest)], MANIFEST_LIMIT)
        if isinstance(body, SourceBroken):
            raise body
        return SourceManifest(body)

    def blob(self, _repository: str, digest: str, size: int) -> AsyncIterator[bytes]:
        """See `ImageSource.blob`."""
        return self._files.chunks(self._data(digest), size)

    def place(self, _repository: str, digest: str) -> BlobPlace:
        """See `ImageSource.place`."""
        return self._files.place(self._data(digest))

    async def referrers(self, _repository: str, _digest: str) -> list[str]:
        """See `ImageSource.referrers`. They are revisions."""
        return []

    async def _names(self, name: str, depth: int) -> AsyncIterator[str]:
        """The names of the repositories in and below a folder."""
        inner = await self._files.folders(f"{self._root}repositories/{name}".rstrip("/"))
        if name and "_manifests" in inner:
            yield name
        for component in inner if depth else ():
            if not component.startswith("_"):
                async for found in self._names(f"{name}/{component}" if name else component, depth - 1):
                    yield found

    async def _revisions(self, repository: str) -> list[str]:
        """The digests of all revisions. A deleted one has no link."""
        paths = [path.split("/") for path in await self._files.below(f"{self._manifests(repository)}/revisions")]
        return [f"{path[0]}:{path[1]}" for path in paths if len(path) == 3 and path[2] == "link"]

    async def _tags(self, repository: str) -> tuple[dict[str, list[str]], list[SourceBroken]]:
        """The tags by digest, and the tags whose link cannot be read."""
        folder = f"{self._manifests(repository)}/tags"
        tags = await self._files.folders(folder)
        links = await self._files.small([f"{folder}/{tag}/current/link" for tag in tags], _LINK_LIMIT)
        found: dict[str, list[str]] = {}
        broken = []
        for tag, link in zip(tags, links, strict=True):
            if isinstance(link, SourceBroken):
                broken.append(SourceBroken(f"tag {tag}: {link}"))
            else:
                found.setdefault(link.decode("ascii", "replace").strip(), []).append(tag)
        return found, broken

    def _manifests(self, repository: str) -> str:
        return f"{self._root}repositories/{repository}/_manifests"

    def _data(self, digest: str) -> str:
        algorithm, encoded = parts_of(digest)
        return f"{self._root}blobs/{algorithm}/{encoded[:2]}/{encoded}/data"
