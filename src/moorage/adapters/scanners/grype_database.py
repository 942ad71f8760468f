"""Grype's vulnerability database: imported into a folder of its own, and then used instead of the former one.

current      names the folder that is used, with the state and the age of its content
checked      its time is that of the last look at the source
NAME/6/…     an imported database, which never changes; a scan that uses it holds a shared lock on NAME
update.lock  held by the process that imports
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from moorage.adapters.files.durable import make_folders, replace_file, sync_folder
from moorage.adapters.scanners.database_sources import DatabaseSource, SourceFailed
from moorage.adapters.scanners.grype_report import database_fault, database_time
from moorage.adapters.scanners.locks import exclusive_lock, is_locked
from moorage.adapters.scanners.reports import ReportInvalid
from moorage.adapters.scanners.sandbox import Command, ProgramFailed, Sandbox, SandboxLimits
from moorage.adapters.scanners.workspaces import PRINTED, Workspace, Workspaces
from moorage.domain import strict_json
from moorage.domain.scanning.ports import ScannerUnavailable
from moorage.domain.strict_json import BadJson
from moorage.domain.units import SECOND
from moorage.telemetry import Log

IMPORT_LIMITS: Final = SandboxLimits(seconds=1800, memory=3 << 30, disk=16 << 30)
"""Limits of an import. Grype's own database takes about 1.6 GB on the disk."""

_STATUS_LIMIT: Final = 1 << 16
_STATUS: Final = ("-q", "db", "status", "-o", "json")
_CURRENT, _CHECKED, _IMPORTED = "current", "checked", "imported"
_REFRESH_SECONDS, _FIRST_SECONDS = 3600, 10
NO_DATABASE: Final = "The scanner has no vulnerability database: run `moorage scanner update`"
NO_SOURCE: Final = "No vulnerability database is set: start the server with --scanner-database"


class Installed(msgspec.Struct, frozen=True):
    """An imported database: its folder's name, its source's state, and when it was built (microseconds)."""

    folder: str
    state: str
    built: int

    @property
    def identity(self) -> str:
        """Identifies the content, on all nodes: two databases of one source were not built in the same second."""
        return datetime.fromtimestamp(self.built / SECOND, UTC).isoformat(timespec="seconds")


class DatabasePlace(NamedTuple):
    """The folder of the database, and the workspaces for imports, on the same file system."""

    root: Path
    workspaces: Workspaces


