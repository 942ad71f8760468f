"""Imports: the images of a source become images of a registry, some at a time, each whole or not at all.

A run that is repeated skips what is there, so an interrupted import is continued by running it again. An image that the
source has only in part is reported, and all others come.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from moorage.core.clock import Clock
from moorage.core.limits import Limits
from moorage.core.reactions import Reactions
from moorage.core.registry import templates
from moorage.core.registry.images import Images, Push, parsed
from moorage.core.transfer.storing import BlobImports
from moorage.domain.batches import batches
from moorage.domain.errors import Refusal, Unavailable
from moorage.domain.image_sources import INDEX_DEPTH, ImageSource, RootImage, SourceBroken
from moorage.domain.names import Digest, Registry, RepositoryName, Tag, matches_wildcard
from moorage.domain.registry.errors import ImageAlreadyExists
from moorage.domain.registry.manifests import claimed_type
from moorage.metadata.database import Database, Transaction
from moorage.metadata.registry import images, repositories
from moorage.metadata.registry.repositories import Repository

_IMAGES: Final = 50
"""Images in one transaction, which takes some milliseconds; other changes wait for it."""

_READ_AT_ONCE: Final = 250
"""Images whose manifests are in memory, with 1 MiB at most in practice, and whose layers are linked together."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What is imported, and where. `prefix` comes before the names of the source; no patterns select all of them."""

    registry: Registry
    prefix: str = ""
    patterns: tuple[str, ...] = ()

    def selects(self, name: str) -> bool:
        return not self.patterns or any(matches_wildcard(pattern, name) for pattern in self.patterns)


@dataclass(slots=True)
class ImportCounts:
    """How far an import is: repositories, images that came, that were here before, and that are broken."""

    repositories: int = 0
    images: int = 0
    present: int = 0
    broken: int = 0


@dataclass(frozen=True, slots=True)
class ImportParts:
    """What an import works with."""

    database: Database
    blobs: BlobImports
    images: Images
    limits: Limits
    reactions: Reactions
    now: Clock


@dataclass(frozen=True, slots=True)
class _Prepared:
    """An image that was read from the source."""

    push: Push
    digest: str


