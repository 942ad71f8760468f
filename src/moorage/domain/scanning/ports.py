"""The port to scanners: an image or its bill of materials in, findings out.

The core decides what is scanned, when and how often, and stores the results. A scanner reads an image and reports what
it found, or why it could not. It keeps no state that a scan depends on, so any process of any node can call it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from moorage.domain.names import Registry
from moorage.domain.scanning.findings import Finding

SBOM_TYPE: Final = "application/vnd.cyclonedx+json"
"""The media type of a bill of materials: CycloneDX in JSON."""

SBOM_LIMIT: Final = 64 << 20
"""Maximum size of a bill of materials in bytes. An image with 1,352 components has one of 3.4 MB."""


class ScannerUnavailable(Exception):
    """The scanner cannot work now, but may be able to later: no database yet, no answer, no memory. Scans are retried.

    The text says why and what to do; the image's status shows it when all attempts have failed.
    """


class ScanFailed(Exception):
    """The image cannot be scanned, and another attempt would end in the same way. The text says why."""


class ImageUnsupported(ScanFailed):
    """The image has nothing that the scanner knows: no distribution, and no packages."""


class ImageTooLarge(ScanFailed):
    """Scanning the image takes more bytes, memory or time than the scanner may use. The text says which."""


class SbomUnusable(Exception):
    """The scanner cannot match this bill of materials: it has to scan the image again."""


@dataclass(frozen=True, slots=True)
class RegistryAccess:
    """How to pull the image through the registry endpoint. The password is short-lived and can read one repository."""

    url: str
    repository: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SourceBlob:
    """The config or a layer of an image. `file` has its bytes if they are a local file; it must not be changed."""

    digest: str
    media_type: str
    size: int
    file: Path | None


class ImageSource(Protocol):
    """An image to scan, which a scanner reads in the way that suits it."""

    @property
    def registry(self) -> Registry: ...
    @property
    def repository(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def media_type(self) -> str:
        """The media type of the manifest."""

    @property
    def manifest(self) -> bytes: ...
    @property
    def config(self) -> SourceBlob: ...
    @property
    def layers(self) -> Sequence[SourceBlob]:
        """The layers, the lowest first."""

    def read(self, blob: SourceBlob) -> AsyncIterator[bytes]:
        """The bytes of a blob in chunks. Raises BlobMissing, Unavailable, OSError."""

    def registry_access(self) -> RegistryAccess:
        """A new login for 15 minutes. Each call issues another one."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """The result of a scan.

    `database` identifies the state of the vulnerability database that was used, and `database_time` is how old its
    content is (None if the scanner does not tell). `sbom` is CycloneDX in JSON; None if the scanner does not make one.
    """

    findings: Sequence[Finding]
    scanner: str
    database: str
    database_time: int | None
    sbom: bytes | None = None


@dataclass(frozen=True, slots=True)
class ScannerStatus:
    """The state of a scanner: its name and version, and its database as in `Scanned`.

    `database` is None if it has none, and `problem` is why it cannot scan now; None if it can.
    """

    scanner: str
    database: str | None
    database_time: int | None
    problem: str | None = None


class Scanner(Protocol):
    """A program or a service that finds known vulnerabilities in images."""

    async def scan(self, image: ImageSource) -> Scanned:
        """Scan one image. If the task is cancelled, all that was started for it ends.

        Raises ScannerUnavailable, ScanFailed, ImageUnsupported, ImageTooLarge; BlobMissing if the image was deleted.
        """

    async def match(self, sbom: bytes) -> Scanned:
        """Match a bill of materials of this scanner with its current database. The result has no `sbom`.

        Raises SbomUnusable, ScannerUnavailable, ScanFailed.
        """

    async def status(self) -> ScannerStatus:
        """The facts that need no scan; cheap enough for a call every minute. Raises ScannerUnavailable."""
