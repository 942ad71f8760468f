"""What keeps Grype from scanning, as a server logs it when it starts."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from moorage.config.settings import Settings
from moorage.config.sources import load
from moorage.core.clock import system_clock
from moorage.domain.units import DAY
from moorage.scanners import local_grype, problem_at_start


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "grype"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def settings_of(program: Path, tmp_path: Path, database: str = "", sha256: str | None = None) -> Settings:
    if sha256 is None:
        sha256 = hashlib.sha256(program.read_bytes()).hexdigest() if program.is_file() else "0" * 64
    given = {"scanner": f"grype:{program}", "scanner_sha256": sha256, "scanner_database": database}
    return load({"data": str(tmp_path / "data"), **given}, {})


def install_database(tmp_path: Path, age: int = 0) -> None:
    folder = tmp_path / "data" / "scanning" / "database"
    (folder / "name" / "6").mkdir(parents=True)
    (folder / "name" / "6" / "vulnerability.db").touch()
    (folder / "current").write_text(json.dumps({"folder": "name", "state": "", "built": system_clock() - age}))


def test_a_program_that_would_not_be_run_is_named(program: Path, tmp_path: Path) -> None:
    install_database(tmp_path)
    missing, text = tmp_path / "missing", tmp_path / "text"
    text.write_text("text")

    assert problem_at_start(settings_of(program, tmp_path)) is None
    for other, reason in (
        (missing, f"The scanner cannot be started: No such file or directory ({missing})"),
        (text, f"The scanner cannot be started: Not executable ({text})"),
        (tmp_path, f"The scanner cannot be started: Not a regular file ({tmp_path})"),
    ):
        assert problem_at_start(settings_of(other, tmp_path)) == reason
    pinned = problem_at_start(settings_of(program, tmp_path, sha256="0" * 64))
    assert pinned is not None
    assert pinned.startswith(f"The scanner is not started: {program} has the SHA-256 ")


def test_a_database_that_nobody_fetches_is_named(program: Path, tmp_path: Path) -> None:
    place = tmp_path / "db.tar.zst"

    assert problem_at_start(settings_of(program, tmp_path)) == (
        "No vulnerability database is set: start the server with --scanner-database"
    )
    missing = settings_of(program, tmp_path, str(place))
    assert problem_at_start(missing) == f"The vulnerability database {place} is not there, or cannot be read"
    install_database(tmp_path)
    assert problem_at_start(missing) == f"The vulnerability database {place} is not there, or cannot be read"
    place.touch()
    assert problem_at_start(missing) is None


@pytest.mark.parametrize("place", ["https://db.example/latest.json", "oci:tools/grype-db:latest"])
def test_a_database_that_is_still_to_be_fetched_is_no_problem(program: Path, tmp_path: Path, place: str) -> None:
    assert problem_at_start(settings_of(program, tmp_path, place)) is None


def test_a_database_that_is_too_old_is_named(program: Path, tmp_path: Path) -> None:
    install_database(tmp_path, age=40 * DAY)

    problem = problem_at_start(settings_of(program, tmp_path))

    assert problem is not None
    assert "more than 30 days ago: run `moorage scanner update`" in problem


def test_a_server_without_grype_has_no_problem(tmp_path: Path) -> None:
    assert problem_at_start(load({"data": str(tmp_path)}, {})) is None


def test_a_program_is_read_again_when_it_has_changed(program: Path, tmp_path: Path) -> None:
    install_database(tmp_path)
    grype = local_grype(settings_of(program, tmp_path))
    assert grype is not None
    assert grype.look().problem is None

    program.write_text("#!/bin/sh\nexit 1\n")

    assert "has the SHA-256" in (grype.look().problem or "")
    program.unlink()
    assert "No such file" in (grype.look().problem or "")