class Import:
    """Imports from one source. `report` gets one line for each image that is broken."""

    def __init__(
        self, parts: ImportParts, source: ImageSource, options: ImportOptions, report: Callable[[str], None]
    ) -> None:
        self._parts = parts
        self._source = source
        self._options = options
        self._report = report
        self._seen: set[str] = set()
        self.counts = ImportCounts()

    async def run(self) -> ImportCounts:
        """Import everything that is selected. Raises SourceBroken, StoreFull, Unavailable, OSError."""
        async for name in self._source.repositories():
            if self._options.selects(name):
                await self._import_repository(name)
        return self.counts

    async def _import_repository(self, name: str) -> None:
        """Import one repository, which is created as by a push: from its template, or with ECR's defaults."""
        try:
            target = RepositoryName.parse(f"{self._options.prefix}{name}")
            repository = await self._parts.database.write(partial(self._repository, target))
        except Unavailable:
            raise
        except Refusal as refusal:
            self._broken(name, refusal)
            return
        self.counts.repositories += 1
        self._seen = set()
        async for roots in _batches(self._source.images(name)):
            for problem in (root for root in roots if isinstance(root, SourceBroken)):
                self._broken(name, problem)
            await self._import_images(name, repository, [root for root in roots if isinstance(root, RootImage)])

    def _repository(self, name: RepositoryName, tx: Transaction) -> Repository:
        registry = self._options.registry
        creation = templates.Creation(self._parts.limits, self._parts.reactions, self._parts.now())
        return repositories.find(tx, registry, name) or templates.create_without_push(
            tx, registry, name, templates.CREATE_ON_PUSH, creation
        )

    async def _import_images(self, name: str, repository: Repository, roots: Sequence[RootImage]) -> None:
        present = await self._parts.database.read(partial(_present, repository=repository, roots=roots))
        self.counts.present += len(present)
        wanted = [root for root in roots if root not in present]
        found = await asyncio.gather(*(self._prepare(name, root) for root in wanted))
        prepared = _in_order([image for images_of_root in found for image in images_of_root])
        blobs = {
            layer.digest: layer for image in prepared for layer in image.push.manifest.layers if not layer.is_foreign
        }
        broken = await self._parts.blobs.bring(self._source, name, repository, blobs)
        whole = []
        for image in prepared:
            named = dict.fromkeys(layer.digest for layer in image.push.manifest.layers if layer.digest in broken)
            reasons = [f"layer {digest}: {broken[digest]}" for digest in named]
            if reasons:
                self._broken(_title(name, image), "; ".join(reasons))
            else:
                whole.append(image)
        for some in batches(whole, _IMAGES):
            await self._put_all(name, repository, some)

    # --- Reading --------------------------------------------------------------------------------------------------

    async def _prepare(self, name: str, root: RootImage) -> list[_Prepared]:
        """The images of a root: those that an index lists, then the root itself, then its referrers."""
        try:
            return await self._read(name, root, INDEX_DEPTH)
        except (SourceBroken, Refusal) as problem:
            self._broken(f"{name}{_reference(root.digest, root.tags)}", problem)
            return []

    async def _read(self, name: str, root: RootImage, depth: int) -> list[_Prepared]:
        """Raises SourceBroken, Refusal."""
        if root.digest in self._seen and not root.tags:
            return []
        self._seen.add(root.digest)
        push = await self._push(name, root)
        children = push.manifest.children
        if children and not depth:
            raise SourceBroken("the index is nested too deeply")
        found = []
        for child in children:
            found += await self._read(name, RootImage(child.digest), depth - 1)
        found.append(_Prepared(push, root.digest))
        for referrer in await self._source.referrers(name, root.digest) if depth else ():
            found += await self._read(name, RootImage(referrer), depth - 1)
        return found

    async def _push(self, name: str, root: RootImage) -> Push:
        digest = Digest.parse(root.digest)
        source = await self._source.manifest(name, digest)
        if f"{digest.algorithm}:{hashlib.new(digest.algorithm, source.body).hexdigest()}" != digest:
            raise SourceBroken("its manifest has other bytes")
        manifest = await parsed(source.body, source.media_type or claimed_type(source.body))
        tags = tuple(Tag.parse(tag) for tag in root.tags)
        return Push(body=source.body, manifest=manifest, tags=tags, digest=digest, sparse=False)

    # --- Writing --------------------------------------------------------------------------------------------------

    async def _put_all(self, name: str, repository: Repository, prepared: Sequence[_Prepared]) -> None:
        """Write the images together. If one of them is refused, write each alone."""
        try:
            self._count(await self._parts.database.write(partial(self._put, repository, prepared)))
        except Unavailable:
            raise
        except Refusal:
            for image in prepared:
                await self._put_alone(name, repository, image)

    async def _put_alone(self, name: str, repository: Repository, image: _Prepared) -> None:
        try:
            self._count(await self._parts.database.write(partial(self._put, repository, [image])))
        except Unavailable:
            raise
        except Refusal as refusal:
            self._broken(_title(name, image), refusal)

    def _put(self, repository: Repository, prepared: Iterable[_Prepared], tx: Transaction) -> tuple[int, int]:
        """Write images; returns how many are new, and how many were here."""
        new = present = 0
        for image in prepared:
            try:
                self._parts.images.put(tx, repository, image.push, self._parts.now())
                new += 1
            except ImageAlreadyExists:
                present += 1
        return new, present

    def _count(self, written: tuple[int, int]) -> None:
        self.counts.images += written[0]
        self.counts.present += written[1]

    def _broken(self, title: str, reason: object) -> None:
        self.counts.broken += 1
        self._report(f"{title}: {reason}")


def _present(tx: Transaction, repository: Repository, roots: Sequence[RootImage]) -> set[RootImage]:
    """The images that the repository has, with all these tags."""
    found = images.find_all(tx, repository.id, (root.digest for root in roots))
    tags = images.tags_of_all(tx, (image.id for image in found.values()))
    return {
        root
        for root in roots
        if root.digest in found
        and not found[root.digest].is_archived
        and set(root.tags) <= set(tags.get(found[root.digest].id, ()))
    }


async def _batches(roots: AsyncIterator[RootImage | SourceBroken]) -> AsyncIterator[list[RootImage | SourceBroken]]:
    batch = []
    async for root in roots:
        batch.append(root)
        if len(batch) == _READ_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _in_order(prepared: Sequence[_Prepared]) -> list[_Prepared]:
    """Images before the indexes that list them. Those that are not here are in the registry, or missing."""
    by_digest = {image.digest: image for image in prepared}

    def level(image: _Prepared) -> int:
        listed = (by_digest.get(child.digest) for child in image.push.manifest.children)
        return 1 + max((level(child) for child in listed if child is not None), default=0)

    return sorted(prepared, key=level)


def _title(name: str, image: _Prepared) -> str:
    return f"{name}{_reference(image.digest, image.push.tags)}"


def _reference(digest: str, tags: Sequence[str]) -> str:
    return f":{tags[0]}" if tags else f"@{digest}"
