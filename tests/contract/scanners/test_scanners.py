"""What every scanner does: Grype as a program, and a scanner adapter over HTTP."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import errno
import hashlib
import json
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from moorage.adapters.scanners.database_sources import FileSource as DatabaseFile
from moorage.adapters.scanners.grype import Grype, GrypeRules
from moorage.adapters.scanners.grype_database import DatabasePlace, GrypeDatabase
from moorage.adapters.scanners.harbor import HarborRules, HarborScanner
from moorage.adapters.scanners.layouts import write_layout
from moorage.adapters.scanners.sandbox import Program, Sandbox, SandboxLimits
from moorage.adapters.scanners.workspaces import Workspaces
from moorage.core.clock import system_clock
from moorage.domain.ports import BlobMissing
from moorage.domain.scanning.findings import Severity
from moorage.domain.scanning.ports import (
    ImageTooLarge,
    ImageUnsupported,
    SbomUnusable,
    ScanFailed,
    Scanner,
    ScannerUnavailable,
)
from moorage.domain.units import DAY
from moorage.telemetry import Log
from tests.contract.scanners.sources import FileSource
from tests.support.clients import require_client
from tests.support.go_clients import built_program
from tests.support.harbor_adapter import Adapter, running_adapter
from tests.support.images import image
from tests.support.vulnerabilities import DEBIAN, NOTHING, OPENSSL_IN_DEBIAN, write_database

T = TypeVar("T")
LIMITS = SandboxLimits(seconds=120, memory=1 << 30, disk=256 << 20)

pytestmark = pytest.mark.client


def grype(program: Path, tmp_path: Path, limits: SandboxLimits = LIMITS, longest_age: int = 0) -> Grype:
    """Grype, or a program in its place, with a database of one advisory."""
    archive = tmp_path / "db.tar.gz"
    if not archive.exists():
        write_database(archive, [OPENSSL_IN_DEBIAN])
    sandbox = Sandbox(Program(program, hashlib.sha256(program.read_bytes()).hexdigest()), limits, Log())
    place = DatabasePlace(tmp_path / "database", Workspaces(tmp_path / "imports"))
    database = GrypeDatabase(place, DatabaseFile(archive), sandbox, Log())
    return Grype(
        sandbox, database, Workspaces(tmp_path / "scans"), GrypeRules("grype", limits, longest_age, system_clock)
    )


@pytest.fixture
def adapter() -> Iterator[Adapter]:
    with running_adapter() as running:
        yield running


@pytest.fixture(params=["grype", "harbor"])
def scanner(request: pytest.FixtureRequest, tmp_path: Path) -> Scanner:
    if request.param == "grype":
        return grype(Path(require_client("grype")), tmp_path)
    return harbor(request.getfixturevalue("adapter"))


def harbor(adapter: Adapter, seconds: float = 60) -> HarborScanner:
    return HarborScanner(HarborRules(adapter.url, "Bearer token", seconds))


def debian(tmp_path: Path, *, linked: bool = True) -> FileSource:
    return FileSource(tmp_path / "blobs", image([DEBIAN]), linked=linked)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


# --- Both -------------------------------------------------------------------------------------------------------


def test_a_scan_finds_what_is_known_about_a_package(scanner: Scanner, tmp_path: Path) -> None:
    scanned = run(scanner.scan(debian(tmp_path)))

    [found] = scanned.findings
    assert (found.name, found.severity, found.vendor_severity) == ("CVE-2099-0001", Severity.HIGH, "High")
    assert (found.package.name, found.package.version) == ("libssl3", "3.0.11-1~deb12u2")
    assert found.package.fixed_in == "3.0.13-1~deb12u1"
    assert found.description == "A made-up flaw in openssl."
    assert found.uri == "https://advisories.example/CVE-2099-0001"
    assert [(one.version, one.score) for one in found.cvss] == [("3.1", 9.8)]
    assert found.cvss[0].vector.endswith("AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H")


def test_a_scan_names_the_scanner_and_database_that_the_status_names(scanner: Scanner, tmp_path: Path) -> None:
    scanned, status = run(scanner.scan(debian(tmp_path))), run(scanner.status())

    assert (scanned.scanner, scanned.database) == (status.scanner, status.database)
    assert scanned.database_time == status.database_time is not None
    assert status.problem is None


def test_a_bill_of_materials_is_matched_or_refused(scanner: Scanner, tmp_path: Path) -> None:
    scanned = run(scanner.scan(debian(tmp_path)))

    if scanned.sbom is None:
        with pytest.raises(SbomUnusable):
            run(scanner.match(b"{}"))
        return
    matched = run(scanner.match(scanned.sbom))
    assert (matched.findings, matched.sbom) == (scanned.findings, None)
    bom = json.loads(scanned.sbom)
    assert bom["bomFormat"] == "CycloneDX"
    assert bom["metadata"]["component"]["name"] == "team/app", "the image, and no folder of the server"
    with pytest.raises(SbomUnusable, match="bill of materials is invalid"):
        run(scanner.match(b"{}"))


# --- Grype ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def odd() -> Path:
    return built_program("odd_scanner")


@pytest.fixture
def odd_grype(odd: Path, tmp_path: Path) -> Callable[..., Grype]:
    """A program in Grype's place that behaves as its name says."""

    def named(name: str, limits: SandboxLimits = LIMITS) -> Grype:
        place = tmp_path / name
        place.symlink_to(odd)
        return grype(place, tmp_path, limits)

    return named


