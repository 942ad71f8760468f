"""A registry without a server, with a clock that tests set, to run lifecycle policies in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from moorage.app import reactions_of
from moorage.core.events.audit import Audit
from moorage.core.lifecycle import orphans
from moorage.core.lifecycle import policies as lifecycle
from moorage.core.lifecycle import previews as lifecycle_previews
from moorage.core.lifecycle.runs import LifecycleJobs
from moorage.core.reactions import StorageClass
from moorage.core.registry import repositories
from moorage.core.registry.images import Images, Push
from moorage.core.registry.repositories import NewRepository
from moorage.domain.lifecycle.policy import parse
from moorage.domain.lifecycle.selection import Choice
from moorage.domain.names import Registry, RepositoryName, Tag
from moorage.domain.registry.manifests import parse_manifest
from moorage.domain.units import DAY
from moorage.metadata import jobs
from moorage.metadata.database import Transaction, Work
from moorage.metadata.jobs import Job
from moorage.metadata.lifecycle import previews
from moorage.metadata.lifecycle.previews import PreviewResult
from moorage.metadata.registry import images as image_rows
from moorage.metadata.registry import pulls
from moorage.metadata.registry.images import ImageFilter
from moorage.metadata.registry.repositories import Repository, RepositorySettings
from tests.support.databases import engine_of
from tests.support.images import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, digest
from tests.support.limits import LIMITS

T = TypeVar("T")

DELAY = LIMITS.lifecycle_delay


class LifecycleRegistry:
    """One repository. Tests change `now`."""

    def __init__(self, folder: Path) -> None:
        self.now = 1_000 * DAY
        self.database = engine_of(folder).open()
        self.database.start()
        self.records: list[bytes] = []
        self._descriptors: dict[str, dict[str, Any]] = {}
        audit = Audit(
            lambda record, dispensable: self.records.append(record), lambda: self.now, "us-east-1", reads=False
        )
        self.images = Images(LIMITS, reactions_of(LIMITS))
        self.runs = LifecycleJobs(self.database, self.images, audit, LIMITS, lambda: self.now)
        registry = Registry("000000000000", "us-east-1")
        new_repository = NewRepository(registry, RepositoryName("team/app"), RepositorySettings(), {})
        self.repository: Repository = self.write(lambda tx: repositories.create(tx, new_repository, LIMITS, self.now))

    def write(self, work: Work[T]) -> T:
        async def run() -> T:
            return await self.database.write(work)

        return asyncio.run(run())

    def push(
        self, number: int, *tags: str, days: float = 0, subject: str | None = None, children: Sequence[str] = ()
    ) -> str:
        """Push an image so many days ago. Returns its digest. With `children` it is an index of them."""
        listed = [self._descriptors[child] for child in children]
        config = {"mediaType": OCI_CONFIG, "digest": digest(b"{}"), "size": 2}
        manifest: dict[str, Any] = {"schemaVersion": 2, "annotations": {"number": str(number)}}
        manifest |= {"manifests": listed} if children else {"config": config, "layers": []}
        if subject is not None:
            manifest["subject"] = {"mediaType": OCI_MANIFEST, "digest": subject, "size": 2}
        body = json.dumps(manifest).encode()
        parsed = parse_manifest(body, OCI_INDEX if children else OCI_MANIFEST)
        push = Push(body=body, manifest=parsed, tags=tuple(map(Tag, tags)), digest=None, sparse=True)
        stored = self.write(lambda tx: self.images.put(tx, self.repository, push, self.ago(days)))
        media_type = OCI_INDEX if children else OCI_MANIFEST
        self._descriptors[stored] = {"mediaType": media_type, "digest": stored, "size": len(body)}
        return stored

    def ago(self, days: float) -> int:
        return self.now - round(days * DAY)

    def pull(self, name: str, days: float = 0) -> None:
        self.write(lambda tx: pulls.record(tx, {self._image(tx, name).id: self.ago(days)}))

    def archive(self, name: str, days: float = 0) -> None:
        self._move(name, "ARCHIVE", days)

    def restore(self, name: str, days: float = 0) -> None:
        self._move(name, "STANDARD", days)

    def _move(self, name: str, target: StorageClass, days: float) -> None:
        def move(tx: Transaction) -> None:
            self.images.storage_classes.update(tx, self.repository, self._image(tx, name), target, self.ago(days))

        self.write(move)

    def _image(self, tx: Transaction, name: str) -> image_rows.Image:
        found = image_rows.find(tx, self.repository.id, name)
        assert found is not None
        return found

    def put_policy(self, text: str) -> None:
        self.write(lambda tx: lifecycle.put(tx, self.repository, text, self.now))

    def delete(self, name: str) -> None:
        self.write(lambda tx: self.images.delete(tx, self.repository, name, self.now))

    def choose(self, text: str) -> list[Choice]:
        """The first half of a run: the images that a policy selects."""
        return asyncio.run(self.runs._select(self.repository.id, parse(text).rules, self.now, 1))

    def act(self, text: str, choices: Sequence[Choice]) -> int:
        """The second half of a run: the number of images to which the selection still applies."""
        return len(self.write(partial(self.runs._apply, self.repository.id, parse(text).text, choices)).images)

    def run(self) -> None:
        """Apply the policy of the repository, as its job does."""
        asyncio.run(self.runs.run(self._job(lifecycle.JOB)))

    def preview(self, text: str) -> dict[str, tuple[str, int]]:
        """What a policy would do: action and priority by digest."""
        self.write(lambda tx: lifecycle_previews.start(tx, self.repository, text, self.now))
        self.compute_preview()
        return {result.digest: (result.action, result.priority) for result in self.results()}

    def compute_preview(self) -> None:
        """Compute the preview that was started, as its job does."""
        asyncio.run(self.runs.preview(self._job(lifecycle_previews.JOB)))

    def remove_orphans(self, subject: str) -> None:
        """Remove the referrers of a deleted image, as the job of its deletion does."""
        payload = {"deleted_at": self.now}
        asyncio.run(self.runs.remove_orphans(Job(orphans.JOB, f"{self.repository.id} {subject}", payload, 1, "")))

    def results(self) -> list[PreviewResult]:
        return self.database.read_blocking(lambda tx: previews.page_of_results(tx, self.repository.id, -1, None, 1_000))

    def _job(self, kind: str) -> Job:
        """The job as a worker would have it. It stays in the table."""
        return Job(kind, str(self.repository.id), {}, 1, "")

    def due_at(self, kind: str = lifecycle.JOB) -> int:
        """When the next job of a kind is due."""
        return self.database.read_blocking(lambda tx: jobs.next_due(tx, [kind]))

    def statuses(self) -> dict[str, str]:
        """The status of each existing image, by digest."""
        found = self.database.read_blocking(
            lambda tx: image_rows.page(tx, self.repository.id, 0, ImageFilter(status="ANY"), limit=10_000)
        )
        return {image.digest: image.status for image in found}

    def exist(self, *digests: str) -> list[bool]:
        known = self.statuses()
        return [each in known for each in digests]
