"""Grype as a scanner: a confined program that reads images as folders of links to stored blobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from moorage.adapters.scanners.grype_database import NO_DATABASE, GrypeDatabase, Installed, environment_of
from moorage.adapters.scanners.grype_report import Report, count_components
from moorage.adapters.scanners.layouts import layers_by_content, write_layout
from moorage.adapters.scanners.reports import REPORT_LIMIT, ReportInvalid, read_report
from moorage.adapters.scanners.sandbox import (
    Command,
    ProgramEnded,
    ProgramFailed,
    ProgramGreedy,
    Sandbox,
    SandboxLimits,
)
from moorage.adapters.scanners.workspaces import ResultTooLarge, Workspace, Workspaces
from moorage.domain.scanning.findings import Finding
from moorage.domain.scanning.ports import (
    SBOM_LIMIT,
    ImageSource,
    ImageTooLarge,
    ImageUnsupported,
    SbomUnusable,
    ScanFailed,
    Scanned,
    ScannerStatus,
    ScannerUnavailable,
)
from moorage.domain.units import DAY, SECOND

_REPORT, _SBOM = "report.json", "sbom.json"
_OF_DATABASE: Final = "vulnerability db"
"""In the messages of Grype that are about its database, and not about the image."""

_UNREADABLE: Final = "Grype cannot load its vulnerability database"


@dataclass(frozen=True, slots=True)
class GrypeRules:
    """How Grype is used: its name in results, the limits of a scan, and the longest age of its database (0: any)."""

    name: str
    limits: SandboxLimits
    longest_age: int
    now: Callable[[], int]


class Grype:
    """The port `Scanner`, with Grype."""

    def __init__(self, sandbox: Sandbox, database: GrypeDatabase, workspaces: Workspaces, rules: GrypeRules) -> None:
        self._sandbox = sandbox
        self._database = database
        self._workspaces = workspaces
        self._rules = rules

    async def scan(self, image: ImageSource) -> Scanned:
        """See `Scanner.scan`."""
        layers = await layers_by_content(image)
        async with self._workspace() as workspace:
            folder = workspace.input / "image"
            await write_layout(folder, image, self._rules.limits.disk, workspace.require_space)
            outputs = ["-o", f"json={_REPORT}", "-o", f"cyclonedx-json={_SBOM}"]
            # The bill of materials names the image, and not the folder.
            named = f"--name={image.repository}"
            installed = await self._run([*outputs, named, f"oci-dir:{folder}"], workspace)
            findings, sbom = await asyncio.to_thread(_results, workspace, layers)
            return self._scanned(installed, findings, sbom)

    async def match(self, sbom: bytes) -> Scanned:
        """See `Scanner.match`."""
        try:
            await asyncio.to_thread(count_components, sbom)
        except ReportInvalid as error:
            raise SbomUnusable(f"The bill of materials is invalid: {error}") from None
        async with self._workspace() as workspace:
            path = workspace.input / _SBOM
            await asyncio.to_thread(path.write_bytes, sbom)
            installed = await self._run(["-o", f"json={_REPORT}", f"sbom:{path}"], workspace)
            findings = await asyncio.to_thread(_findings, workspace)
            return self._scanned(installed, findings, None)

    async def status(self) -> ScannerStatus:
        """See `Scanner.status`. Once per hour it also looks for another database."""
        await self._database.refresh()
        return await self.known_status()

    async def known_status(self) -> ScannerStatus:
        """`status`, with the database that is there."""
        return await asyncio.to_thread(self.look)

    def look(self) -> ScannerStatus:
        """The state of the program and of the database that is there. It reads files, so call it in a thread."""
        program, installed = self._sandbox.problem(), self._database.installed()
        if installed is None:
            return ScannerStatus(self._rules.name, None, None, program or NO_DATABASE)
        problem = program or self._problem(installed)
        return ScannerStatus(self._rules.name, installed.identity, installed.built, problem)

    async def update(self) -> bool:
        """Fetch the vulnerability database; whether another one is used now. Raises ScannerUnavailable."""
        return await self._database.update()

    @asynccontextmanager
    async def _workspace(self) -> AsyncIterator[Workspace]:
        """A folder for one run. Raises ScannerUnavailable when the disk is full, or fails."""
        try:
            async with self._workspaces.new() as workspace:
                yield workspace
        except OSError as error:
            raise ScannerUnavailable(f"The scanner cannot use its folder: {error.strerror}") from error

    async def _run(self, arguments: Sequence[str], workspace: Workspace) -> Installed:
        """Run Grype in a workspace, with the database that is used now."""
        await self._database.refresh()
        async with self._database.in_use() as (folder, installed):
            problem = self._problem(installed)
            if problem is not None:
                raise ScannerUnavailable(problem)
            environment = environment_of(folder, self._rules.limits)
            try:
                # With -q, Grype would not say why it fails.
                await self._sandbox.run(Command(arguments, environment, [workspace.input, folder]), workspace)
            except ProgramGreedy as error:
                raise ImageTooLarge(str(error)) from None
            except ProgramEnded as error:
                raise ScannerUnavailable(str(error)) from None
            except ProgramFailed as error:
                if _OF_DATABASE not in str(error):
                    raise ScanFailed(str(error)) from None
                self._database.doubt()
                raise ScannerUnavailable(_UNREADABLE) from None
            return installed

    def _problem(self, installed: Installed) -> str | None:
        """Why the database cannot be used; None if it can."""
        longest = self._rules.longest_age
        if not longest or self._rules.now() - installed.built <= longest:
            return None
        return (
            f"The vulnerability database was built on {_date(installed.built)}, more than {longest // DAY} days ago:"
            " run `moorage scanner update`, or accept it with --scanner-database-age"
        )

    def _scanned(self, installed: Installed, findings: Sequence[Finding], sbom: bytes | None) -> Scanned:
        return Scanned(findings, self._rules.name, installed.identity, installed.built, sbom)


def _results(workspace: Workspace, layers: Mapping[str, str]) -> tuple[list[Finding], bytes]:
    """The findings and the bill of materials. Raises ScanFailed, ImageUnsupported."""
    with _invalid_as_failed():
        sbom = workspace.result(_SBOM, SBOM_LIMIT)
        components = count_components(sbom)
        report = read_report(Report, workspace.result(_REPORT, REPORT_LIMIT))
        if not components and not report.has_distribution:
            raise ImageUnsupported("The operating system and/or package manager are not supported.")
        return report.findings(layers), _with_stored_layers(sbom, layers)


def _with_stored_layers(sbom: bytes, layers: Mapping[str, str]) -> bytes:
    """The bill of materials with the layers as the registry stores them: a later match has no image to look it up."""
    for content, stored in layers.items():
        sbom = sbom.replace(f'"{content}"'.encode(), f'"{stored}"'.encode())
    return sbom


def _findings(workspace: Workspace) -> list[Finding]:
    """The findings of a bill of materials. Raises ScanFailed."""
    with _invalid_as_failed():
        return read_report(Report, workspace.result(_REPORT, REPORT_LIMIT)).findings({})


@contextmanager
def _invalid_as_failed() -> Iterator[None]:
    """Turn results that are missing, too large or invalid into ScanFailed."""
    try:
        yield
    except ResultTooLarge as error:
        raise ImageTooLarge(f"The scanner's result is too large: {error}") from None
    except ReportInvalid as error:
        raise ScanFailed(f"The scanner's result is invalid: {error}") from None
    except OSError as error:
        raise ScanFailed(f"The scanner wrote no result ({error.strerror})") from None


def _date(time: int) -> str:
    return datetime.fromtimestamp(time / SECOND, UTC).date().isoformat()
