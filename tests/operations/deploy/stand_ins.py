"""Replacements for the images of PostgreSQL, SeaweedFS and HAProxy: programs of this machine with the same options."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.support.clients import require_client
from tests.support.debian_image import write_base_archive
from tests.support.dockerd import Dockerd

_BASE = ("base-files", "coreutils", "dash", "libc-bin")
_UNUSED = ("libllvm", "libperl", "libz3", "locales", "perl-modules")
"""Files of Debian's PostgreSQL for compiled queries, for procedures in Perl and for its own scripts: 200 MB."""

_USERS = "root:x:0:0:root:/root:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\nhaproxy:x:99:99::/:/bin/sh\n"
_GROUPS = "root:x:0:\npostgres:x:999:\nhaproxy:x:99:\n"
_POSTGRES = """#!/bin/sh
# With the variables of the official image.
set -eu
if [ "$(id -u)" = 0 ]; then
    mkdir -p /var/lib/postgresql/data
    chown postgres:postgres /var/lib/postgresql/data
    exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0"
fi
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
export PGDATA=/var/lib/postgresql/data/pgdata
if [ ! -e "$PGDATA/PG_VERSION" ]; then
    initdb --no-sync --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --auth-local=trust --auth-host=trust
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    echo "CREATE DATABASE $POSTGRES_DB" | postgres --single -j template1
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories=/tmp -c jit=off
"""


def import_stand_ins(dockerd: Dockerd, folder: Path) -> dict[str, str]:
    """The variables of compose.yaml that name these images."""
    users, groups, entry = (folder / name for name in ("passwd", "group", "entry"))
    users.write_text(_USERS)
    groups.write_text(_GROUPS)
    entry.write_text(_POSTGRES)
    entry.chmod(0o755)
    known = {"/etc/passwd": users, "/etc/group": groups}
    weed = Path(require_client("weed"))
    return {
        "POSTGRES_IMAGE": _imported(
            dockerd, folder, "postgresql", {**known, "/usr/bin/entry": entry}, entrypoint="entry"
        ),
        "SEAWEEDFS_IMAGE": _imported(dockerd, folder, "weed", {"/usr/bin/weed": weed}),
        "HAPROXY_IMAGE": _imported(dockerd, folder, "haproxy", known),
    }


def _imported(dockerd: Dockerd, folder: Path, name: str, files: Mapping[str, Path], entrypoint: str = "") -> str:
    packages = {"postgresql": ["postgresql", "util-linux"], "haproxy": ["haproxy"]}.get(name, [])
    archive = write_base_archive(folder / f"{name}.tar", [*_BASE, *packages], files, without=_UNUSED)
    changes = ["ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin", *([f'ENTRYPOINT ["{entrypoint}"]'] if entrypoint else [])]
    dockerd.docker("import", *(f"--change={change}" for change in changes), str(archive), f"{name}:test")
    archive.unlink()
    return f"{name}:test"
