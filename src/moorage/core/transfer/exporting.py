"""Exports: images of a registry become an OCI layout or a bundle, with the images that they list and their referrers.

Each blob is compared with its digest on its way. An image that is damaged here is reported and left out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import msgspec

from moorage.core.registry import repositories
from moorage.core.registry.images import parsed
from moorage.domain.errors import ManifestNotFound, Refusal, Unavailable
from moorage.domain.failures import is_damage
from moorage.domain.image_sources import INDEX_DEPTH, REF_NAME, ImageTarget, SourceBroken
from moorage.domain.names import Registry, matches_wildcard
from moorage.domain.ports import BlobMissing, BlobStore
from moorage.domain.registry.manifests import OCI_INDEX, Descriptor
from moorage.metadata.database import Database, Transaction
from moorage.metadata.registry import images, layers
from moorage.metadata.registry import repositories as rows
from moorage.metadata.registry.images import Image, ImageFilter
from moorage.metadata.registry.repositories import Repository

_PAGE_IMAGES: Final = 500


@dataclass(frozen=True, slots=True)
class Selection:
    """What is exported: REPOSITORY, REPOSITORY:TAG or REPOSITORY@DIGEST; `*` in a repository stands for any text."""

    repository: str
    reference: str = ""

    @classmethod
    def parse(cls, text: str) -> Selection:
        """Read a selection of the command line."""
        if "@" in text:
            repository, _, digest = text.partition("@")
            return cls(repository, digest)
        repository, colon, tag = text.rpartition(":")
        return cls(repository, tag) if colon else cls(text)


@dataclass(slots=True)
class ExportCounts:
    """How far an export is: tags and images, blobs that were written and their bytes, and images that are damaged."""

    images: int = 0
    blobs: int = 0
    bytes: int = 0
    broken: int = 0


@dataclass(slots=True)
class _Written:
    """What an export has written: the entries of the index, and the images that are whole there."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    whole: set[tuple[int, str]] = field(default_factory=set)


