"""The loop that runs jobs (`metadata/jobs.py`): in each worker process, beside the requests.

Four times per second the loop looks when the next job is due. This lookup is cached between two commits; the loop
writes only when a job is due. `app.py` registers the function that runs the jobs of a kind; this module knows no
topics.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from moorage.domain.failures import as_unavailable
from moorage.domain.units import HOUR, SECOND
from moorage.metadata import jobs
from moorage.metadata.database import Database, Lookup, Transaction
from moorage.metadata.jobs import RECURRING, Job, JobFailed, JobHopeless
from moorage.shares import JOBS, enter
from moorage.telemetry import Log

Run = Callable[[Job], Awaitable[None]]
"""Does a job, without blocking the event loop; possibly twice. Raises JobFailed for expected failures."""

GiveUp = Callable[[Transaction, Job, str], None]
"""Records the end of a job that failed too often, in the transaction that makes it dead; with the last error."""

_POLL_SECONDS: Final = 0.25
"""How often the loop looks: a replication or a scan begins about an eighth of a second after its push."""

_LEASE: Final = 60 * SECOND
_EXTEND_SECONDS: Final = 20.0
"""How often the lease of a running job is extended."""

_STOP_SECONDS: Final = 2.0
"""How long a job may continue after the server was stopped. Then it is given back, to start again."""

_PAUSE_SECONDS: Final = 30.0
"""How long the loop waits after an error of its own, so that a broken database is not queried every second."""


@dataclass(frozen=True, slots=True)
class JobKind:
    """How jobs of a kind are run. Times are microseconds.

    With `every` there is one recurring job of the kind, with an empty key. It runs again that long after each run, also
    after a failure. Any other job that fails is retried, with a delay that doubles each time, and is dead after
    `attempts` attempts, or after one that raised JobHopeless. `give_up` is called when a job dies: work whose state the
    API or a command shows must not seem to go on. A worker process runs at most `at_once` jobs of the kind at a time,
    so no kind waits for another. Jobs are enqueued at most `enqueued_ahead` before they are due.
    """

    run: Run
    every: int | None = None
    attempts: int = 12
    first_delay: int = 5 * SECOND
    longest_delay: int = HOUR
    at_once: int = 1
    enqueued_ahead: int = 0
    give_up: GiveUp | None = None

    @property
    def longest_wait(self) -> int:
        """No job of the kind waits longer, unless the clock was changed."""
        return max(self.every or self.longest_delay, self.enqueued_ahead)

    def delay(self, attempts: int) -> int:
        """The delay after so many attempts."""
        return min(self.first_delay << min(attempts - 1, 30), self.longest_delay)


class Worker:
    """The loop of one worker process. Any number of processes run the loop; leases decide which one gets a job."""

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
        self._kinds = job_kinds
        self._now = now
        self._log = log
        self._loop: asyncio.Task[None] | None = None
        self._running: dict[asyncio.Task[None], str] = {}
        self._wake = asyncio.Event()
        self._logged_reason: str | None = None

    def start(self) -> None:
        """Call this on the event loop that serves, after the database was started."""
        self._loop = asyncio.create_task(self._run())

    async def stop(self, patience: float = _STOP_SECONDS) -> None:
        """Take no more jobs, and return when none is running in this process. The database must still be open.

        A job may continue for `patience` seconds.
        """
        if self._loop is None:
            return
        self._loop.cancel()
        await asyncio.wait([self._loop])
        if self._running:
            await asyncio.wait(self._running, timeout=patience)
        for task in list(self._running):
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    async def _run(self) -> None:
        enter(JOBS)  # The tasks of the jobs have a copy of this context.
        scheduled = False
        while True:
            pause = self._poll_seconds
            try:
                if not scheduled:
                    await self._schedule()
                    scheduled = True
                await self._take_due()
                self._logged_reason = None
            except Exception as error:  # noqa: BLE001 - it is logged, and the loop continues
                self._log_fault(error)
                pause = _PAUSE_SECONDS
            await self._sleep(pause)

    async def _sleep(self, seconds: float) -> None:
        """Sleep, but wake when a job ends: another job may be due."""
        self._wake.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _schedule(self) -> None:
        """Create the recurring jobs that do not exist yet, and end waits that began while the clock was ahead."""
        await self._database.write(self._limit_waiting)
        for kind, job_kind in self._kinds.items():
            if job_kind.every is None or await self._database.read(partial(jobs.exists, kind=kind, key=RECURRING)):
                continue
            await self._database.write(partial(jobs.ensure, kind=kind, key=RECURRING, due_at=self._now()))

    def _limit_waiting(self, tx: Transaction) -> None:
        now = self._now()
        for kind, job_kind in self._kinds.items():
            jobs.limit_waiting(tx, kind, now + job_kind.longest_wait, now + _LEASE)

    async def _take_due(self) -> None:
        busy = Counter(self._running.values())
        room = {
            kind: job_kind.at_once - busy[kind]
            for kind, job_kind in self._kinds.items()
            if busy[kind] < job_kind.at_once
        }
        next_due = partial(jobs.next_due, kinds=room)
        if await self._database.read_cached(Lookup(("job", "next", *room), next_due)) > self._now():
            return
        for job in await self._database.write(partial(self._claim, room=room)):
            task = asyncio.create_task(self._do(job))
            self._running[task] = job.kind
            task.add_done_callback(self._ended)

    def _claim(self, tx: Transaction, room: Mapping[str, int]) -> list[Job]:
        now = self._now()
        return [job for kind, limit in room.items() for job in jobs.claim(tx, [kind], now, now + _LEASE, limit)]

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._wake.set()
        error = None if task.cancelled() else task.exception()
        if error is not None:  # The result could not be stored: the lease ends, and the job runs again.
            self._log_fault(error)

    async def _do(self, job: Job) -> None:
        """Run a job, extend its lease meanwhile, and store the result."""
        job_kind = self._kinds[job.kind]
        extending = asyncio.create_task(self._extend(job, asyncio.current_task()))
        try:
            _refuse_lethal(job_kind, job)
            await job_kind.run(job)
        except asyncio.CancelledError:  # Only `stop` awaits this task: it may end normally.
            await self._database.write(partial(jobs.release, job=job, now=self._now()))
        except Exception as error:  # noqa: BLE001 - a job that fails is logged and retried
            self._log_failure(job, error)
            await self._database.write(partial(self._failed, job_kind=job_kind, job=job, error=error))
        else:
            again_at = jobs.NEVER if job_kind.every is None else self._now() + job_kind.every
            await self._database.write(partial(jobs.finish, job=job, again_at=again_at))
        finally:
            extending.cancel()

    async def _extend(self, job: Job, running: asyncio.Task[None] | None) -> None:
        """Extend the lease. If it is lost, for example after the machine was suspended, cancel the job."""
        while True:
            await asyncio.sleep(_EXTEND_SECONDS)
            lease_end = self._now() + _LEASE
            if not await self._database.write(partial(jobs.extend, job=job, lease_end=lease_end)) and running:
                running.cancel()

    def _failed(self, tx: Transaction, job_kind: JobKind, job: Job, error: Exception) -> None:
        text = str(error) if isinstance(error, JobFailed) else f"{type(error).__name__}: {error}"
        if job.attempts < job_kind.attempts and not isinstance(error, JobHopeless):
            jobs.retry(tx, job, text, self._now() + job_kind.delay(job.attempts))
        elif job_kind.every is not None:
            jobs.finish(tx, job, self._now() + job_kind.every, text)
        elif jobs.bury(tx, job, text) and job_kind.give_up is not None:
            job_kind.give_up(tx, job, text)

    def _log_fault(self, error: BaseException) -> None:
        """Log an error of the loop. An unreachable or sealed database is logged once, without a trace."""
        expected = as_unavailable(error) is not None
        if expected and self._logged_reason == str(error):
            return
        self._logged_reason = str(error) if expected else None
        self._log.event("worker-fault", **_cause(error, expected=expected))

    def _log_failure(self, job: Job, error: Exception) -> None:
        cause = _cause(error, expected=isinstance(error, JobFailed) or as_unavailable(error) is not None)
        self._log.event("job-failed", kind=job.kind, key=job.key, attempt=job.attempts, **cause)


def _cause(error: BaseException, *, expected: bool) -> dict[str, str]:
    """The members of a log line that explain an error: the reason of an expected one, the trace of any other."""
    return {"reason": str(error)} if expected else {"trace": "".join(traceback.format_exception(error))}


def _refuse_lethal(job_kind: JobKind, job: Job) -> None:
    """Raise JobFailed for a job whose every attempt ended the process, so that none could be stored as failed."""
    if job.attempts > job_kind.attempts:
        raise JobFailed("the process that ran it ended every time")
