"""Images that refer to one that was deleted: signatures, attestations and the like go, too, a while later.

ECR removes them "within 24 hours" of their subject (user guide, "Lifecycle policies"). What is pushed before its
subject is no orphan, and what is pushed after the deletion neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moorage.core.reactions import ImageDeleted
from moorage.domain.units import HOUR
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.jobs import Job
from moorage.metadata.registry import images
from moorage.metadata.registry.images import Image

JOB: Final = "orphans"
"""The kind of the jobs that remove orphans: one for each repository and subject."""

LIFE: Final = HOUR
"""How long after its subject an orphan stays: a client that replaces an image by deleting and pushing it has time."""


def image_deleted(tx: Transaction, change: ImageDeleted) -> None:
    """Schedule the removal of the referrers of a deleted image, if it has any."""
    repository_id, subject = change.repository.id, change.digest
    if images.is_subject(tx, repository_id, subject):
        jobs.enqueue(tx, JOB, f"{repository_id} {subject}", {"deleted_at": change.at}, change.at + LIFE)


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a job is about."""

    repository_id: int
    subject: str
    at: int

    @classmethod
    def of(cls, job: Job) -> Deletion:
        repository_id, subject = job.key.split(" ")
        return cls(int(repository_id), subject, job.payload["deleted_at"])

    def orphans(self, tx: Transaction) -> list[Image]:
        """What refers to the image, unless that was pushed again."""
        if images.find(tx, self.repository_id, self.subject) is not None:
            return []
        found = images.with_subject(tx, self.repository_id, self.subject)
        return [image for image in found if image.pushed_at <= self.at]
