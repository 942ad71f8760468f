"""What a scanner found, independent of the scanner and of the two shapes in which ECR returns it."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """ECR's severities, the most severe first.

    What scanners call negligible is INFORMATIONAL, and unknown is UNDEFINED.
    """

    CRITICAL = "CRITICAL"
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"
    INFORMATIONAL = "INFORMATIONAL"
    UNDEFINED = "UNDEFINED"


class Package(msgspec.Struct, frozen=True, omit_defaults=True):
    """A package in an image that has a vulnerability.

    `manager` is what Inspector calls it, such as OS, PYTHONPKG or NODEPKG; `layer` the digest of the layer that
    contains `path`; `fixed_in` the first version without the vulnerability. Empty if the scanner does not know it.
    """

    name: str
    version: str
    manager: str = ""
    path: str = ""
    layer: str = ""
    fixed_in: str = ""
    arch: str = ""
    epoch: int = 0
    release: str = ""


class Cvss(msgspec.Struct, frozen=True, omit_defaults=True):
    """A score of a vulnerability: `version` as "3.1", `vector` with or without its prefix, and who gave it."""

    version: str
    vector: str
    score: float
    source: str = ""


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One vulnerability in one package.

    `name` is its CVE if it has one, else the name in its database. `source` names that database, such as
    "debian:distro:debian:12", and `uri` is its page about the vulnerability. `related` are further names.
    `vendor_severity` is the database's own word. `is_exploited`: attacks are known (CISA's KEV list). Times are
    microseconds since the Unix epoch; None if unknown.
    """

    name: str
    severity: Severity
    package: Package
    description: str = ""
    uri: str = ""
    source: str = ""
    vendor_severity: str = ""
    cvss: tuple[Cvss, ...] = ()
    references: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    is_exploited: bool = False
    published_at: int | None = None
    updated_at: int | None = None
