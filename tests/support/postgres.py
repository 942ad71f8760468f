"""PostgreSQL for tests: one cluster that all processes of a test run share, and clusters that a test may stop."""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from moorage.metadata.engines.postgres.engine import PostgresEngine
from tests.support.clients import unavailable
from tests.support.ports import free_port
from tests.support.services import started_once
from tests.support.waiting import PATIENCE_SECONDS

# No test crashes the machine, so nothing has to survive that.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "400",
    "shared_buffers": "64MB",
    "listen_addresses": "127.0.0.1",
    "log_min_messages": "warning",
}
_TEMPLATE = "template_moorage"
_numbers = itertools.count(1)


class Cluster:
    """A PostgreSQL server that can be stopped in several ways and started again."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port

    def create(self) -> None:
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self.folder, "postgres", "postgres")
        self._run("initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--username=postgres")
        configuration = "".join(f"{name} = '{value}'\n" for name, value in _SETTINGS.items())
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.write(f"{configuration}port = {self.port}\nunix_socket_directories = '{self.folder}'\n")

    def start(self) -> None:
        self._run("pg_ctl", "--wait", f"--log={self.folder / 'log'}", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server. The mode `immediate` acts like a crash."""
        self._run("pg_ctl", "--wait", f"--mode={mode}", "stop")

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def new_database(self, template: str = _TEMPLATE) -> str:
        """The URL of a new database. It has the newest schema unless another template is given."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def cut_connections(self, url: str) -> None:
        """End all connections to a database, as an administrator or a network failure does."""
        name = url.rpartition("/")[2]
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")

    def _run(self, program: str, *arguments: str) -> None:
        become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        command: list[str | Path] = [*become, programs() / program, f"--pgdata={self.folder / 'data'}", *arguments]
        done = subprocess.run(
            command,
            check=False,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_SECONDS,
        )
        assert done.returncode == 0, done.stdout.decode()


@functools.cache
def cluster() -> Cluster:
    """The cluster that all processes of this test run share. Use a database of your own."""
    known = started_once("postgresql", _start_shared)
    return Cluster(Path(known["folder"]), known["port"])


@contextmanager
def own_cluster() -> Iterator[Cluster]:
    """A cluster that the caller may stop and start."""
    one = _new_cluster()
    yield one
    if (one.folder / "data" / "postmaster.pid").exists():
        one.stop("immediate")


def _start_shared() -> dict[str, Any]:
    one = _new_cluster()
    one.execute(f"CREATE DATABASE {_TEMPLATE}")
    PostgresEngine(one.url(_TEMPLATE), 2).migrate()
    return {"folder": str(one.folder), "port": one.port}


def _new_cluster() -> Cluster:
    one = Cluster(Path(tempfile.mkdtemp(prefix="postgresql-")), free_port())
    one.create()
    one.start()
    return one


@functools.cache
def programs() -> Path:
    """The newest version that Debian has installed, else the one on the path. Skips the test without either."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if found:
        return found[-1]
    on_path = shutil.which("initdb")
    if on_path is None:
        unavailable("PostgreSQL is not installed")
    return Path(on_path).parent
