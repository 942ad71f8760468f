"""Work that waits in the database (`metadata/jobs.py`), done beside the requests by the process that comes to it first.

The loop looks once a second when the next job is due, which between two commits is remembered and costs nothing, and
writes only when one is. What a job does is a function, registered for its kind by the composition root; topics are not
known here.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from moorage.domain.errors import Unavailable
from moorage.domain.units import SECOND
from moorage.metadata import jobs
from moorage.metadata.database import Database, Lookup, Transaction
from moorage.metadata.jobs import Job, JobFailed
from moorage.telemetry import Log

Run = Callable[[Job], Awaitable[None]]
"""Does a job, maybe twice, and without holding up the event loop. Raises JobFailed where failing is to be expected."""

_POLL_SECONDS: Final = 1.0
_LEASE: Final = 60 * SECOND
_KEEP_SECONDS: Final = 20.0
"""How often the lease of a job that takes long is renewed."""

_STOP_SECONDS: Final = 2.0
"""How long jobs may go on when the server stops. The others are given back, and done again elsewhere or later."""

_REST_SECONDS: Final = 30.0
"""How long the loop rests after a fault of its own: a database that cannot be written is not asked each second."""


@dataclass(frozen=True, slots=True)
class JobKind:
    """How jobs of a kind are done. Times are microseconds.

    With `every` there is always one job of the kind, with an empty key, which is done again and again, that long after
    it was done; it is never given up. Any other job that fails is tried `attempts` times, each time after twice the
    time. One process does `at_once` jobs of the kind at a time, so that no kind waits for another.
    """

    run: Run
    every: int | None = None
    attempts: int = 12
    first_delay: int = 5 * SECOND
    longest_delay: int = 3600 * SECOND
    at_once: int = 1

    def delay(self, attempts: int) -> int:
        """How long to wait after so many attempts."""
        return min(self.first_delay << min(attempts - 1, 30), self.longest_delay)


class Worker:
    """The loop of one worker process. Leases decide which process does a job; every one may run the loop."""

    def __init__(
        self,
        database: Database,
        job_kinds: Mapping[str, JobKind],
        now: Callable[[], int],
        log: Log,
        poll_seconds: float = _POLL_SECONDS,
    ) -> None:
        self._poll_seconds = poll_seconds
        self._database = database
        self._duties = job_kinds
        self._now = now
        self._log = log
        self._loop: asyncio.Task[None] | None = None
        self._running: dict[asyncio.Task[None], str] = {}
        self._wake = asyncio.Event()
        self._said: str | None = None

    def start(self) -> None:
        """To be called on the event loop that serves, after the database was started."""
        self._loop = asyncio.create_task(self._attend())

    async def stop(self) -> None:
        """Take no more jobs, and come back when none is being done here; the database must still be open."""
        if self._loop is None:
            return
        self._loop.cancel()
        await asyncio.wait([self._loop])
        if self._running:
            await asyncio.wait(self._running, timeout=_STOP_SECONDS)
        for task in list(self._running):
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    async def _attend(self) -> None:
        scheduled = False
        while True:
            rest = self._poll_seconds
            try:
                if not scheduled:
                    await self._schedule()
                    scheduled = True
                await self._take_due()
                self._said = None
            except Exception as error:  # noqa: BLE001 - whatever it was, it is logged, and the loop goes on
                self._log_fault(error)
                rest = _REST_SECONDS
            await self._sleep(rest)

    async def _sleep(self, seconds: float) -> None:
        """Until then, or until a job ended that may have more behind it."""
        self._wake.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _schedule(self) -> None:
        """See that there is a job for each duty that comes again and again."""
        kinds = [kind for kind, job_kind in self._duties.items() if job_kind.every is not None]
        missing = [kind for kind in kinds if not await self._database.read(partial(jobs.exists, kind=kind, key=""))]
        for kind in missing:
            await self._database.write(partial(jobs.ensure, kind=kind, key="", due_at=self._now()))

    async def _take_due(self) -> None:
        busy = Counter(self._running.values())
        room = {
            kind: job_kind.at_once - busy[kind]
            for kind, job_kind in self._duties.items()
            if busy[kind] < job_kind.at_once
        }
        next_due = partial(jobs.next_due, kinds=room)
        if await self._database.read_cached(Lookup(("job", "next", *room), next_due)) > self._now():
            return
        for job in await self._database.write(partial(self._claim, room=room)):
            task = asyncio.create_task(self._have(job))
            self._running[task] = job.kind
            task.add_done_callback(self._ended)

    def _claim(self, tx: Transaction, room: Mapping[str, int]) -> list[Job]:
        now = self._now()
        return [job for kind, limit in room.items() for job in jobs.claim(tx, [kind], now, now + _LEASE, limit)]

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._wake.set()
        error = None if task.cancelled() else task.exception()
        if error is not None:  # The end could not be noted: the lease runs out, and the job is done again.
            self._log_fault(error)

    async def _have(self, job: Job) -> None:
        """Do a job while its lease is kept, and note how it ended."""
        job_kind = self._duties[job.kind]
        keeping = asyncio.create_task(self._keep(job, asyncio.current_task()))
        try:
            _refuse_deadly(job_kind, job)
            await job_kind.run(job)
        except asyncio.CancelledError:  # Nobody awaits this task but `stop`: it ends here, and not by force.
            await self._database.write(partial(jobs.release, job=job, now=self._now()))
        except Exception as error:  # noqa: BLE001 - a job that fails is logged and tried again
            self._log_failure(job, error)
            await self._database.write(partial(self._failed, job_kind=job_kind, job=job, error=error))
        else:
            again_at = jobs.NEVER if job_kind.every is None else self._now() + job_kind.every
            await self._database.write(partial(jobs.finish, job=job, again_at=again_at))
        finally:
            keeping.cancel()

    async def _keep(self, job: Job, doing: asyncio.Task[None] | None) -> None:
        """Renew the lease; when it was lost, after a long sleep of the machine perhaps, end the doing."""
        while True:
            await asyncio.sleep(_KEEP_SECONDS)
            lease_end = self._now() + _LEASE
            if not await self._database.write(partial(jobs.extend, job=job, lease_end=lease_end)) and doing:
                doing.cancel()

    def _failed(self, tx: Transaction, job_kind: JobKind, job: Job, error: Exception) -> None:
        text = str(error) if isinstance(error, JobFailed) else f"{type(error).__name__}: {error}"
        if job.attempts < job_kind.attempts:
            jobs.retry(tx, job, text, self._now() + job_kind.delay(job.attempts))
        elif job_kind.every is None:
            jobs.bury(tx, job, text)
        else:
            jobs.finish(tx, job, self._now() + job_kind.every)

    def _log_fault(self, error: BaseException) -> None:
        """A database that is away, or sealed, is a fault of others, which its text describes: once, while it lasts."""
        expected = isinstance(error, Unavailable)
        if expected and self._said == str(error):
            return
        self._said = str(error) if expected else None
        why = {"reason": str(error)} if expected else {"trace": "".join(traceback.format_exception(error))}
        self._log.event("worker-fault", **why)

    def _log_failure(self, job: Job, error: Exception) -> None:
        expected = isinstance(error, JobFailed)
        why = {"reason": str(error)} if expected else {"trace": "".join(traceback.format_exception(error))}
        self._log.event("job-failed", kind=job.kind, key=job.key, attempt=job.attempts, **why)


def _refuse_deadly(job_kind: JobKind, job: Job) -> None:
    """Give up a job that ended the process again and again, so that it never came back as failed. Raises JobFailed."""
    if job_kind.every is None and job.attempts > job_kind.attempts:
        raise JobFailed("the process that did it ended every time")