def test_layers_that_are_not_files_are_copied(tmp_path: Path) -> None:
    one = grype(Path(require_client("grype")), tmp_path)

    assert len(run(one.scan(debian(tmp_path, linked=False))).findings) == 1


def test_layers_that_are_files_are_not_copied(odd_grype: Callable[..., Grype], tmp_path: Path) -> None:
    one, source = odd_grype("hanging", SandboxLimits(120, 1 << 30, 1 << 30)), debian(tmp_path)

    async def scan() -> int:
        task = asyncio.create_task(one.scan(source))
        try:
            while not list((tmp_path / "scans").glob("*/confinement.json")):  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.02)
            return source.path_of(source.layers[0]).stat().st_nlink
        finally:
            task.cancel()
            await asyncio.wait([task])

    assert run(scan()) == 2
    assert source.path_of(source.layers[0]).stat().st_nlink == 1


def test_a_layer_that_was_deleted_is_missing(tmp_path: Path) -> None:
    source = debian(tmp_path)
    source.path_of(source.layers[0]).unlink()

    with pytest.raises(BlobMissing):
        run(grype(Path(require_client("grype")), tmp_path).scan(source))


def test_an_image_without_distribution_and_packages_is_unsupported(tmp_path: Path) -> None:
    with pytest.raises(ImageUnsupported):
        run(grype(Path(require_client("grype")), tmp_path).scan(FileSource(tmp_path / "blobs", image([NOTHING]))))


@pytest.mark.parametrize(
    ("name", "error", "reason"),
    [
        ("hanging", ImageTooLarge, "did not end within 2 seconds"),
        ("killed", ScannerUnavailable, "ended by signal 9"),
        ("filling", ImageTooLarge, "wrote more than 256 MiB|larger than its limit"),
        ("failing", ScanFailed, "ended with exit code 1: unable to decode layer"),
        ("nonsense", ScanFailed, "result is invalid"),
        ("incomplete", ScanFailed, "result is invalid"),
        ("endless", ImageTooLarge, "has more than 64 MiB"),
        ("linking", ScanFailed, "wrote no result"),
        ("silent", ScanFailed, "wrote no result"),
    ],
)
def test_a_scanner_that_misbehaves_ends_with_a_reason(
    odd_grype: Callable[..., Grype], tmp_path: Path, name: str, error: type[Exception], reason: str
) -> None:
    limits = SandboxLimits(2, 1 << 30, 256 << 20) if name == "hanging" else LIMITS

    with pytest.raises(error, match=reason):
        run(odd_grype(name, limits).scan(debian(tmp_path)))

    assert list((tmp_path / "scans").iterdir()) == []


