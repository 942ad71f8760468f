"""Jobs of lifecycle policies: runs, previews and the removal of orphans.

Runs and previews select images in the same way, on a snapshot of the repository. They read it in small pages with
pauses in between, so that the event loop continues to serve requests. A run then expires or archives the selected
images in short transactions. Each transaction checks its images again: an image that was tagged, pulled or listed by an
index meanwhile is left to the next run.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Container, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

from moorage.core.clock import Clock
from moorage.core.events.audit import Audit
from moorage.core.lifecycle import audit_records
from moorage.core.lifecycle import policies as lifecycle
from moorage.core.lifecycle.audit_records import AppliedBatch
from moorage.core.lifecycle.orphans import SubjectDeletion
from moorage.core.limits import Limits
from moorage.core.pacing import Throttle
from moorage.core.registry.images import Images
from moorage.domain.batches import batches
from moorage.domain.errors import InvalidParameter
from moorage.domain.lifecycle.policy import Rule, parse
from moorage.domain.lifecycle.selection import Choice, SelectedImage, Selection
from moorage.domain.registry.errors import ImageReferencedByIndex
from moorage.domain.units import DAY
from moorage.metadata.database import Database, Transaction, Work
from moorage.metadata.jobs import Job, JobHopeless
from moorage.metadata.lifecycle import facts, policies, previews
from moorage.metadata.lifecycle.previews import PreviewResult
from moorage.metadata.registry import images as image_rows
from moorage.metadata.registry import repositories
from moorage.metadata.registry.repositories import Repository

T = TypeVar("T")

_PAGE: Final = 250
"""Images read at a time, which takes a millisecond or two."""

_BATCH: Final = 20
"""Images deleted or archived in one transaction; pushes wait for it."""

_RESULTS: Final = 2000
"""Preview results written in one transaction, which takes a few milliseconds: 20 rows of about 20 KB."""

_SHARE: Final = 1 / 9
"""The share of one processor that a run uses: each pause is eight times as long as the work before it."""

_PREVIEW_SHARE: Final = 1 / 3
"""The share of a preview, for which a client waits."""


class LifecycleJobs:
    """The work of the jobs of lifecycle policies."""

    def __init__(self, database: Database, images: Images, audit: Audit, limits: Limits, now: Clock) -> None:
        self._database = database
        self._images = images
        self._audit = audit
        self._limits = limits
        self._now = now

    async def run(self, job: Job) -> None:
        """Apply the policy of a repository, and schedule the next run.

        The next run is in a day. After a run that changed something it is as soon as after a push, because a deleted
        index can leave images that now match the policy. Raises JobHopeless for a policy that cannot be read.
        """
        repository_id, now = int(job.key), self._now()
        policy = await self._database.read(lambda tx: policies.find(tx, repository_id))
        if policy is None:
            return
        changed = 0
        for batch in batches(await self._select(repository_id, _rules(policy.text), now, _SHARE), _BATCH):
            applied = await self._write(partial(self._apply, repository_id, policy.text, batch))
            audit_records.record(self._audit, applied, policy.text, now)
            changed += len(applied.images)

        def finish(tx: Transaction) -> None:
            policies.record_evaluation(tx, repository_id, policy.text, now)
            lifecycle.apply_at(tx, repository_id, self._now() + (self._limits.lifecycle_delay if changed else DAY))

        await self._database.write(finish)

    async def preview(self, job: Job) -> None:
        """Compute the preview that was started for a repository. Raises JobHopeless for a text that cannot be read."""
        repository_id = int(job.key)
        preview = await self._database.read(lambda tx: previews.find(tx, repository_id))
        if preview is None or preview.is_complete:
            return
        choices = await self._select(repository_id, _rules(preview.text), self._now(), _PREVIEW_SHARE)
        clear = partial(previews.clear_results, repository_id=repository_id)
        while not await self._write(clear, _PREVIEW_SHARE):
            pass
        actions: Counter[str] = Counter()
        for batch in batches(choices, _RESULTS):
            results = await self._results(batch)
            actions.update(result.action for result in results)
            add = partial(previews.add_results, repository_id=repository_id, results=results)
            await self._write(add, _PREVIEW_SHARE)
        expiring, archiving = actions["expire"], actions["transition"]
        await self._database.write(lambda tx: previews.complete(tx, repository_id, expiring, archiving))

    async def remove_orphans(self, job: Job) -> None:
        """Delete the orphans of a deleted image, except those that an index lists."""
        deletion = SubjectDeletion.of(job)
        for batch in batches(await self._database.read(deletion.orphans), _BATCH):
            await self._write(partial(self._remove, deletion, {image.digest for image in batch}))

    def _remove(self, deletion: SubjectDeletion, batch: Container[str], tx: Transaction) -> None:
        repository = repositories.find_by_id(tx, deletion.repository_id)
        for orphan in deletion.orphans(tx):
            if repository is not None and orphan.digest in batch:
                with suppress(ImageReferencedByIndex):
                    self._images.delete(tx, repository, orphan.digest, self._now())

    async def _results(self, choices: Sequence[Choice]) -> list[PreviewResult]:
        """The results for the images that a run would act on now."""
        results, throttle = list[PreviewResult](), Throttle(_PREVIEW_SHARE, time.thread_time)
        for batch in batches(choices, _PAGE):
            with throttle.working():
                current = await self._database.read(
                    partial(facts.of_images, image_ids=[each.image_id for each in batch])
                )
                chosen = (choice.of(current.get(choice.image_id)) for choice in batch)
                results += [PreviewResult.of(selected) for selected in chosen if selected is not None]
            await throttle.rest()
        return results

    async def _select(self, repository_id: int, rules: Sequence[Rule], now: int, share: float) -> list[Choice]:
        selection, throttle = Selection(rules, now), Throttle(share, time.thread_time)
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

    def _apply(self, repository_id: int, text: str, batch: Sequence[Choice], tx: Transaction) -> AppliedBatch:
        """Apply the policy to the images that it still selects, if the policy is unchanged; returns those images."""
        repository = repositories.find_by_id(tx, repository_id)
        policy = policies.find(tx, repository_id)
        if repository is None or policy is None or policy.text != text:
            return AppliedBatch()
        # One after the other: an action on an index changes the facts of the images that it lists.
        applied = [self._apply_to_image(tx, repository, choice, self._now()) for choice in batch]
        return AppliedBatch(repository, [selected for selected in applied if selected is not None])

    def _apply_to_image(
        self, tx: Transaction, repository: Repository, choice: Choice, now: int
    ) -> SelectedImage | None:
        """Returns the image if its choice still holds."""
        selected = choice.of(facts.find(tx, choice.image_id))
        if selected is None:
            return None
        if selected.rule.action == "expire":
            self._images.delete(tx, repository, selected.image.digest, now)
            return selected
        image = image_rows.find(tx, repository.id, selected.image.digest)
        if image is not None:
            self._images.storage_classes.update(tx, repository, image, "ARCHIVE", now)
        return selected if image is not None else None

    async def _write(self, work: Work[T], share: float = _SHARE) -> T:
        """Run one of many transactions, and pause after it."""
        throttle = Throttle(share)
        with throttle.working():
            result = await self._database.write(work)
        await throttle.rest()
        return result


def _rules(text: str) -> Sequence[Rule]:
    """The rules of a stored text. An earlier version may have accepted one that this version rejects."""
    try:
        return parse(text).rules
    except InvalidParameter as refusal:
        raise JobHopeless(str(refusal)) from None
