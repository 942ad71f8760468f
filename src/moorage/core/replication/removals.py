"""Removals that are replicated: they reach replicas only, never what clients of the destination pushed.

A replica that a client pushes has no mark any more (`outbox.py`), so it stays, with its tags.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from moorage.core.registry.images import Images
from moorage.domain.lifecycle.errors import ImageStorageClassUpdateNotSupported
from moorage.domain.registry.errors import ImageReferencedByIndex
from moorage.metadata.database import Transaction
from moorage.metadata.registry import images
from moorage.metadata.registry.images import Image
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.replication import copies
from moorage.metadata.replication.entries import Stream


class Removals:
    """Removes replicas of one stream at its destination, in one transaction."""

    def __init__(self, stream: Stream, images_: Images, target: Repository, now: int) -> None:
        self._stream = stream
        self._images = images_
        self._target = target
        self._now = now

    def delete(self, tx: Transaction, digest: str) -> None:
        """Delete an image, unless an index there lists it."""
        if self._is_ours(tx, digest):
            with suppress(ImageReferencedByIndex):
                self._images.delete(tx, self._target, digest, self._now)

    def archive(self, tx: Transaction, image: Image) -> None:
        """Archive an image, unless an active index there lists it."""
        if not image.is_archived and self._is_ours(tx, image.digest):
            with suppress(ImageStorageClassUpdateNotSupported):
                self._images.storage_classes.update(tx, self._target, image, "ARCHIVE", self._now)

    def untag(self, tx: Transaction, image: Image, tags: Iterable[str]) -> None:
        """Delete those of the tags that name the image, and that no other source has for it."""
        if copies.source_of(tx, self._target.id, image.digest) is None:
            return
        there = set(images.tags_of(tx, image.id))
        for _, repository_id in copies.other_sources(tx, self._stream, image.digest):
            same = images.find(tx, repository_id, image.digest)
            there.difference_update(images.tags_of(tx, same.id) if same is not None else ())
        for tag in tags:
            if tag in there:
                self._images.untag(tx, self._target, tag, self._now)

    def _is_ours(self, tx: Transaction, digest: str) -> bool:
        """Whether an image came from this source only. If another source has it, too, the replica is now that one's."""
        if copies.source_of(tx, self._target.id, digest) != self._stream.source:
            return False
        others = copies.other_sources(tx, self._stream, digest)
        if others:
            copies.unmark(tx, self._target.id, digest)
            copies.mark(tx, self._target.id, digest, others[0][0], self._now)
        return not others
