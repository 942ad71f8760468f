"""An interrupted test run leaves no process, no mount and no folder behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.support.run_guard import clear_dead_runs, mounts_below, processes_of, run_folder
from tests.support.waiting import wait_until

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[2]

INNER = """
import os, subprocess, time
from pathlib import Path
from tests.support.disks import small_disk
from tests.support.run_guard import run_folder

def test_never_ends(server):
    # A daemon: a child of no test process, and in a session of its own.
    subprocess.run(["sh", "-c", "setsid sleep 600 <&- >&- 2>&- &"], check=True)
    if os.geteuid() == 0:
        with small_disk(1):
            announce()
    else:
        announce()

def announce():
    Path(os.environ["ANNOUNCEMENT"]).write_text(str(run_folder()))
    time.sleep(600)
"""


INTERRUPTIBLE = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.executable, sys.argv[1:])"
)
"""Run a program with SIGINT as in a terminal. Children of a shell in the background ignore it."""


class InnerRun(NamedTuple):
    """A run of pytest with a test that never ends, and the folder of the run."""

    process: subprocess.Popen[bytes]
    folder: Path

    def guards(self) -> list[int]:
        """The processes that were started by pytest and do not belong to the run."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children if int(pid) not in processes_of(self.folder)]

    def is_gone(self) -> bool:
        return not self.folder.exists() and not processes_of(self.folder) and not mounts_below(self.folder)


@contextmanager
def inner_run(tmp_path: Path, *options: str) -> Iterator[InnerRun]:
    if sys.platform != "linux":
        pytest.skip("only Linux has /proc, where the guard finds what to end")
    test, announcement = tmp_path / "test_inner.py", tmp_path / "announcement"
    test.write_text(INNER)
    command = [
        sys.executable,
        "-c",
        INTERRUPTIBLE,
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.conftest",
        f"--rootdir={ROOT}",
        "--config-file=pyproject.toml",
    ]
    with subprocess.Popen(
        [*command, f"--basetemp={tmp_path / 'base'}", *options, str(test)],
        cwd=ROOT,
        env={**os.environ, "ANNOUNCEMENT": str(announcement)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        wait_until(announcement.exists)
        run = InnerRun(process, Path(announcement.read_text()))
        assert run.folder.parent == run_folder()
        assert len(processes_of(run.folder)) >= 4  # the server, its workers and the daemon
        assert len(mounts_below(run.folder)) == (os.geteuid() == 0)
        yield run


def test_nothing_is_left_of_a_run_whose_main_process_was_killed(tmp_path: Path) -> None:
    with inner_run(tmp_path, "--numprocesses=1") as run:
        run.process.kill()

        wait_until(run.is_gone)


def test_nothing_is_left_of_an_interrupted_run(tmp_path: Path) -> None:
    with inner_run(tmp_path) as run:
        os.killpg(run.process.pid, signal.SIGINT)

        wait_until(run.is_gone)
        assert run.process.wait() == pytest.ExitCode.INTERRUPTED


def test_a_run_clears_what_an_older_one_left_whose_guard_was_killed(tmp_path: Path) -> None:
    with inner_run(tmp_path) as run:
        clear_dead_runs(run_folder())
        assert run.process.poll() is None  # a run that lives is left alone
        assert len(processes_of(run.folder)) >= 4

        for guard in run.guards():
            os.kill(guard, signal.SIGKILL)
        os.killpg(run.process.pid, signal.SIGKILL)
        run.process.wait()
        assert not run.is_gone()

        clear_dead_runs(run_folder())
        assert run.is_gone()
