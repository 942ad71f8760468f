"""kill -9 in the middle of a migration of the schema: the next one finds the old schema and applies all steps."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.clients import program_environment
from tests.support.postgres import cluster
from tests.support.waiting import PATIENCE_SECONDS

KILL = {"MOORAGE_FAILPOINTS": "S1=kill:5"}


def migrated(settings: Mapping[str, str], folder: Path) -> tuple[int, str]:
    """The exit status of `moorage migrate`, and its output."""
    done = subprocess.run(
        [sys.executable, "-m", "moorage", "migrate", "--data", folder],
        env=program_environment(folder.parent, settings),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout


def check_all_or_none(settings: Mapping[str, str], folder: Path) -> None:
    assert migrated({**settings, **KILL}, folder) == (-signal.SIGKILL, "")
    code, text = migrated(settings, folder)
    assert code == 0
    assert text.startswith("Updated the database schema from version 0 to ")
    assert migrated(settings, folder)[1].startswith("The database schema is up to date (version ")


def test_an_embedded_database_is_migrated_by_the_next_command(tmp_path: Path) -> None:
    check_all_or_none({}, tmp_path / "data")


def test_a_database_of_nodes_is_migrated_by_the_next_command(tmp_path: Path) -> None:
    check_all_or_none({"MOORAGE_DATABASE": cluster().new_database(template="template1")}, tmp_path / "data")
