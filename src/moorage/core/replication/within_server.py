"""Replication to another region or account of this server: rows only, because blobs are stored once.

Several images are copied in one transaction, each with its tags, so none is ever visible in part. If one of them is
refused, the transaction is repeated for each image alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from moorage.core.clock import Clock
from moorage.core.limits import Limits
from moorage.core.reactions import Reactions
from moorage.core.registry.images import Images, Push
from moorage.core.registry.repositories import is_immutable
from moorage.core.replication import events, outcomes
from moorage.core.replication.receiving import Receiver
from moorage.core.replication.removals import Removals
from moorage.domain.batches import batches
from moorage.domain.errors import Refusal, Unavailable
from moorage.domain.names import Digest, Tag
from moorage.domain.registry.errors import ImageAlreadyExists
from moorage.domain.registry.manifests import INDEX_TYPES, parse_manifest
from moorage.metadata.database import Database, Transaction
from moorage.metadata.registry import images, layers, repositories
from moorage.metadata.registry.images import Image
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.replication import copies
from moorage.metadata.replication.entries import Action, Entry, Failure, Stream

_IMAGES: Final = 20
"""Images in one transaction, which takes a few milliseconds; pushes wait for it."""


@dataclass(slots=True)
class Step:
    """What is to be done for one image: all its entries of one action. The image of an index has no entry.

    Nothing is done for a step that is `skipped`.
    """

    action: Action
    digest: str
    tags: dict[str, None] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    children: list[str] = field(default_factory=list)
    skipped: bool = False


def plan(tx: Transaction, stream: Stream, batch: Iterable[Entry]) -> list[Step]:
    """The steps for some entries: each image once, and the images that an index lists before it."""
    source = repositories.find(tx, stream.source, stream.repository)
    steps: dict[tuple[Action, str], Step] = {}
    for entry in batch:
        if source is not None and entry.action == "COPY" and (entry.action, entry.digest) not in steps:
            _add_listed(tx, source, entry.digest, steps)
        step = steps.setdefault((entry.action, entry.digest), Step(entry.action, entry.digest))
        step.entries.append(entry)
        if entry.tag:
            step.tags[entry.tag] = None
    return list(steps.values())


def _add_listed(tx: Transaction, source: Repository, digest: str, steps: dict[tuple[Action, str], Step]) -> None:
    """Add steps for the images that an index lists, the innermost first, and for the index itself."""
    image = images.find(tx, source.id, digest)
    if image is None or image.media_type not in INDEX_TYPES:
        return
    children = images.children_of(tx, image.id)
    for child in children:
        if ("COPY", child.digest) not in steps:
            _add_listed(tx, source, child.digest, steps)
            steps.setdefault(("COPY", child.digest), Step("COPY", child.digest))
    steps["COPY", digest] = Step("COPY", digest, children=[child.digest for child in children])


class WithinServer:
    """The registries of this server, as destinations."""

    def __init__(self, database: Database, images: Images, limits: Limits, reactions: Reactions, now: Clock) -> None:
        self._database = database
        self._images = images
        self._limits = limits
        self._reactions = reactions
        self._now = now

    async def replicate(self, stream: Stream, batch: Sequence[Entry]) -> None:
        """Copy, delete and archive images. Raises Unavailable."""
        steps = await self._database.read(partial(plan, stream=stream, batch=batch))
        codes: dict[str, str] = {}
        for some in batches(steps, _IMAGES):
            try:
                await self._database.write(partial(self._apply, stream, some))
            except Unavailable:
                raise
            except Refusal:
                for step in some:
                    await self._apply_alone(stream, step, codes)

    async def _apply_alone(self, stream: Stream, step: Step, codes: dict[str, str]) -> None:
        """Do one step; if it is refused, save why. `codes` has the failures by digest."""
        try:
            await self._database.write(partial(self._apply, stream, [step]))
        except Unavailable:
            raise
        except Refusal as refusal:
            code = refusal.code().removesuffix("Exception")
            codes[step.digest] = code
            below = tuple(sorted({codes[digest] for digest in step.children if digest in codes}))
            failure = Failure(code, str(refusal), below if step.children else None)
            await self._database.write(partial(self._fail, stream, step, failure))

    def _fail(self, stream: Stream, step: Step, failure: Failure, tx: Transaction) -> None:
        now = self._now()
        outcomes.fail(tx, step.entries, failure, now)
        if step.action == "COPY" and step.entries:
            events.record(tx, stream, step.digest, list(step.tags), now, failed=True)

    def _apply(self, stream: Stream, steps: Sequence[Step], tx: Transaction) -> None:
        """Do some steps. Raises what `Images.put` raises, AccessDenied and RepositoryNotFound."""
        now = self._now()
        source = repositories.find(tx, stream.source, stream.repository)
        receiver = Receiver(stream, self._limits, self._reactions, now)
        here = images.find_all(tx, source.id, [step.digest for step in steps]) if source is not None else {}
        done, gone, copied = list[Entry](), list[Entry](), list[str]()
        for step in steps:
            image = here.get(step.digest)
            if step.action != "COPY":
                self._remove(tx, receiver, image, step)
            elif source is None or image is None or image.is_archived:
                gone += step.entries
                continue
            else:
                self._copy(tx, receiver, source, image, step)
                copied.append(step.digest)
            done += step.entries
        if source is not None:
            outcomes.arrived(tx, source.id, copied, stream.destination, now)
        outcomes.source_gone(tx, gone)
        outcomes.complete(tx, done)

    def _copy(self, tx: Transaction, receiver: Receiver, source: Repository, image: Image, step: Step) -> None:
        """Put an image into the destination, with those of the tags that still name it and that can be set there."""
        now = receiver.now
        target = receiver.repository(tx)
        body = images.manifest_body(tx, image.id)
        manifest = parse_manifest(body, image.media_type)
        _link_layers(tx, source, target, {layer.digest for layer in manifest.layers}, now)
        is_new = images.find(tx, target.id, image.digest) is None
        current = images.tags_of(tx, image.id) if step.tags else []
        tags = tuple(Tag(tag) for tag in current if tag in step.tags and not _is_taken(tx, target, tag, image.digest))
        push = Push(
            body=body,
            manifest=manifest,
            tags=tags,
            digest=Digest(image.digest),
            sparse=self._limits.sparse_manifests,
        )
        try:
            self._images.replicated_from(source.registry).put(tx, target, push, now)
        except ImageAlreadyExists:
            return
        if is_new:
            copies.mark(tx, target.id, image.digest, source.registry, now)
        events.record(tx, receiver.stream, image.digest, tags, now)

    def _remove(self, tx: Transaction, receiver: Receiver, image: Image | None, step: Step) -> None:
        """Delete or archive at the destination what is deleted or archived at the source."""
        target = receiver.existing_repository(tx)
        there = images.find(tx, target.id, step.digest) if target is not None else None
        if target is None or there is None:
            return
        here = self._images.replicated_from(receiver.stream.source)
        removals = Removals(receiver.stream, here, target, receiver.now)
        if step.action == "ARCHIVE":
            if image is not None and image.is_archived:
                removals.archive(tx, there)
        elif image is None and any(not entry.tag for entry in step.entries):
            removals.delete(tx, step.digest)
        else:
            still = images.tags_of(tx, image.id) if image is not None else []
            removals.untag(tx, there, [tag for tag in step.tags if tag not in still])


def _link_layers(tx: Transaction, source: Repository, target: Repository, digests: set[str], now: int) -> None:
    """Make the layers of an image visible in the destination."""
    missing = digests - layers.find_layers(tx, target.id, digests).keys()
    if missing:
        for blob in layers.find_layers(tx, source.id, missing).values():
            layers.link_blob(tx, target.id, blob.id, now)


def _is_taken(tx: Transaction, target: Repository, tag: str, digest: str) -> bool:
    """Whether the destination has the tag for another image and does not let it move."""
    if not is_immutable(target.settings, tag):
        return False
    tagged = images.find_tagged(tx, target.id, tag)
    return tagged is not None and tagged.digest != digest