def test_a_folder_that_cannot_be_used_is_named_without_its_path(
    odd_grype: Callable[..., Grype], tmp_path: Path
) -> None:
    one = odd_grype("fine")
    (tmp_path / "scans").touch()

    for work in (one.scan(debian(tmp_path)), one.match(b'{"bomFormat": "CycloneDX", "components": []}')):
        with pytest.raises(ScannerUnavailable, match=r"^The scanner cannot use its folder: (File exists|Not a dir.*)$"):
            run(work)

    (tmp_path / "scans").unlink()
    assert run(one.scan(debian(tmp_path))).findings == []


def test_a_layer_is_copied_only_while_the_disk_has_more_than_its_reserve(tmp_path: Path) -> None:
    def refuse() -> None:
        raise OSError(errno.ENOSPC, "only the reserve is left")

    with pytest.raises(OSError, match="only the reserve is left"):
        run(write_layout(tmp_path / "image", debian(tmp_path, linked=False), 1 << 20, refuse))
    run(write_layout(tmp_path / "linked", debian(tmp_path), 1 << 20, refuse))


def test_a_database_that_is_too_old_is_not_used_and_the_next_one_is(tmp_path: Path) -> None:
    one, source = grype(Path(require_client("grype")), tmp_path, longest_age=30 * DAY), debian(tmp_path)
    write_database(tmp_path / "db.tar.gz", [], dt.datetime.now(dt.UTC) - dt.timedelta(days=31))
    is_new = run(one.update())

    with pytest.raises(ScannerUnavailable, match="more than 30 days ago: run `moorage scanner update`"):
        run(one.scan(source))

    write_database(tmp_path / "db.tar.gz", [OPENSSL_IN_DEBIAN])
    assert (is_new, run(one.update())) == (True, True)
    assert len(run(one.scan(source)).findings) == 1


def damage(tmp_path: Path) -> None:
    """Change one byte of the imported database, as a disk can."""
    [stored] = (tmp_path / "database").glob("*/6/vulnerability.db")
    with stored.open("r+b") as file:
        file.seek(-3000, 2)
        byte = file.read(1)[0]
        file.seek(-3000, 2)
        file.write(bytes([byte ^ 1]))


def test_a_database_that_was_damaged_on_the_disk_is_imported_again_after_a_failed_scan(tmp_path: Path) -> None:
    """The failure is not one of the image. The second database of the same time is not a reason to match again."""
    one, source = grype(Path(require_client("grype")), tmp_path), debian(tmp_path)
    before = run(one.scan(source))
    damage(tmp_path)

    with pytest.raises(ScannerUnavailable, match=r"^Grype cannot load its vulnerability database$"):
        run(one.scan(source))
    after = run(one.scan(source))

    assert (after.findings, after.database) == (before.findings, before.database)
    assert len([path for path in (tmp_path / "database").iterdir() if path.is_dir()]) == 1


def test_an_update_finds_a_damaged_database_which_is_not_used_even_if_its_source_is_gone(tmp_path: Path) -> None:
    one = grype(Path(require_client("grype")), tmp_path)
    assert [run(one.update()), run(one.update())] == [True, False]
    damage(tmp_path)
    archive = (tmp_path / "db.tar.gz").rename(tmp_path / "away")

    with pytest.raises(ScannerUnavailable, match=r"cannot be updated: .*No such file"):
        run(one.update())
    assert "no vulnerability database" in (run(one.known_status()).problem or "")

    archive.rename(tmp_path / "db.tar.gz")
    assert run(one.update())
    assert run(one.known_status()).problem is None


def test_a_database_that_cannot_be_examined_stays_in_use(odd_grype: Callable[..., Grype], tmp_path: Path) -> None:
    one = odd_grype("fine")
    run(one.update())
    [stored] = (tmp_path / "database").glob("*/6/vulnerability.db")
    (tmp_path / "fine").unlink()

    assert not run(one.update())
    assert stored.exists()
    assert (tmp_path / "database" / "current").exists()


