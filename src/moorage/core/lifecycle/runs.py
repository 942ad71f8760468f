"""Lifecycle policies at work, beside the requests: the same choice of images for a preview and for a run.

A choice is made on one snapshot of the repository, read in small pieces with long rests between them, so that an event
loop that serves pushes goes on. What it says is done in short transactions, in which each image is looked at once
more: one that was tagged, pulled or listed by an index meanwhile waits for the next run.
"""

from __future__ import annotations

import time
from collections.abc import Container, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

from moorage.core.clock import Clock
from moorage.core.events.audit import Audit
from moorage.core.lifecycle import audit_records as lifecycle_records
from moorage.core.lifecycle import policies as lifecycle
from moorage.core.lifecycle.audit_records import AppliedBatch
from moorage.core.lifecycle.orphans import Deletion
from moorage.core.limits import Limits
from moorage.core.pacing import Throttle
from moorage.core.registry.images import Images
from moorage.domain.batches import batches
from moorage.domain.errors import ImageReferencedByIndex
from moorage.domain.lifecycle.policy import Rule, parse
from moorage.domain.lifecycle.selection import SelectedImage, Selection
from moorage.domain.units import DAY
from moorage.metadata.database import Database, Transaction, Work
from moorage.metadata.jobs import Job
from moorage.metadata.lifecycle import facts, policies, previews
from moorage.metadata.registry import images as image_rows
from moorage.metadata.registry import repositories
from moorage.metadata.registry.repositories import Repository

T = TypeVar("T")

_PAGE: Final = 250
"""Images that are read at a time: about a millisecond."""

_BATCH: Final = 20
"""Images that are removed or archived in one transaction, which pushes wait for."""

_RESULTS: Final = 500
"""Results of a preview that are written in one transaction."""

_SHARE: Final = 1 / 9
"""The share of one processor that a run takes: each rest is eight times as long as the work before it."""


class LifecycleJobs:
    """What the jobs of lifecycle policies do."""

    def __init__(self, database: Database, images: Images, audit: Audit, limits: Limits, now: Clock) -> None:
        self._database = database
        self._images = images
        self._audit = audit
        self._limits = limits
        self._now = now

    async def run(self, job: Job) -> None:
        """Apply the policy of a repository, and ask for the next run.

        That is in a day. After one that changed something it is as soon as after a push: an index that went leaves
        images behind that nothing needs any more.
        """
        repository_id, now = int(job.key), self._now()
        policy = await self._database.read(lambda tx: policies.find(tx, repository_id))
        if policy is None:
            return
        changed = 0
        for batch in batches(await self._choose(repository_id, parse(policy.text).rules, now), _BATCH):
            done = await self._write(partial(self._apply, repository_id, policy.text, batch))
            lifecycle_records.tell(self._audit, done, policy.text, now)
            changed += len(done.choices)

        def finish(tx: Transaction) -> None:
            policies.record_evaluation(tx, repository_id, policy.text, now)
            lifecycle.apply_at(tx, repository_id, self._now() + (self._limits.lifecycle_delay if changed else DAY))

        await self._database.write(finish)

    async def preview(self, job: Job) -> None:
        """Work out the preview that a repository waits for."""
        repository_id = int(job.key)
        preview = await self._database.read(lambda tx: previews.find(tx, repository_id))
        if preview is None or preview.is_complete:
            return
        choices = await self._choose(repository_id, parse(preview.text).rules, self._now())
        await self._database.write(lambda tx: previews.clear_results(tx, repository_id))
        first = 0
        for batch in batches(choices, _RESULTS):
            await self._write(partial(previews.add_results, repository_id=repository_id, first=first, images=batch))
            first += len(batch)
        expiring = sum(choice.rule.action == "expire" for choice in choices)
        archiving = len(choices) - expiring
        await self._database.write(lambda tx: previews.complete(tx, repository_id, expiring, archiving))

    async def remove_orphans(self, job: Job) -> None:
        """Remove what refers to an image that was deleted, but for what an index lists."""
        deletion = Deletion.of(job)
        for batch in batches(await self._database.read(deletion.orphans), _BATCH):
            await self._write(partial(self._remove, deletion, {image.digest for image in batch}))

    def _remove(self, deletion: Deletion, batch: Container[str], tx: Transaction) -> None:
        repository = repositories.find_by_id(tx, deletion.repository_id)
        for orphan in deletion.orphans(tx):
            if repository is not None and orphan.digest in batch:
                with suppress(ImageReferencedByIndex):
                    self._images.delete(tx, repository, orphan.digest, self._now())

    async def _choose(self, repository_id: int, rules: Sequence[Rule], now: int) -> list[SelectedImage]:
        selection, throttle = Selection(rules, now), Throttle(_SHARE, time.thread_time)
        async with self._database.snapshot() as state:
            after = 0
            while True:
                with throttle.working():
                    read = partial(facts.page, repository_id=repository_id, after=after, limit=_PAGE)
                    page = await state.read(read)
                    for image in page:
                        selection.add(image)
                if len(page) < _PAGE:
                    return selection.selected()
                after = page[-1].id
                await throttle.rest()

    def _apply(self, repository_id: int, text: str, batch: Sequence[SelectedImage], tx: Transaction) -> AppliedBatch:
        """Do what was chosen where it is still right, and the policy still the same; returns what was done."""
        repository = repositories.find_by_id(tx, repository_id)
        policy = policies.find(tx, repository_id)
        if repository is None or policy is None or policy.text != text:
            return AppliedBatch()
        return AppliedBatch(repository, [choice for choice in batch if self._act(tx, repository, choice, self._now())])

    def _act(self, tx: Transaction, repository: Repository, choice: SelectedImage, now: int) -> bool:
        current = facts.find(tx, choice.image.id)
        if current is None or not choice.still_holds(current):
            return False
        if choice.rule.action == "expire":
            self._images.delete(tx, repository, choice.image.digest, now)
            return True
        image = image_rows.find(tx, repository.id, choice.image.digest)
        if image is not None:
            self._images.storage_classes.update(tx, repository, image, "ARCHIVE", now)
        return image is not None

    async def _write(self, work: Work[T]) -> T:
        """One transaction of many, and a rest behind it."""
        throttle = Throttle(_SHARE)
        with throttle.working():
            result = await self._database.write(work)
        await throttle.rest()
        return result
