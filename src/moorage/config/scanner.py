"""Settings of the vulnerability scanner."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from moorage.config.kinds import DURATION, SIZE, matching, text
from moorage.config.table import SERVE, setting

GRYPE: Final = "grype:"
ARTIFACT: Final = "oci:"
_COMMANDS: Final = (*SERVE, "scanner status", "scanner update")


@dataclass(frozen=True, slots=True)
class ScannerSettings:
    """The settings of the scanner that `Settings` has beside its own."""

    scanner: str = setting(
        matching(r"(grype:/.+|https?://.+)?", "grype:/PATH, or the URL of a scanner adapter", "SCANNER"),
        "",
        "Scan images with Grype, grype:/PATH, or with a scanner adapter at this URL.",
        "Without it, scans fail with a description that says so. See [scanning.md](scanning.md).",
        commands=_COMMANDS,
    )
    scanner_sha256: str = setting(
        matching(r"([0-9a-f]{64})?", "64 hexadecimal digits, as `sha256sum` prints them", "DIGEST"),
        "",
        "SHA-256 of the program Grype. Another program at its place is not run.",
        "See [scanning.md](scanning.md).",
        commands=_COMMANDS,
    )
    scanner_database: str = setting(
        matching(
            r"(/.+|https?://.+|oci:[^/].*)?",
            "a file's absolute path, an http or https URL, or oci:REPOSITORY:TAG",
            "PLACE",
        ),
        "",
        "Grype's vulnerability database: /FILE, a URL, or oci:REPOSITORY:TAG in this registry.",
        "It is looked for once per hour ([scanning.md](scanning.md)).",
        commands=_COMMANDS,
    )
    scanner_database_age: float = setting(
        DURATION,
        "30d",
        "Do not scan with a vulnerability database that is older than this; 0 accepts any age.",
        commands=_COMMANDS,
    )
    scanner_authorization: str = setting(
        text(""),
        "",
        "Value of the header Authorization for a scanner adapter, such as `Bearer TOKEN`.",
        commands=(),
        secret=True,
    )
    scanner_memory: int = setting(SIZE, "2G", "Memory that one scan may take.", commands=_COMMANDS)
    scanner_timeout: float = setting(DURATION, "10m", "Time that one scan may take.", commands=_COMMANDS)

    @property
    def grype(self) -> Path | None:
        """The program Grype; None if another scanner is set, or none."""
        return Path(self.scanner.removeprefix(GRYPE)) if self.scanner.startswith(GRYPE) else None
