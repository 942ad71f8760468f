"""A registry for one command: in a folder of its own, served by one process on a free port."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from multiprocessing.sharedctypes import RawArray
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from moorage import app
from moorage.adapters.data_folder import DataFolder
from moorage.cli.next_commands import failure
from moorage.cli.serve import START_ERRORS, connection_limits
from moorage.config.kinds import Address
from moorage.config.settings import Settings
from moorage.config.sources import load
from moorage.config.table import InvalidSetting
from moorage.first_use import at_first_use
from moorage.http.server.listeners import listen
from moorage.http.server.supervisor import fitting
from moorage.http.server.worker_process import NOT_SERVING, WorkerTask
from moorage.http.server.worker_process import run as run_worker

if TYPE_CHECKING:
    from moorage.cli import seeding
else:
    seeding = at_first_use("moorage.cli.seeding")

_PREFIX: Final = "moorage-run-"
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - folders in it are made by mkdtemp
"""A file system in memory: there, syncing costs nothing."""

_MEMORY_BYTES: Final = 1 << 30
"""Free space that it must have. Containers have 64 MB by default, which a single image can fill."""

_ABANDONED_SECONDS: Final = 60.0
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.002
_LOG_BYTES: Final = 4096


_KEPT: Final = "kept"
"""A file in a folder that its user keeps: a later run does not remove it."""


@contextmanager
def new_folder(*, keep: bool) -> Iterator[Path]:
    """A new folder: in memory if there is enough, else where temporary files are. It is removed, unless `keep`.

    Folders of earlier runs that were killed are removed first.
    """
    base = _MEMORY if not keep and _has_memory() else Path(tempfile.gettempdir())
    for abandoned in base.glob(f"{_PREFIX}*"):
        if _is_abandoned(abandoned):
            shutil.rmtree(abandoned, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    if keep:
        (folder / _KEPT).touch()
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _has_memory() -> bool:
    try:
        return os.access(_MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(_MEMORY).free >= _MEMORY_BYTES
    except OSError:
        return False


def _is_abandoned(folder: Path) -> bool:
    """Whether a folder is this user's, is not new, was not kept, and no server has locked it."""
    try:
        status = folder.stat()
        if status.st_uid != os.geteuid() or time.time() - status.st_mtime < _ABANDONED_SECONDS:
            return False
        if (folder / _KEPT).exists():
            return False
        with (folder / "data" / "server.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # locked, gone, or not one of these folders
        return False
    return True


class Throwaway:
    """The registry below `root`. `settings` has its address, and `folder` is its data folder."""

    def __init__(self, root: Path, options: Mapping[str, Any]) -> None:
        """Raises InvalidSetting. A seed that is wrong ends the command."""
        self.root = root
        self.log = root / "server.log"
        given = {**options, "data": root / "data", "listen": "127.0.0.1:0", "lab": True}
        self.settings = _alone(load(given, environment={}))
        self.folder = DataFolder(self.settings.data)
        self._seed = None if self.settings.seed is None else seeding.read(self.settings, self.settings.seed)

    @property
    def host(self) -> str:
        """The host of the registry, as names of images begin with it."""
        return app.first_registry_host(self.settings)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve in another process. It has ended at the end."""
        process = self._started()
        try:
            yield
            if not process.is_alive():
                click.echo(f"The registry ended before the command did.\n{self._end_of_log()}", err=True)
        finally:
            process.terminate()
            process.join(_STOP_SECONDS)
            process.kill()
            process.join()
            self.folder.unlock()

    def _started(self) -> multiprocessing.Process:
        """Start the process, and wait until it serves."""
        listener = listen(self.settings.host, 0)
        self.settings = replace(self.settings, listen=Address(self.settings.host, listener.getsockname()[1]))
        try:
            self.folder.prepare()
            self.folder.lock()
            app.prepare(self.settings, self.folder)
        except START_ERRORS as error:
            raise failure(error) from None
        if self._seed is not None:
            seeding.sow(self.settings, self.folder, self._seed)
        self.folder.write_endpoint(f"{self.settings.scheme}://{self.settings.public_host}")
        counts = RawArray("i", [NOT_SERVING])
        limits = fitting(connection_limits(self.settings), 1)
        task = WorkerTask(partial(app.application, self.settings, self.folder), listener, None, limits, counts)
        process = multiprocessing.Process(target=_serve, args=(task, self.log, self.folder), name="moorage")
        process.start()
        listener.close()
        end = time.monotonic() + _START_SECONDS
        while counts[0] == NOT_SERVING:
            if not process.is_alive() or time.monotonic() > end:
                process.kill()
                raise failure(f"the registry did not start\n{self._end_of_log()}")
            time.sleep(_POLL_SECONDS)
        return process

    def _end_of_log(self) -> str:
        with suppress(OSError):
            return self.log.read_bytes()[-_LOG_BYTES:].decode(errors="replace")
        return ""


def _alone(settings: Settings) -> Settings:
    """The settings of one process with a folder of its own. Raises InvalidSetting if `--config` names other places."""
    if settings.scheme == "https" or settings.metrics is not None:
        raise InvalidSetting("A run serves from a folder of its own over plain HTTP: leave out metrics and tls.")
    return settings


def _serve(task: WorkerTask, log: Path, folder: DataFolder) -> None:
    """Serve in this process, which was forked. Its output goes to the log, and keys of the terminal do not end it."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    folder.unlock()  # The process that started this one has locked the folder.
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    run_worker(task, 0)
