"""Orphans: referrers whose subject was deleted, for example signatures and attestations. They are deleted later.

ECR removes them "within 24 hours" of their subject (user guide, "Lifecycle policies"). A referrer that is pushed before
its subject, or after the subject's deletion, is not an orphan.
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

ORPHAN_LIFE: Final = HOUR
"""How long an orphan outlives its subject, so that a client can delete an image and push it again."""


def image_deleted(tx: Transaction, change: ImageDeleted) -> None:
    """Schedule the removal of the referrers of a deleted image, if it has any."""
    repository_id, subject = change.repository.id, change.digest
    if images.is_subject(tx, repository_id, subject):
        jobs.enqueue(tx, JOB, f"{repository_id} {subject}", {"deleted_at": change.at}, change.at + ORPHAN_LIFE)


@dataclass(frozen=True, slots=True)
class SubjectDeletion:
    """The payload of a job: the subject that was deleted, and when."""

    repository_id: int
    subject: str
    at: int

    @classmethod
    def of(cls, job: Job) -> SubjectDeletion:
        repository_id, subject = job.key.split(" ")
        return cls(int(repository_id), subject, job.payload["deleted_at"])

    def orphans(self, tx: Transaction) -> list[Image]:
        """The orphans of the subject; none if the subject was pushed again."""
        if images.find(tx, self.repository_id, self.subject) is not None:
            return []
        found = images.with_subject(tx, self.repository_id, self.subject)
        return [image for image in found if image.pushed_at <= self.at]
