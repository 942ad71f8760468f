"""The removal of deleted repositories: slice by slice, so that other changes pass between two slices."""

from __future__ import annotations

from functools import partial
from typing import Final

from moorage import failpoints
from moorage.core.pacing import Throttle
from moorage.metadata.database import Database, Transaction
from moorage.metadata.garbage import deleted_repositories
from moorage.metadata.jobs import Job

_SHARE: Final = 0.1
"""The share of the time that a removal uses: each pause is nine times as long as the slice before it."""


class DeletionJobs:
    """Runs the jobs of kind `deleted_repositories.JOB`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, job: Job) -> None:
        """Remove what is left of a deleted repository. A run that was interrupted continues where it was."""
        await remove(self._database, int(job.key), _SHARE)


async def remove(database: Database, repository_id: int, share: float) -> None:
    """Remove what is left of a deleted repository, in this share of the time (0 to 1). Raises Unavailable."""
    throttle, is_gone = Throttle(share), False
    while not is_gone:
        with throttle.working():
            is_gone = await database.write(partial(_remove_slice, repository_id=repository_id))
        failpoints.hit("D2")
        await throttle.rest()


def _remove_slice(tx: Transaction, repository_id: int) -> bool:
    is_gone = deleted_repositories.remove_slice(tx, repository_id)
    failpoints.hit("D1")
    return is_gone
