"""A PostgreSQL of the tests' own: one cluster a test process, on a loopback port, gone with the process."""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from moorage.metadata.engines.postgres.engine import PostgresEngine
from tests.support.clients import unavailable
from tests.support.ports import free_port

# Nobody pulls the plug: what is tested is what the program does, not the disk of a test machine.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "listen_addresses": "127.0.0.1",
    "log_min_messages": "warning",
}
_TEMPLATE = "template_moorage"
_numbers = itertools.count(1)


class Cluster:
    """A server of databases, which can be stopped in several ways and started again."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="moorage-postgresql-"))
        self.port = free_port()
        if os.geteuid() == 0:  # which PostgreSQL refuses to run as
            shutil.chown(self._folder, "postgres", "postgres")
        self._run("initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--username=postgres")
        configuration = "".join(f"{name} = '{value}'\n" for name, value in _SETTINGS.items())
        with (self._folder / "data" / "postgresql.conf").open("a") as file:
            file.write(f"{configuration}port = {self.port}\nunix_socket_directories = '{self._folder}'\n")

    def start(self) -> None:
        self._run("pg_ctl", "--wait", f"--log={self._folder / 'log'}", "start")

    def stop(self, mode: str = "fast") -> None:
        """`immediate` is what a crash is like."""
        self._run("pg_ctl", "--wait", f"--mode={mode}", "stop")

    def remove(self) -> None:
        if (self._folder / "data" / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self._folder, ignore_errors=True)

    def leave(self) -> None:
        """Stop, and let the files go by themselves: there may be more than the end of a test process waits for."""
        if (self._folder / "data" / "postmaster.pid").exists():
            self.stop("immediate")
        if self._folder.exists():
            subprocess.Popen(["rm", "-rf", self._folder], start_new_session=True)

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def new_database(self, template: str = _TEMPLATE) -> str:
        """The address of one more database, migrated unless it is made from another template."""
        name = f"test_{next(_numbers)}"
        self.do(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def do(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def cut_connections(self, names: str = "test_%") -> None:
        """End all connections to databases of such a name, as an administrator or a failing network would."""
        self.do(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE '{names}'")

    def _run(self, program: str, *arguments: str) -> None:
        become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        command: list[str | Path] = [*become, self._programs / program, f"--pgdata={self._folder / 'data'}", *arguments]
        done = subprocess.run(
            command, check=False, cwd=self._folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60
        )
        assert done.returncode == 0, done.stdout.decode()


@functools.cache
def cluster() -> Cluster:
    """The cluster that all tests of this process share: each has a database of its own."""
    one = _new_cluster()
    one.do(f"CREATE DATABASE {_TEMPLATE}")
    PostgresEngine(one.url(_TEMPLATE), 2).migrate()
    return one


@contextmanager
def cluster_of_its_own() -> Iterator[Cluster]:
    """A cluster to stop and start."""
    one = _new_cluster()
    yield one
    one.remove()


def _new_cluster() -> Cluster:
    programs = _programs()
    if programs is None:
        unavailable("PostgreSQL is not installed")
    one = Cluster(programs)
    one.start()
    atexit.register(one.leave)
    return one


def _programs() -> Path | None:
    """The newest that Debian has installed, else the one on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if found:
        return found[-1]
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None
