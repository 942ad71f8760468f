"""PostgreSQL crashes during a migration: a plain message, and the command that it names continues or gives up."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nodes.moving.conftest import Filled
from tests.nodes.moving.registries import Registry, migrate, moved, run
from tests.support.clients import program_environment
from tests.support.commands import Ended
from tests.support.postgres import Cluster, own_cluster
from tests.support.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the state of a process is read from /proc")

COPYING = ["T1:2", "T2:3", "T4:1", "T8:1", "T10:1", "T3:1"]
"""Points at which the target's database is lost while the migration can still be given up."""


@pytest.fixture(scope="module")
def database() -> Iterator[Cluster]:
    with own_cluster() as one:
        yield one


@pytest.fixture
def nodes(database: Cluster, tmp_path: Path) -> Registry:
    """An empty registry with its rows in that cluster and its layers in a folder."""
    return Registry(tmp_path / "nodes", {"database": database.new_database("template1"), "database_connections": 4})


def interrupted(database: Cluster, point: str, *words: str | Path) -> Ended:
    """Run a command, crash PostgreSQL at a failpoint, and start it again when the command has ended."""
    name, _, passing = point.partition(":")
    command = subprocess.Popen(
        [sys.executable, "-m", "moorage", *words],
        env=program_environment(Path("/nowhere"), {"MOORAGE_FAILPOINTS": f"{name}=pause:{passing}"}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: command.poll() is not None or is_stopped(command.pid))
    database.stop("immediate")
    try:
        command.send_signal(signal.SIGCONT)
        out, err = command.communicate(timeout=PATIENCE_SECONDS)
    finally:
        database.start()
    return Ended(command.returncode, out, err)


def is_stopped(process: int) -> bool:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def route(source: Registry, target: Registry) -> tuple[str | Path, ...]:
    return ("migrate", "--from", source.place, "--to", target.place)


def named(ended: Ended, purpose: str) -> list[str]:
    """The words of the command that a message names for a purpose, without the program."""
    assert ended.code == 1, ended
    assert re.search("^Error: ", ended.err, re.MULTILINE), ended  # On a busy machine, lines of the progress are before.
    assert "Traceback" not in ended.err
    found = re.search(f"^{purpose}: (.*)$", ended.err, re.MULTILINE)
    assert found is not None, ended
    program, *words = shlex.split(found[1])
    assert program == "moorage"
    return words


@pytest.mark.parametrize("point", COPYING)
def test_a_move_to_a_database_that_crashes_continues_with_the_named_command(
    folder: Registry, nodes: Registry, database: Cluster, filled: Filled, point: str
) -> None:
    ended = interrupted(database, point, *route(folder, nodes))

    words = named(ended, "To continue")
    assert folder.accepts_changes(), "the source's database works, so it was unsealed"
    assert run(*words).code == 0
    assert nodes.state() == filled.state


def test_a_move_whose_end_is_not_certain_can_only_be_continued(
    folder: Registry, nodes: Registry, database: Cluster, filled: Filled
) -> None:
    """The write that completes the target may have succeeded, so the source stays sealed."""
    ended = interrupted(database, "T5:1", *route(folder, nodes))

    words = named(ended, "To continue")
    assert f"{folder.place} still rejects changes." in ended.err
    assert "give the migration up" not in ended.err
    assert not folder.accepts_changes()
    assert run(*words).code == 0
    assert nodes.state() == filled.state


def test_a_move_to_a_database_that_crashes_is_given_up_with_the_named_command(
    folder: Registry, nodes: Registry, database: Cluster
) -> None:
    ended = interrupted(database, "T4:1", *route(folder, nodes))

    given_up = run(*named(ended, "To give the migration up"))

    assert (given_up.code, given_up.out.startswith("Canceled: ")) == (0, True), given_up
    assert folder.accepts_changes()
    moved(folder, nodes)


def test_a_source_whose_database_crashes_stays_sealed_until_the_named_command(
    folder: Registry, nodes: Registry, database: Cluster, tmp_path: Path, filled: Filled
) -> None:
    moved(folder, nodes)
    back = Registry(tmp_path / "back")

    ended = interrupted(database, "T3:1", *route(nodes, back))

    assert f"{nodes.place} still rejects changes." in ended.err
    account = ("account", "create", "000000000077", *nodes.arguments)
    assert "accepts no changes here" in run(*account).err
    assert run(*named(ended, "To give the migration up")).code == 0
    assert run(*account).code == 0
    ended = interrupted(database, "T6:1", *route(nodes, back))
    assert "give the migration up" not in ended.err, "the target is complete"
    assert run(*named(ended, "To continue")).code == 0
    assert back.state() == filled.state


def test_giving_up_that_was_interrupted_is_finished_by_the_named_command_and_by_no_other(
    folder: Registry, nodes: Registry, database: Cluster
) -> None:
    interrupted(database, "T4:1", *route(folder, nodes))

    ended = interrupted(database, "T7:1", *route(folder, nodes), "--abandon")

    words = named(ended, "To finish giving the migration up")
    refused = migrate(folder, nodes)
    assert (refused.code, "finish that with --abandon" in refused.err) == (1, True), refused
    assert "was given up" in nodes.refuses_to_serve()
    assert folder.accepts_changes()
    finished = run(*words)
    assert (finished.code, finished.out.startswith("Canceled: ")) == (0, True), finished
    assert [path for path in (nodes.server.data / "blobs").rglob("*-*") if path.is_file()] == []
    moved(folder, nodes)


def test_an_update_of_the_schema_during_which_the_database_crashes_can_be_run_again(database: Cluster) -> None:
    words = ("migrate", "--database", database.new_database("template1"))

    ended = interrupted(database, "S1:2", *words)

    assert (ended.code, ended.err.startswith("Error: "), "Traceback" in ended.err) == (1, True, False), ended
    assert run(*words).out.startswith("Updated the database schema from version 0 to ")
