"""Base images for tests, made from this machine's Debian packages in a second, without a registry."""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tests.support.clients import require_client, unavailable

_LEFT_OUT = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/i18n/", "/var/")
_MERGED = ("bin", "lib", "lib64", "sbin")
"""Links into /usr that no package has: the installation of Debian makes them."""

_TRUST = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf")
"""Trusted authorities and the package index of this machine: generated files, which no package has."""


def write_base_archive(
    path: Path, packages: Iterable[str], files: Mapping[str, Path] | None = None, without: tuple[str, ...] = ()
) -> Path:
    """A tar archive for `docker import`: these packages, their dependencies, and more files by their paths.

    Packages whose names start with one of `without` are left out, even if another one depends on them.
    """
    shipped = set(_files_of(_with_dependencies(packages, without)))
    folders = {folder for file in shipped for folder in file.parents if folder != Path("/")}
    with tarfile.open(path, "w") as archive:
        for folder in sorted(folders):
            _add_folder(archive, str(folder)[1:])
        _add_folder(archive, "tmp", 0o1777)
        for name in _MERGED:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, f"usr/{name}"
            archive.addfile(link)
        for file in sorted(shipped):
            archive.add(file, str(file)[1:], recursive=False)
        made = {name: Path(name) for name in _TRUST if Path(name).exists() and Path(name) not in shipped}
        for name, source in {**made, **(files or {})}.items():
            archive.add(source.resolve(), name[1:])
    return path


def _add_folder(archive: tarfile.TarFile, name: str, mode: int = 0o755) -> None:
    folder = tarfile.TarInfo(name)
    folder.type, folder.mode = tarfile.DIRTYPE, mode
    archive.addfile(folder)


def _with_dependencies(packages: Iterable[str], without: tuple[str, ...]) -> list[str]:
    """The packages and their installed dependencies. Skips the test if a package is missing."""
    needed, found, wanted = _dependencies(), set[str](), list(packages)
    if missing := [name for name in wanted if name not in needed]:
        unavailable(f"Debian packages {', '.join(missing)} are not installed")
    while wanted:
        name = wanted.pop()
        if name in needed and name not in found and not name.startswith(without):
            found.add(name)
            wanted += needed[name]
    return sorted(found)


def _dependencies() -> dict[str, list[str]]:
    """The dependencies of each installed package, by its name."""
    shown = "${Package}\t${db:Status-Abbrev}\t${Pre-Depends}, ${Depends}\n"
    listed = subprocess.run(
        [require_client("dpkg-query"), "--show", f"--showformat={shown}"], capture_output=True, text=True, check=True
    )
    rows = (line.split("\t") for line in listed.stdout.splitlines())
    return {
        name: [re.split(r"[ :(]", one)[0] for one in re.split(r"[,|] *", wanted) if one]
        for name, status, wanted in rows
        if status.startswith("ii")
    }


def _files_of(packages: Iterable[str]) -> Iterator[Path]:
    """The files and links of these packages, at their real paths: packages also name files through linked folders."""
    listed = subprocess.run(["dpkg-query", "--listfiles", *packages], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        path = Path(line)
        if line.startswith("/") and not line.startswith(_LEFT_OUT) and os.path.lexists(line):
            place = Path(os.path.realpath(path.parent)) / path.name
            if place.is_file() or (place.is_symlink() and place.parent != Path("/")):
                yield place