class Export:
    """Exports images of one registry. `report` gets one line for each image that is damaged."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        target: ImageTarget,
        registry: Registry,
        report: Callable[[str], None],
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._target = target
        self._registry = registry
        self._report = report
        self._written = _Written()
        self.counts = ExportCounts()

    async def run(self, selections: Sequence[Selection]) -> ExportCounts:
        """Raises RepositoryNotFound, ManifestNotFound, Unavailable, OSError."""
        for selection in selections:
            async for repository in self._repositories(selection):
                async for image, tags in self._images(repository, selection):
                    await self._export(repository, image, tags)
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": self._written.entries}
        await self._target.finish(
            {
                "oci-layout": msgspec.json.encode({"imageLayoutVersion": "1.0.0"}),
                "index.json": msgspec.json.format(msgspec.json.encode(index), indent=2),
            }
        )
        return self.counts

    async def _repositories(self, selection: Selection) -> AsyncIterator[Repository]:
        name = selection.repository
        if "*" not in name:
            yield await self._database.read(lambda tx: repositories.get(tx, self._registry, name))
            return
        for found in await self._database.read(lambda tx: list(rows.all_with_policies(tx, self._registry))):
            if matches_wildcard(name, found[0].name):
                yield found[0]

    async def _images(self, repository: Repository, selection: Selection) -> AsyncIterator[tuple[Image, list[str]]]:
        """The selected images with their tags: the ones that have tags, or the named one."""
        if selection.reference:
            yield await self._database.read(partial(_named, repository=repository, reference=selection.reference))
            return
        after = 0
        while page := await self._database.read(partial(_page, repository=repository, after=after)):
            for image, tags in page:
                yield image, tags
            after = page[-1][0].id

    async def _export(self, repository: Repository, image: Image, tags: Sequence[str]) -> None:
        """Export one image, with its referrers; an image that is damaged is reported."""
        name = repository.name
        try:
            await self._write(repository, image, INDEX_DEPTH)
            referrers = await self._write_referrers(repository, image, INDEX_DEPTH)
        except (SourceBroken, BlobMissing) as problem:
            self.counts.broken += 1
            self._report(f"{name}{f':{tags[0]}' if tags else f'@{image.digest}'}: {problem}")
            return
        self.counts.images += 1
        for reference in [f"{name}:{tag}" for tag in tags] or [f"{name}@{image.digest}"]:
            self._written.entries.append(_entry(image, reference))
        self._written.entries += [_entry(each, f"{name}@{each.digest}") for each in referrers]

    async def _write(self, repository: Repository, image: Image, depth: int) -> None:
        """Write an image after those that it lists. Raises SourceBroken, Unavailable, OSError."""
        if (repository.id, image.digest) in self._written.whole:
            return
        if image.is_archived:
            raise SourceBroken(f"{image.digest} is archived: restore it first")
        body = await self._database.read(lambda tx: images.manifest_body(tx, image.id))
        try:
            manifest = await parsed(body, image.media_type)
        except Unavailable:
            raise
        except Refusal as refusal:
            raise SourceBroken(f"{image.digest}: {refusal}") from None
        for child in await self._database.read(lambda tx: images.children_of(tx, image.id)) if depth else ():
            await self._write(repository, child, depth - 1)
        for layer in manifest.layers:
            await self._write_layer(repository, layer)
        await self._add(image.digest, len(body), _whole(body), inherits=False)
        self._written.whole.add((repository.id, image.digest))

    async def _write_referrers(self, repository: Repository, image: Image, depth: int) -> list[Image]:
        """Write what refers to an image, such as its signatures; returns it."""
        found: list[Image] = []
        for each in await self._database.read(lambda tx: images.with_subject(tx, repository.id, image.digest)):
            if each.is_archived or not depth or (repository.id, each.digest) in self._written.whole:
                continue
            await self._write(repository, each, INDEX_DEPTH)
            found += [each, *await self._write_referrers(repository, each, depth - 1)]
        return found

    async def _write_layer(self, repository: Repository, layer: Descriptor) -> None:
        blob = await self._database.read(lambda tx: layers.find_layer(tx, repository.id, layer.digest))
        if blob is None:
            if layer.is_foreign:
                return
            raise SourceBroken(f"layer {layer.digest} is missing")
        await self._add(blob.digest, blob.size, self._blobs.read(blob.key, 0, blob.size), inherits=True)

    async def _add(self, digest: str, size: int, chunks: AsyncIterator[bytes], *, inherits: bool) -> None:
        """Raises SourceBroken for bytes that are damaged here."""
        if self._target.has(digest, size, inherits=inherits):
            return
        try:
            found = await self._target.add(digest, size, chunks)
        except BlobMissing:
            raise SourceBroken(f"layer {digest} is missing") from None
        except OSError as error:
            if not is_damage(error):
                raise
            raise SourceBroken(f"layer {digest} cannot be read: {error.strerror}") from None
        if found != digest:
            raise SourceBroken(f"{digest} is damaged: its bytes have the digest {found}")
        self.counts.blobs += 1
        self.counts.bytes += size


def _page(tx: Transaction, repository: Repository, after: int) -> list[tuple[Image, list[str]]]:
    """The next images with tags."""
    found = images.page(tx, repository.id, after, ImageFilter(tagged=True, status="ANY"), _PAGE_IMAGES)
    tags = images.tags_of_all(tx, (image.id for image in found))
    return [(image, tags.get(image.id, [])) for image in found]


def _named(tx: Transaction, repository: Repository, reference: str) -> tuple[Image, list[str]]:
    """Raises ManifestNotFound."""
    is_digest = ":" in reference
    find = images.find if is_digest else images.find_tagged
    image = find(tx, repository.id, reference)
    if image is None:
        raise ManifestNotFound
    return image, [] if is_digest else [reference]


def _entry(image: Image, reference: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"mediaType": image.media_type, "digest": image.digest, "size": image.manifest_size}
    if image.artifact_type and image.subject:
        entry["artifactType"] = image.artifact_type
    return {**entry, "annotations": {REF_NAME: reference}}


async def _whole(body: bytes) -> AsyncIterator[bytes]:
    yield body
