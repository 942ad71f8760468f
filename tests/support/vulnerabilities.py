"""A tiny vulnerability database for Grype (schema 6) from hand-written advisories, and images that they are about."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import sqlite3
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.images import OCI_LAYER, Blob, digest

_SCHEMA = """
CREATE TABLE blobs (id INTEGER PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE db_metadata (
  build_timestamp DATETIME NOT NULL, model INTEGER NOT NULL, revision INTEGER NOT NULL, addition INTEGER NOT NULL);
CREATE TABLE providers (
  id TEXT PRIMARY KEY, version TEXT, processor TEXT, date_captured DATETIME, input_digest TEXT);
CREATE TABLE vulnerability_handles (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, status TEXT NOT NULL, published_date DATETIME, modified_date DATETIME,
  withdrawn_date DATETIME, provider_id TEXT NOT NULL, blob_id INTEGER);
CREATE TABLE vulnerability_aliases (name TEXT, alias TEXT NOT NULL, PRIMARY KEY (name, alias));
CREATE TABLE operating_systems (
  id INTEGER PRIMARY KEY, name TEXT, release_id TEXT, major_version TEXT, minor_version TEXT, label_version TEXT,
  codename TEXT, channel TEXT, eol_date DATETIME, eoas_date DATETIME);
CREATE TABLE packages (id INTEGER PRIMARY KEY, ecosystem TEXT, name TEXT);
CREATE TABLE affected_package_handles (
  id INTEGER PRIMARY KEY, vulnerability_id INTEGER NOT NULL, operating_system_id INTEGER, package_id INTEGER,
  blob_id INTEGER);
"""
_CVSS = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"


class Advisory(NamedTuple):
    """An advisory: `system` is the distribution's name with its major and minor version; empty for a language."""

    provider: str
    name: str
    severity: str
    system: tuple[str, ...]
    ecosystem: str
    package: str
    form: str
    constraint: str
    fix: str = ""
    vector: str = ""


OPENSSL_IN_DEBIAN = Advisory(
    *("debian", "CVE-2099-0001", "high", ("debian", "12", ""), "deb", "openssl", "dpkg"),
    *("< 3.0.13-1~deb12u1", "3.0.13-1~deb12u1", _CVSS),
)
ZLIB_IN_DEBIAN = Advisory("debian", "CVE-2099-0002", "negligible", ("debian", "12", ""), "deb", "zlib", "dpkg", "")
OPENSSL_IN_ALPINE = Advisory(
    *("alpine", "CVE-2099-0001", "high", ("alpine", "3", "19"), "apk", "openssl", "apk"),
    *("< 3.1.4-r6", "3.1.4-r6", _CVSS),
)
JINJA = Advisory(
    *("github", "GHSA-moor-0000-0003", "medium", (), "python", "jinja2", "python", "< 3.1.3", "3.1.3"),
)
LODASH = Advisory(
    *("github", "GHSA-moor-0000-0004", "critical", (), "npm", "lodash", "semver", "< 4.17.21", "4.17.21"),
)
ADVISORIES = (OPENSSL_IN_DEBIAN, ZLIB_IN_DEBIAN, OPENSSL_IN_ALPINE, JINJA, LODASH)


class _Writer:
    """Writes rows, one for each provider, distribution and package."""

    def __init__(self, built: str) -> None:
        self.database = sqlite3.connect(":memory:")
        self.database.executescript(_SCHEMA)
        self._built = built
        self._known: dict[Any, int | None] = {}
        self._insert("db_metadata", build_timestamp=built, model=6, revision=1, addition=0)

    def add(self, advisory: Advisory) -> None:
        alias = f"CVE-2099-{advisory.name[-4:]}" if advisory.name.startswith("GHSA") else ""
        if alias:
            self._insert("vulnerability_aliases", name=advisory.name, alias=alias)
        captured = {"version": "1", "processor": "test", "date_captured": self._built, "input_digest": ""}
        self._once("providers", id=advisory.provider, **captured)
        vulnerability = self._insert(
            "vulnerability_handles",
            name=advisory.name,
            status="active",
            published_date=self._built,
            modified_date=self._built,
            provider_id=advisory.provider,
            blob_id=self._blob(_described(advisory, alias)),
        )
        system = None
        if advisory.system:
            name, major, minor = advisory.system
            named = {"name": name, "release_id": name, "major_version": major, "minor_version": minor}
            system = self._once("operating_systems", **named, label_version="", codename="", channel="")
        fix = {"version": advisory.fix, "state": "fixed"} if advisory.fix else {"state": "not-fixed"}
        version = {"type": advisory.form, "constraint": advisory.constraint}
        self._insert(
            "affected_package_handles",
            vulnerability_id=vulnerability,
            operating_system_id=system,
            package_id=self._once("packages", ecosystem=advisory.ecosystem, name=advisory.package),
            blob_id=self._blob({"ranges": [{"version": version, "fix": fix}]}),
        )

    def _once(self, table: str, **row: Any) -> int | None:
        key = (table, *row.values())
        if key not in self._known:
            self._known[key] = self._insert(table, **row)
        return self._known[key]

    def _blob(self, value: Mapping[str, Any]) -> int | None:
        return self._insert("blobs", value=json.dumps(value))

    def _insert(self, table: str, **row: Any) -> int | None:
        marks = ",".join("?" * len(row))
        statement = f"INSERT INTO {table} ({','.join(row)}) VALUES ({marks})"
        return self.database.execute(statement, tuple(row.values())).lastrowid


def _described(advisory: Advisory, alias: str) -> dict[str, Any]:
    severities: list[dict[str, Any]] = [{"scheme": "CHMLN", "value": advisory.severity, "rank": 1}]
    if advisory.vector:
        score = {"vector": advisory.vector, "version": "3.1"}
        severities.append({"scheme": "CVSS", "value": score, "source": "nvd@nist.gov", "rank": 2})
    return {
        "id": advisory.name,
        "description": f"A made-up flaw in {advisory.package}.",
        "refs": [{"url": f"https://advisories.example/{advisory.name}"}],
        "severities": severities,
        **({"aliases": [alias]} if alias else {}),
    }


def write_database(path: Path, advisories: Sequence[Advisory] = ADVISORIES, built: dt.datetime | None = None) -> Path:
    """Write the archive of a database that was built at that time, by default now."""
    built = built or dt.datetime.now(dt.UTC)
    writer = _Writer(f"{built:%Y-%m-%d %H:%M:%S}+00:00")
    for advisory in advisories:
        writer.add(advisory)
    writer.database.commit()
    content = writer.database.serialize()
    with tarfile.open(path, "w:gz") as tar:
        entry = tarfile.TarInfo("vulnerability.db")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    writer.database.close()
    return path


# --- Images -----------------------------------------------------------------------------------------------------


def file_system(files: Mapping[str, str]) -> Blob:
    """A layer with these files."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    packed = gzip.compress(archive.getvalue(), compresslevel=1, mtime=0)
    return Blob(packed, OCI_LAYER, digest(archive.getvalue()))


_DPKG = """Package: {name}
Status: install ok installed
Architecture: amd64
Source: {source}
Version: {version}
Description: a library

"""
_RELEASE = 'NAME="{name}"\nVERSION_ID="{version}"\nID={id}\nPRETTY_NAME="{name} {version}"\n'

DEBIAN = file_system(
    {
        "etc/os-release": _RELEASE.format(name="Debian GNU/Linux", version="12", id="debian"),
        "var/lib/dpkg/status": _DPKG.format(name="libssl3", source="openssl", version="3.0.11-1~deb12u2")
        + _DPKG.format(name="zlib1g", source="zlib", version="1:1.2.13.dfsg-1"),
    }
)
ALPINE = file_system(
    {
        "etc/os-release": _RELEASE.format(name="Alpine Linux", version="3.19.1", id="alpine"),
        "lib/apk/db/installed": "P:openssl\nV:3.1.4-r5\nA:x86_64\nS:1\nI:1\nT:a tool\nU:x\nL:MIT\no:openssl\n\n",
    }
)
APPLICATION = file_system(
    {
        "usr/lib/python3/dist-packages/jinja2-3.1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: Jinja2\n"
        "Version: 3.1.2\n",
        "app/node_modules/lodash/package.json": '{"name":"lodash","version":"4.17.20","license":"MIT"}',
    }
)
NOTHING = file_system({"hello.txt": "hello\n"})