class GrypeDatabase:
    """The database in one folder, imported from a source."""

    def __init__(self, place: DatabasePlace, source: DatabaseSource | None, sandbox: Sandbox, log: Log) -> None:
        self._root = place.root
        self._source = source
        self._sandbox = sandbox
        self._workspaces = place.workspaces
        self._log = log
        self._problem = ""

    def installed(self) -> Installed | None:
        """The database that is used; None before the first import."""
        try:
            found = strict_json.read_as(Installed, (self._root / _CURRENT).read_bytes())
        except (FileNotFoundError, BadJson):
            return None
        return found if (self._root / found.folder / "6" / "vulnerability.db").is_file() else None

    @asynccontextmanager
    async def in_use(self) -> AsyncIterator[tuple[Path, Installed]]:
        """The folder of the database, which nobody removes meanwhile. Raises ScannerUnavailable."""
        while True:
            installed = self.installed()
            if installed is None:
                raise ScannerUnavailable(self._problem or NO_DATABASE)
            folder = self._root / installed.folder
            with _shared_lock(folder) as is_there:
                if is_there:
                    yield folder, installed
                    return

    async def refresh(self) -> None:
        """Update the database once an hour, or every ten seconds until there is one.

        A failure is logged, and the former database stays in use.
        """
        if self._source is None or not await asyncio.to_thread(self._is_due):
            return
        try:
            await self.update()
        except ScannerUnavailable as error:
            self._problem = str(error)
            self._log.event_once("scanner-database-failed", reason=str(error))
        else:
            self._problem = ""

    def _is_due(self) -> bool:
        longest = _REFRESH_SECONDS if self.installed() else _FIRST_SECONDS
        try:
            return not 0 <= time.time() - (self._root / _CHECKED).stat().st_mtime < longest
        except FileNotFoundError:
            return True

    def doubt(self) -> None:
        """Let the next `refresh` examine the database, because Grype could not load it."""
        (self._root / _CHECKED).unlink(missing_ok=True)

    async def update(self) -> bool:
        """Import the source's database, unless it is already used and undamaged; whether another one is used now.

        Raises ScannerUnavailable; the former database is then still used.
        """
        if self._source is None:
            raise ScannerUnavailable(NO_SOURCE)
        make_folders([self._root])
        async with exclusive_lock(self._root / "update.lock"):
            (self._root / _CHECKED).touch(mode=0o600)
            try:
                before = await self._sound()
                async with self._workspaces.new() as workspace:
                    state = await self._source.fetch(before.state if before else "", workspace.input / "archive")
                    if state is None:
                        return False
                    built = await self._import(workspace)
                    await asyncio.to_thread(self._adopt, workspace, state, built)
            except (SourceFailed, ProgramFailed, ReportInvalid, OSError) as error:
                raise ScannerUnavailable(f"The vulnerability database cannot be updated: {error}") from error
            return before is None or before.built != built

    async def _sound(self) -> Installed | None:
        """The database that is used; one that Grype no longer accepts is not used any more, until it is imported again.

        Scans that have begun with it keep its folder.
        """
        installed = self.installed()
        fault = None if installed is None else await self._fault(self._root / installed.folder)
        if fault is None:
            return installed
        self._log.event_once("scanner-database-failed", reason=f"The vulnerability database is damaged: {fault}")
        (self._root / _CURRENT).unlink(missing_ok=True)
        return None

    async def _fault(self, folder: Path) -> str | None:
        """Why Grype does not accept a database, whose bytes it reads; None also if Grype cannot be run now."""
        async with self._workspaces.new() as workspace:
            with suppress(ProgramFailed):  # It is the exit code for a database that it does not accept, too.
                command = Command(_STATUS, environment_of(folder, IMPORT_LIMITS), [folder], IMPORT_LIMITS)
                await self._sandbox.run(command, workspace)
            with suppress(ReportInvalid, OSError):
                return database_fault(workspace.result(PRINTED, _STATUS_LIMIT))
        return None

    async def _import(self, workspace: Workspace) -> int:
        """Import the archive, and return when the database was built."""
        environment = environment_of(workspace.output / _IMPORTED, IMPORT_LIMITS)
        # With -q, an import would not say why it fails.
        for arguments in (("db", "import", str(workspace.input / "archive")), _STATUS):
            command = Command(arguments, environment, [workspace.input], IMPORT_LIMITS)
            await self._sandbox.run(command, workspace)
        return database_time(workspace.result(PRINTED, _STATUS_LIMIT))

    def _adopt(self, workspace: Workspace, state: str, built: int) -> None:
        """Use the database that was imported, and remove those that no scan uses."""
        name = uuid.uuid4().hex
        shutil.move(workspace.output / _IMPORTED, self._root / name)
        sync_folder(self._root)
        replace_file(self._root / _CURRENT, msgspec.json.encode(Installed(name, state, built)))
        for folder in self._root.iterdir():
            if folder.is_dir() and folder.name != name:
                _remove_unused(folder)


def environment_of(database: Path, limits: SandboxLimits) -> Mapping[str, str]:
    """Grype's variables: it never looks for updates, and keeps within its memory."""
    return {
        "GRYPE_DB_CACHE_DIR": str(database),
        "GRYPE_DB_AUTO_UPDATE": "false",
        "GRYPE_DB_VALIDATE_AGE": "false",
        "GRYPE_CHECK_FOR_APP_UPDATE": "false",
        "SYFT_CHECK_FOR_APP_UPDATE": "false",
        "GOMEMLIMIT": str(limits.memory * 3 // 4),
        "GOMAXPROCS": "1",
        "NO_COLOR": "1",
    }


@contextmanager
def _shared_lock(folder: Path) -> Iterator[bool]:
    """Keep a folder from being removed; False if it is removed already."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        yield is_locked(lock, fcntl.LOCK_SH) and os.fstat(lock).st_nlink > 0
    finally:
        os.close(lock)


def _remove_unused(folder: Path) -> None:
    with suppress(OSError):  # One that cannot be removed now is removed after the next import.
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if is_locked(lock, fcntl.LOCK_EX):
                shutil.rmtree(folder)
        finally:
            os.close(lock)
