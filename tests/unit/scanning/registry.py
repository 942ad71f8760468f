"""A registry without a server, with a scanner and a clock that tests set, to run the jobs of scans in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from moorage import background
from moorage.adapters.files.blob_store import FileBlobStore
from moorage.app import reactions_of
from moorage.core.attachments import Attachments
from moorage.core.events import record as events
from moorage.core.registry import repositories
from moorage.core.registry.image_ids import ImageId
from moorage.core.registry.images import Images, Push
from moorage.core.registry.layers import Layers
from moorage.core.registry.open_uploads import UploadScope
from moorage.core.registry.repositories import NewRepository
from moorage.core.scanning import configurations, scans
from moorage.core.scanning import jobs as scan_jobs
from moorage.core.scanning import watch as scan_watch
from moorage.core.scanning.boms import Boms
from moorage.core.scanning.jobs import ScanJobs
from moorage.core.scanning.scans import ImageScan
from moorage.core.scanning.source import ImageSources
from moorage.core.scanning.watch import ScannerWatch
from moorage.domain.names import Registry, RepositoryName, Tag
from moorage.domain.registry.errors import LayerAlreadyExists
from moorage.domain.registry.manifests import parse_manifest
from moorage.domain.registry.quotas import Quotas
from moorage.domain.scanning.configuration import Frequency, ScanningConfiguration, ScanningRule
from moorage.domain.scanning.findings import Finding, Package, Severity
from moorage.domain.scanning.ports import ImageSource, RegistryAccess, Scanned, ScannerStatus
from moorage.domain.units import DAY, SECOND
from moorage.metadata import jobs as job_rows
from moorage.metadata.database import Transaction, Work
from moorage.metadata.events import targets
from moorage.metadata.events.targets import EventTarget
from moorage.metadata.jobs import JobFailed
from moorage.metadata.registry import images as image_rows
from moorage.metadata.registry.images import Image
from moorage.metadata.registry.repositories import Repository, RepositorySettings
from moorage.metadata.scanning.scans import StoredFinding
from moorage.worker import JobKind
from tests.support.databases import engine_of
from tests.support.images import Image as Built
from tests.support.images import image as build
from tests.support.limits import IDS, LIMITS

T = TypeVar("T")

HERE = Registry("000000000000", "us-east-1")


def finding(name: str = "CVE-2099-0001", severity: Severity = Severity.HIGH, package: str = "openssl") -> Finding:
    return Finding(name, severity, Package(package, "3.0.11"))


class FakeScanner:
    """Finds what tests tell it to. `before_result` runs while a scan is in progress."""

    def __init__(self) -> None:
        self.findings: list[Finding] = [finding()]
        self.database = "db-1"
        self.database_time = DAY
        self.version = "fake 1"
        self.sbom: bytes | None = b'{"bomFormat":"CycloneDX"}'
        self.error: Exception | None = None
        self.match_error: Exception | None = None
        self.before_result: Callable[[], Coroutine[Any, Any, None]] | None = None
        self.scanned: list[str] = []
        self.matched: list[bytes] = []
        self.read: list[bytes] = []

    async def scan(self, image: ImageSource) -> Scanned:
        self.scanned.append(image.digest)
        self.read = [b"".join([chunk async for chunk in image.read(blob)]) for blob in (image.config, *image.layers)]
        if self.before_result is not None:
            await self.before_result()
        if self.error is not None:
            raise self.error
        return Scanned(self.findings, self.version, self.database, self.database_time, self.sbom)

    async def match(self, sbom: bytes) -> Scanned:
        self.matched.append(sbom)
        if self.match_error is not None:
            raise self.match_error
        return Scanned(self.findings, self.version, self.database, self.database_time)

    async def status(self) -> ScannerStatus:
        if self.error is not None:
            raise self.error
        return ScannerStatus(self.version, self.database, self.database_time)


class ScanningRegistry:
    """Repositories, and the jobs of scans. Tests change `now`, and run the jobs that are due with `work`."""

    def __init__(self, folder: Path, scanner: FakeScanner | None, quotas: Quotas | None = None) -> None:
        limits = replace(LIMITS, quotas=quotas or LIMITS.quotas)
        self.now = 1_000 * DAY
        self.runner = asyncio.Runner()
        self.database = engine_of(folder).open()
        self.database.start()
        store = FileBlobStore(folder)
        store.prepare()
        self.scanner = scanner
        self.images = Images(limits, reactions_of(limits))
        self.layers = Layers(self.database, store, IDS, self.clock, limits)
        attachments = Attachments(self.database, self.layers, self.images, self.clock)
        boms = Boms(self.database, store, attachments, self.images, self.clock)
        sources = ImageSources(self.database, store, lambda _registry, name: RegistryAccess("http://x", name, "", ""))
        scan = ScanJobs(self.database, scanner, sources, boms, self.clock)
        watch = ScannerWatch(self.database, scanner, self.clock)
        self.kinds = background.scanning_kinds(scan, watch)
        self.errors: list[str] = []

    def clock(self) -> int:
        return self.now

    def close(self) -> None:
        self.database.close()
        self.runner.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def write(self, work: Work[T]) -> T:
        return self.run(self.database.write(work))

    # --- What clients do ----------------------------------------------------------------------------------------

    def repository(self, name: str = "team/app", *, scan_on_push: bool = False) -> Repository:
        settings = RepositorySettings(scan_on_push=scan_on_push)
        new = NewRepository(HERE, RepositoryName(name), settings)
        return self.write(lambda tx: repositories.create(tx, new, LIMITS, self.now))

    def push(self, repository: Repository, *tags: str, built: Built | None = None, seed: int = 0) -> Image:
        """Push an image as a client does, with its blobs."""
        built = built or build(seed=seed)
        for blob in built.blobs:
            self.run(self._upload(repository, blob.content, blob.digest))
        push = self.pushed(built.manifest.content, *tags)
        digest = self.write(lambda tx: self.images.put(tx, repository, push, self.now))
        return self.image(repository, digest)

    def pushed(self, body: bytes, *tags: str) -> Push:
        """What the push of a manifest is to the core."""
        return Push(
            body=body, manifest=parse_manifest(body, None), tags=tuple(map(Tag, tags)), digest=None, sparse=False
        )

    async def _upload(self, repository: Repository, content: bytes, digest: str) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield content

        scope = UploadScope(repository.registry, repository.name, "AIDA1")
        upload = await self.layers.append(scope, await self.layers.start(scope), 0, chunks())
        with suppress(LayerAlreadyExists):
            await self.layers.complete(scope, upload, [digest], strict=False)

    def image(self, repository: Repository, digest: str) -> Image:
        found = self.write(lambda tx: image_rows.find(tx, repository.id, digest))
        assert found is not None
        return found

    def referrers(self, image: Image) -> list[Image]:
        return self.write(lambda tx: image_rows.with_subject(tx, image.repository_id, image.digest))

    def configure(self, scan_type: str, *rules: tuple[Frequency, str]) -> None:
        made = tuple(ScanningRule(frequency, (text,)) for frequency, text in rules)
        self.write(lambda tx: configurations.put(tx, HERE, ScanningConfiguration(scan_type, made), self.now))

    def start(self, repository: Repository, image: Image) -> None:
        self.write(lambda tx: scans.start(tx, repository, ImageId(image.digest), self.now))

    def scan(self, repository: Repository, image: Image) -> ImageScan:
        return self.write(lambda tx: scans.get(tx, repository, ImageId(image.digest), self.now))

    def status(self, repository: Repository, image: Image) -> str:
        return self.scan(repository, image).state.status.value

    def findings(self, repository: Repository, image: Image) -> list[StoredFinding]:
        def read(tx: Transaction) -> list[StoredFinding]:
            return scans.findings(tx, scans.get(tx, repository, ImageId(image.digest), self.now), -1, 100_000)

        return self.write(read)

    def archive(self, repository: Repository, image: Image) -> None:
        current = self.image(repository, image.digest)
        self.write(lambda tx: self.images.storage_classes.update(tx, repository, current, "ARCHIVE", self.now))

    def restore(self, repository: Repository, image: Image) -> None:
        current = self.image(repository, image.digest)
        self.write(lambda tx: self.images.storage_classes.update(tx, repository, current, "STANDARD", self.now))

    # --- What worker processes do -------------------------------------------------------------------------------

    def work(self, *kinds: str) -> list[str]:
        """Run all jobs that are due, and return their kinds. A failed one is retried later, or given up."""
        done: list[str] = []
        names = kinds or tuple(self.kinds)
        while taken := self.write(lambda tx: job_rows.claim(tx, names, self.now, self.now + 60 * SECOND, 1)):
            (job,) = taken
            done.append(job.kind)
            kind = self.kinds[job.kind]
            try:
                self.run(_awaited(kind, job))
            except JobFailed as error:
                self.errors.append(str(error))
                text = str(error)
                self.write(lambda tx: self._failed(tx, kind, job, text))  # noqa: B023 - runs now
            else:
                self.write(lambda tx: job_rows.finish(tx, job))  # noqa: B023 - runs now
        return done

    def _failed(self, tx: Transaction, kind: JobKind, job: job_rows.Job, text: str) -> None:
        if job.attempts < kind.attempts:
            job_rows.retry(tx, job, text, self.now + kind.delay(job.attempts))
        elif job_rows.bury(tx, job, text) and kind.give_up is not None:
            kind.give_up(tx, job, text)

    def watch(self, *, run: bool = True) -> list[str]:
        """Look at the scanner's database, as the recurring job does, and run what follows within a day."""
        self.write(lambda tx: job_rows.enqueue(tx, scan_watch.WATCH, "", {}, self.now))
        self.work(scan_watch.WATCH)
        if not run:
            return []
        self.now += DAY
        return self.work(scan_jobs.REMATCH)

    # --- Events -------------------------------------------------------------------------------------------------

    def listen(self) -> None:
        """Add a target for all events."""
        target = EventTarget("target", "http://127.0.0.1:1/", "eventbridge", events.NAMES, b"", self.now)
        self.write(lambda tx: targets.insert(tx, target))

    def events(self) -> list[dict[str, Any]]:
        """The events about scans that wait for the target, the oldest first."""
        rows = self.write(lambda tx: tx.all("SELECT body FROM delivery ORDER BY id"))
        found = [json.loads(row[0]) for row in rows]
        return [event for event in found if "Scan" in event["detail-type"] or "Inspector" in event["detail-type"]]


async def _awaited(kind: JobKind, job: job_rows.Job) -> None:
    await kind.run(job)
