"""OCI layouts: one of its own, many below a folder as zot stores them, or a bundle, which is a layout in a tar file.

A layout has `oci-layout`, `index.json` and `blobs/sha256/abcd…` (image-spec, image-layout.md). In its index, the
annotation `org.opencontainers.image.ref.name` is a tag, or REPOSITORY:TAG or REPOSITORY@DIGEST in what an export wrote.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol

import msgspec

from moorage.adapters.image_folders.reading import NAME_DEPTH, chunks_of, parts_of, read_small
from moorage.domain import strict_json
from moorage.domain.image_sources import REF_NAME, RootImage, SourceBroken, SourceManifest
from moorage.domain.registry.manifests import MANIFEST_LIMIT, Descriptor
from moorage.domain.strict_json import BadJson

INDEX: Final = "index.json"
LAYOUT: Final = "oci-layout"

_INDEX_LIMIT: Final = 64 << 20


class _Index(msgspec.Struct):
    manifests: list[Descriptor] = []


class LayoutFiles(Protocol):
    """The files of one layout, by their names in it. All methods raise SourceBroken."""

    def small(self, name: str, limit: int) -> bytes:
        """The content of a file."""

    def chunks(self, name: str) -> AsyncIterator[bytes]:
        """The bytes of a file."""

    def path(self, name: str) -> Path | None:
        """The file itself; None if it is only a part of one."""


class FolderFiles:
    """A layout that is a folder: see `LayoutFiles`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def small(self, name: str, limit: int) -> bytes:
        """See `LayoutFiles.small`."""
        return read_small(self._root / name, limit)

    def chunks(self, name: str) -> AsyncIterator[bytes]:
        """See `LayoutFiles.chunks`."""
        return chunks_of(self._root / name)

    def path(self, name: str) -> Path:
        """See `LayoutFiles.path`."""
        return self._root / name


class LayoutSource:
    """Layouts by the repository that their tags belong to: see `ImageSource`.

    With the name "", a layout names the repositories itself.
    """

    def __init__(self, layouts: Mapping[str, LayoutFiles]) -> None:
        self._layouts = layouts
        self._found: dict[str, tuple[LayoutFiles, list[RootImage | SourceBroken]]] = {}

    async def repositories(self) -> AsyncIterator[str]:
        """See `ImageSource.repositories`. Of a layout whose index cannot be read, the problem is an image."""
        for name, files in self._layouts.items():
            try:
                images = await asyncio.to_thread(_images_of, name, files)
            except SourceBroken as broken:
                if not name:
                    raise
                images = {name: [broken]}
            for repository, roots in images.items():
                self._found = {repository: (files, roots)}
                yield repository

    async def images(self, repository: str) -> AsyncIterator[RootImage | SourceBroken]:
        """See `ImageSource.images`; of the repository that came last."""
        for image in self._found[repository][1]:
            yield image

    async def manifest(self, repository: str, digest: str) -> SourceManifest:
        """See `ImageSource.manifest`."""
        files, name = self._found[repository][0], blob_name(digest)
        return SourceManifest(await asyncio.to_thread(files.small, name, MANIFEST_LIMIT))

    def blob(self, repository: str, digest: str, _size: int) -> AsyncIterator[bytes]:
        """See `ImageSource.blob`."""
        return self._found[repository][0].chunks(blob_name(digest))

    def place(self, repository: str, digest: str) -> Path | None:
        """See `ImageSource.place`."""
        return self._found[repository][0].path(blob_name(digest))

    async def referrers(self, _repository: str, _digest: str) -> list[str]:
        """See `ImageSource.referrers`. They are in the index."""
        return []


def layouts_below(root: Path) -> dict[str, LayoutFiles]:
    """The layouts of a folder: itself, or those below it by their path. Raises SourceBroken if there is none."""
    if (root / LAYOUT).is_file():
        return {"": FolderFiles(root)}
    found: dict[str, LayoutFiles] = {name: FolderFiles(root / name) for name in _names(root, "", NAME_DEPTH)}
    if not found:
        raise SourceBroken(f"{root} has no OCI layout: there is no file {LAYOUT} in it, or in a folder below it")
    return found


def blob_name(digest: str) -> str:
    """The name of a blob in a layout. Raises SourceBroken for a text that is not a digest."""
    algorithm, encoded = parts_of(digest)
    return f"blobs/{algorithm}/{encoded}"


def _images_of(name: str, files: LayoutFiles) -> dict[str, list[RootImage | SourceBroken]]:
    """The images of a layout, by repository, each digest once. Raises SourceBroken."""
    try:
        index = strict_json.read_as(_Index, files.small(INDEX, _INDEX_LIMIT))
    except BadJson as error:
        raise SourceBroken(f"{INDEX}: {error}") from None
    tags: dict[str, dict[str, list[str]]] = {}
    broken: dict[str, list[RootImage | SourceBroken]] = {}
    for descriptor in index.manifests:
        reference = (descriptor.annotations or {}).get(REF_NAME, "")
        repository, tag = _place(name, reference)
        if not repository:
            problem = SourceBroken(f"{reference or descriptor.digest} names no repository: use --name")
            broken.setdefault("unnamed", []).append(problem)
            continue
        of_digest = tags.setdefault(repository, {}).setdefault(descriptor.digest, [])
        if tag:
            of_digest.append(tag)
    return broken | {
        repository: [RootImage(digest, tuple(names)) for digest, names in found.items()]
        for repository, found in tags.items()
    }


def _place(name: str, reference: str) -> tuple[str, str]:
    """The repository and the tag that a reference in an index means; `name` is the repository of a plain tag."""
    if name:
        return name, reference
    if "@" in reference:
        return reference.partition("@")[0], ""
    repository, _, tag = reference.rpartition(":")
    return repository, tag


def _names(folder: Path, name: str, depth: int) -> Iterator[str]:
    """The paths of the layouts below a folder, without following symbolic links."""
    with os.scandir(folder) as entries:
        inner = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    for component in inner:
        path = f"{name}/{component}" if name else component
        if (folder / component / LAYOUT).is_file():
            yield path
        if depth and component not in {"blobs", "_trivy"}:
            yield from _names(folder / component, path, depth - 1)
