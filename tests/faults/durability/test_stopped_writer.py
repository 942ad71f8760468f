"""A process that has the writers' lock and is stopped: others refuse writes after a time, and name the process."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import pytest

from moorage.domain.errors import Unavailable
from moorage.metadata.engines.sqlite.database import SqliteDatabase
from moorage.metadata.engines.sqlite.schema import migrate
from moorage.metadata.engines.sqlite.writer import open_writer
from moorage.metadata.engines.sqlite.writers_lock import LOCK_SECONDS, LOCKED, WritersLock
from tests.api.ecr.wire import refusal
from tests.conftest import StartServer
from tests.contract.metadata.test_database import add, count
from tests.support.aws import aws_client
from tests.support.waiting import wait_until

HOLD = """
import fcntl, os, signal, sys
fcntl.flock(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX)
print("locked", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "moorage.db"
    migrate(path)
    return path


@contextmanager
def stopped_holder(lock: Path) -> Iterator[int]:
    """The id of a process that has the lock and was stopped. At the end of the block it ends."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process.pid
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def test_writes_that_wait_for_too_long_are_refused_and_never_happen(
    path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    database = SqliteDatabase(path, lock_seconds=0.2)
    database.start()

    async def run() -> None:
        with stopped_holder(path.with_suffix(".lock")) as holder:
            writes = [database.write_later(add(f"00000000000{number}")) for number in range(1, 4)]
            outcomes = await asyncio.gather(*writes, return_exceptions=True)
            assert [str(outcome) for outcome in outcomes] == [LOCKED] * 3
            with pytest.raises(Unavailable):
                await database.write(add("000000000004"))
            assert await database.read(count) == 0
        await database.write(add("000000000005"))
        assert await database.read(count) == 1
        events = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
        described = [event["holder"] for event in events if event["event"] == "database-locked"]
        assert described == [f"process {holder} (stopped)"]

    with closing(database):
        asyncio.run(run())


def test_a_database_is_closed_while_another_process_keeps_the_lock(path: Path) -> None:
    database = SqliteDatabase(path, lock_seconds=0.2)
    database.start()

    async def run() -> None:
        with pytest.raises(Unavailable):
            await database.write(add("000000000001"))

    with stopped_holder(path.with_suffix(".lock")):
        asyncio.run(run())
        started = time.monotonic()
        database.close()

    assert time.monotonic() - started < 60


def test_a_command_names_the_process_that_keeps_the_lock(path: Path) -> None:
    lock = WritersLock(path.with_suffix(".lock"))

    with (
        closing(lock),
        stopped_holder(path.with_suffix(".lock")) as holder,
        pytest.raises(Unavailable, match=rf"^The database is locked by process {holder} \(stopped\)$"),
    ):
        lock.acquire_soon(0.1)


def test_a_lock_of_a_program_that_knows_no_lock_file_is_unavailable(path: Path) -> None:
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")

    async def run() -> None:
        with open_writer(path) as writer:
            writer._connection.set_busy_timeout(50)
            with pytest.raises(Unavailable, match=LOCKED):
                writer.transact(add("000000000001"))

    with closing(other):
        asyncio.run(run())


def test_a_server_answers_503_and_serves_again_when_the_process_ends(fresh_server: StartServer) -> None:
    server = fresh_server()
    with aws_client(server) as ecr, stopped_holder(server.data / "moorage.lock") as holder:
        started = time.monotonic()
        refused = refusal(ecr.create_repository, repositoryName="team/app")
        assert (refused.status, refused.message) == (503, LOCKED)
        assert LOCK_SECONDS <= time.monotonic() - started < 6 * LOCK_SECONDS
        ecr.describe_repositories()

    with aws_client(server) as ecr:
        ecr.create_repository(repositoryName="team/app")

    wait_until(lambda: f"process {holder} (stopped)" in server.output())