def test_a_database_that_is_replaced_during_a_scan_stays_until_its_end(
    odd_grype: Callable[..., Grype], tmp_path: Path
) -> None:
    one = odd_grype("hanging", SandboxLimits(120, 1 << 30, 1 << 30))
    run(one.update())
    [before] = [path for path in (tmp_path / "database").iterdir() if path.is_dir()]

    async def replace() -> bool:
        scan = asyncio.create_task(one.scan(debian(tmp_path)))
        while not list((tmp_path / "scans").glob("*/confinement.json")):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.02)
        write_database(tmp_path / "db.tar.gz")
        await one.update()
        is_there = before.exists()
        scan.cancel()
        await asyncio.wait([scan])
        return is_there

    assert run(replace())
    assert before.exists()

    write_database(tmp_path / "db.tar.gz", [])
    run(one.update())
    assert len([path for path in (tmp_path / "database").iterdir() if path.is_dir()]) == 1


# --- Harbor's API -----------------------------------------------------------------------------------------------


def test_an_adapter_gets_a_login_and_the_image_by_digest(adapter: Adapter, tmp_path: Path) -> None:
    source = debian(tmp_path)

    run(harbor(adapter).scan(source))

    [request] = adapter.requests
    assert request["registry"] == {
        "url": "http://localhost:5000",
        "authorization": f"Basic {base64.b64encode(b'AWS:password').decode()}",
    }
    assert request["artifact"] == {
        "repository": "team/app",
        "digest": source.digest,
        "mime_type": source.media_type,
        "size": len(source.manifest),
    }
    assert {headers["authorization"] for headers in adapter.headers} == {"Bearer token"}
    assert adapter.headers[-1]["accept"] == "application/vnd.security.vulnerability.report; version=1.1"


@pytest.mark.parametrize(
    ("accepts", "report", "error", "reason"),
    [
        ((422, b'{"error": {"message": "not an\\nimage"}}'), (200, b"{}"), ScanFailed, "answered 422: not an image"),
        ((503, b"<html>"), (200, b"{}"), ScannerUnavailable, "answered 503$"),
        ((202, b'{"id": "../metadata"}'), (200, b"{}"), ScanFailed, "the id of the scan is not one"),
        ((202, b"[]"), (200, b"{}"), ScanFailed, "result is invalid"),
        ((202, b'{"id": "1"}'), (500, b'{"error": {"message": "boom"}}'), ScannerUnavailable, "answered 500: boom"),
        ((202, b'{"id": "1"}'), (404, b""), ScannerUnavailable, "answered 404"),
        ((202, b'{"id": "1"}'), (200, b"<html>"), ScanFailed, "result is invalid"),
        ((202, b'{"id": "1"}'), (200, b'{"vulnerabilities": [{}]}'), ScanFailed, "result is invalid"),
        ((202, b'{"id": "1"}'), (302, b""), ImageTooLarge, "did not end within 1 seconds"),
    ],
)
def test_an_adapter_that_fails_or_misbehaves_ends_with_a_reason(
    adapter: Adapter,
    tmp_path: Path,
    accepts: tuple[int, bytes],
    report: tuple[int, bytes],
    error: type[Exception],
    reason: str,
) -> None:
    adapter.accepts, adapter.reports = accepts, [report]

    with pytest.raises(error, match=reason):
        run(harbor(adapter, seconds=1 if error is ImageTooLarge else 60).scan(debian(tmp_path)))


def test_an_adapter_that_makes_no_known_report_cannot_scan(adapter: Adapter, tmp_path: Path) -> None:
    adapter.types = ["text/html"]

    with pytest.raises(ScannerUnavailable, match="makes none of these"):
        run(harbor(adapter).scan(debian(tmp_path)))


def test_an_adapter_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    one = HarborScanner(HarborRules("http://127.0.0.1:9", "", 5))

    for work in (one.status(), one.scan(debian(tmp_path))):
        with pytest.raises(ScannerUnavailable, match="does not answer"):
            run(work)


def test_waiting_for_a_report_does_not_hurry(adapter: Adapter, tmp_path: Path) -> None:
    """A `Refresh-After` of 0 seconds is not a reason to ask at once."""
    adapter.reports = [(302, b"")] * 3 + adapter.reports[-1:]
    began = time.monotonic()

    run(harbor(adapter).scan(debian(tmp_path)))

    assert time.monotonic() - began > 0.5
