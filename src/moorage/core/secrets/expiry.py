"""The end of recovery windows: a job removes secrets that were marked for deletion, with their values."""

from __future__ import annotations

from moorage.core.clock import Clock
from moorage.core.secrets.changes import Secrets
from moorage.metadata.database import Database
from moorage.metadata.jobs import Job


class SecretJobs:
    """The recurring job of secrets."""

    def __init__(self, database: Database, secrets: Secrets, now: Clock) -> None:
        self._database = database
        self._secrets = secrets
        self._now = now

    async def remove_due(self, _job: Job) -> None:
        """Remove all secrets whose recovery windows are over, some in each transaction."""
        while await self._database.write(lambda tx: self._secrets.remove_due(tx, self._now())):
            pass
