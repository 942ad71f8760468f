"""`moorage jobs` beside a running server: the list of jobs, and jobs that the server runs after a retry."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from click.testing import CliRunner, Result

from moorage.cli.main import main
from moorage.core import jobs as operations
from moorage.core.clock import system_clock
from moorage.domain.units import DAY
from moorage.metadata import jobs
from moorage.metadata.engines.engine import Engine
from tests.support.databases import engine_of
from tests.support.server import Server
from tests.support.waiting import wait_until

KIND = "kind-of-no-worker"
PREVIEW = "lifecycle-preview"
NO_REPOSITORY = "999999999"
"""The key of a preview without work. The server removes the job after its run."""


class Jobs:
    """`moorage jobs` on the shared server's data folder, and the jobs of the tests in its database."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.data = server.data
        self.engine: Engine = engine_of(server.data)

    def __call__(self, *words: str, answer: str | None = None) -> Result:
        arguments = ["jobs", *words, "--data", str(self._server.data)]
        return CliRunner().invoke(main, arguments, env=self._server.settings, input=answer)

    def lines(self, *words: str, kind: str = KIND) -> list[list[str]]:
        """The fields of the listed jobs of one kind."""
        result = self("list", *words)
        assert result.exit_code == 0, result.output
        return [line.split("\t") for line in result.output.splitlines() if line.startswith(f"{kind}\t")]

    def add(self, key: str, *, kind: str = KIND, due_in: int = DAY) -> None:
        self.engine.transact(
            lambda tx: jobs.enqueue(tx, kind=kind, key=key, payload={}, due_at=system_clock() + due_in)
        )

    def take(self, key: str, *, kind: str = KIND) -> jobs.Job:
        self.add(key, kind=kind, due_in=-1)
        now = system_clock()
        (job,) = self.engine.transact(lambda tx: jobs.claim(tx, [kind], now, now + DAY, 1))
        return job

    def bury(self, key: str, error: str, *, kind: str = KIND) -> None:
        job = self.take(key, kind=kind)
        self.engine.transact(partial(jobs.bury, job=job, error=error))


@pytest.fixture
def moorage_jobs(server: Server) -> Iterator[Jobs]:
    commands = Jobs(server)
    yield commands
    commands.engine.transact(lambda tx: tx.run("DELETE FROM job WHERE kind = :kind", kind=KIND))


def test_jobs_are_listed_with_state_due_time_attempts_and_error(moorage_jobs: Jobs) -> None:
    moorage_jobs.bury("b", "no route\nto host")
    moorage_jobs.take("c")
    moorage_jobs.add("a")
    moorage_jobs.add("")

    recurring, waiting, dead, running = moorage_jobs.lines()

    assert (recurring[1:3], waiting[1:3]) == (["-", "waiting"], ["a", "waiting"])
    assert waiting[3].endswith("+00:00")
    assert waiting[4:] == ["0", "-"]
    assert dead == [KIND, "b", "dead", "-", "1", "no route to host"]
    assert running == [KIND, "c", "running", "-", "1", "-"]
    assert moorage_jobs.lines("--dead") == [dead]


def test_the_list_continues_after_a_page(moorage_jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "_JOBS_PER_PAGE", 2)
    for key in "abcde":
        moorage_jobs.add(key)

    assert [line[1] for line in moorage_jobs.lines()] == list("abcde")


def test_a_running_server_runs_a_dead_job_after_its_retry(moorage_jobs: Jobs) -> None:
    moorage_jobs.engine.transact(lambda tx: jobs.enqueue(tx, PREVIEW, NO_REPOSITORY, {}, system_clock() + DAY))
    moorage_jobs.engine.transact(lambda tx: tx.run("UPDATE job SET state = 'dead' WHERE key = :key", key=NO_REPOSITORY))
    assert moorage_jobs.lines("--dead", kind=PREVIEW)

    result = moorage_jobs("retry", PREVIEW)

    assert (result.exit_code, result.output) == (0, "Dead jobs that wait again: 1.\n")
    wait_until(lambda: not moorage_jobs.lines(kind=PREVIEW))


def test_a_running_server_runs_a_waiting_job_early_after_its_retry(moorage_jobs: Jobs) -> None:
    moorage_jobs.add(NO_REPOSITORY, kind=PREVIEW)

    result = moorage_jobs("retry", PREVIEW, NO_REPOSITORY)

    assert (result.exit_code, result.output) == (0, "The job runs as soon as a worker process is free.\n")
    wait_until(lambda: not moorage_jobs.lines(kind=PREVIEW))


def test_one_dead_job_can_be_retried_alone(moorage_jobs: Jobs) -> None:
    for key in ("a", "b"):
        moorage_jobs.bury(key, "no route")

    moorage_jobs("retry", KIND, "a")

    assert [line[1] for line in moorage_jobs.lines("--dead")] == ["b"]
    assert [line[1:3] for line in moorage_jobs.lines()] == [["a", "waiting"], ["b", "dead"]]


def test_a_job_is_dropped_after_confirmation(moorage_jobs: Jobs) -> None:
    moorage_jobs.add("a")

    refused = moorage_jobs("drop", KIND, "a", answer="n\n")
    assert (refused.exit_code, len(moorage_jobs.lines())) == (1, 1)

    dropped = moorage_jobs("drop", KIND, "a", answer="y\n")
    assert f"Remove the job {KIND!r} with the key 'a'?" in dropped.output
    assert (dropped.exit_code, moorage_jobs.lines()) == (0, [])


def test_only_the_dead_jobs_of_a_kind_are_dropped(moorage_jobs: Jobs) -> None:
    for key in ("a", "b"):
        moorage_jobs.bury(key, "no route")
    moorage_jobs.add("c")

    result = moorage_jobs("drop", KIND, "--yes")

    assert (result.exit_code, result.output) == (0, "Jobs removed: 2.\n")
    assert [line[1] for line in moorage_jobs.lines()] == ["c"]


@pytest.mark.parametrize("command", [("retry",), ("drop", "--yes")])
def test_a_missing_or_running_job_is_rejected(moorage_jobs: Jobs, command: tuple[str, ...]) -> None:
    moorage_jobs.take("c")

    absent, running = (moorage_jobs(*command, KIND, key) for key in ("x", "c"))

    assert absent.exit_code == running.exit_code == 1
    listing = f"moorage jobs list --data {moorage_jobs.data}"
    assert absent.output == f"Error: There is no job {KIND!r} with the key 'x'. See `{listing}`.\n"
    assert running.output == f"Error: The job {KIND!r} with the key 'c' is running. Wait until it has ended.\n"


def test_a_recurring_job_is_retried_but_not_dropped(moorage_jobs: Jobs) -> None:
    moorage_jobs.add("")

    dropped = moorage_jobs("drop", KIND, "-", "--yes")
    retried = moorage_jobs("retry", KIND, "-")

    assert (dropped.exit_code, dropped.output) == (1, f"Error: The job {KIND!r} is recurring. It cannot be dropped.\n")
    assert retried.exit_code == 0
