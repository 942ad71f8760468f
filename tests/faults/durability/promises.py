"""One checker for each promise of docs/promises.md that this version can keep.

Each checker reads a server through both endpoints and raises AssertionError if the promise is broken, no matter what
happened to the server before. All tests of crashes, power cuts, full disks and races end here. The tests of each
endpoint show P9 (isolation).
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import apsw

from moorage.adapters.files.blob_store import UPLOAD_LENGTH
from moorage.core.clock import system_clock
from moorage.domain.ports import MARKER_KEY
from moorage.domain.registry.upload_ids import may_be_open
from tests.api.ecr.pushing import upload_blobs
from tests.faults.durability.endpoints import Endpoints, Journal, Named
from tests.support.databases import ON_POSTGRESQL, engine_of
from tests.support.images import Image, digest
from tests.support.server import Server

_PROCESS_BYTES = 400 << 20
_PROCESS_FILES = 512
_PROCESS_THREADS = 64
_OLD = 1_000_000_000_000_000_000  # In 2001. Otherwise reading a folder changes its access time, even with `relatime`.


def check_p1_acknowledged_is_durable(endpoints: Endpoints, journal: Journal) -> None:
    """Every layer, manifest, tag and part that was acknowledged exists at both endpoints."""
    for (repository, name), content in journal.layers.items():
        _check_layer(endpoints, repository, name, content)
    for (repository, name), manifest in journal.manifests.items():
        pulled = endpoints.manifest(repository, name)
        assert (pulled.status, pulled.body) == (200, manifest.content), (repository, name, pulled.status)
        got = endpoints.ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": name}])
        assert {row["imageManifest"] for row in got["images"]} == {manifest.content.decode()}, got["failures"]
    for tag, digests in journal.tags.items():
        check_tag_names_one_of(endpoints, tag, digests)
    for (repository, upload), sizes in journal.uploads.items():
        assert upload_size(endpoints, repository, upload) in sizes, (repository, upload, sizes)


def check_p2_never_wrong_bytes(endpoints: Endpoints, journal: Journal | None = None) -> None:
    """Every manifest and layer that can be pulled has its digest."""
    for repository in endpoints.repositories():
        for name in {row["imageDigest"] for row in endpoints.image_ids(repository)}:
            pulled = endpoints.manifest(repository, name)
            assert digest_by(name, pulled.body) == name, (repository, name, pulled.status)
            for layer in _layers_named_by(pulled.json()):
                assert digest_by(layer, endpoints.layer(repository, layer).body) == layer, (repository, layer)
                assert digest_by(layer, endpoints.download(repository, layer)) == layer, (repository, layer)
    for repository, name in journal.layers if journal else ():
        assert digest_by(name, endpoints.layer(repository, name).body) == name, (repository, name)


def check_p3_no_dangling_image(endpoints: Endpoints) -> None:
    """Everything that a manifest names can be pulled, if the manifest can."""
    for repository in endpoints.repositories():
        for name in {row["imageDigest"] for row in endpoints.image_ids(repository)}:
            pulled = endpoints.manifest(repository, name)
            assert pulled.status == 200, (repository, name, pulled.status)
            for layer in _layers_named_by(pulled.json()):
                assert endpoints.docker.head(f"/v2/{repository}/blobs/{layer}").status == 200, (repository, name, layer)
            for child in pulled.json().get("manifests", []):
                assert endpoints.manifest(repository, child["digest"]).status == 200, (repository, name, child)


def check_p4_a_tag_names_one_manifest(endpoints: Endpoints) -> None:
    """Both endpoints list the same tags, and each tag names one manifest, which exists."""
    for repository in endpoints.repositories():
        listed: dict[str, list[str]] = {}
        for each in endpoints.image_ids(repository):
            if "imageTag" in each:
                listed.setdefault(each["imageTag"], []).append(each["imageDigest"])
        assert sorted(listed) == sorted(endpoints.tags(repository)), repository
        for tag, digests in listed.items():
            pulled = endpoints.manifest(repository, tag)
            assert pulled.status == 200, (repository, tag, pulled.status)
            assert [pulled.headers["Docker-Content-Digest"]] == digests, (repository, tag)
            assert endpoints.manifest(repository, digests[0]).body == pulled.body, (repository, tag)


def check_p5_immutable_means_once(endpoints: Endpoints, tag: Named, outcomes: Mapping[str, bool]) -> None:
    """One of several concurrent pushes to an immutable tag succeeded, and the tag names its manifest.

    `outcomes`: for each manifest's digest, whether its push succeeded.
    """
    winners = {name for name, won in outcomes.items() if won}
    assert len(winners) == 1, (tag, outcomes)
    check_tag_names_one_of(endpoints, tag, winners)


def check_p6_garbage_goes(server: Server) -> None:
    """After a collection without a grace period: every row is needed, and every file has its row."""
    layers = _rows(server, "SELECT repository_id, blob_id FROM repository_layer")
    needed = _rows(server, "SELECT DISTINCT repository_id, blob_id FROM image_layer")
    keys = {str(row[0]) for row in _rows(server, "SELECT storage_key FROM blob")}
    ended = {str(row[0]) for row in _rows(server, "SELECT id FROM finished_upload")}
    open_uploads = {str(row[0]) for row in _rows(server, "SELECT id FROM upload")}
    seen = {int(row[0]) for row in _rows(server, "SELECT DISTINCT blob_id FROM repository_layer")}
    blobs = {int(row[0]) for row in _rows(server, "SELECT id FROM blob")}
    pending = _rows(server, "SELECT count(*) FROM removed_bytes UNION ALL SELECT count(*) FROM removed_image")
    assert pending == [(0,), (0,)]
    assert sorted(layers) == sorted(needed)
    assert blobs == seen
    files = {path.relative_to(server.data).as_posix() for path in (server.data / "blobs").rglob("*") if path.is_file()}
    assert files >= {*keys, MARKER_KEY}
    uploads = {path.name for path in (server.data / "uploads").iterdir()}
    # The sweeper waits until an upload without a row can no longer become a layer (docs/decisions/0066).
    uploads |= {path[-UPLOAD_LENGTH:] for path in files - {*keys, MARKER_KEY}}
    for upload in uploads - open_uploads:
        assert upload not in ended, upload
        assert may_be_open(upload, system_clock()), upload


@contextmanager
def check_p7_refused_leaves_no_trace(endpoints: Endpoints) -> Iterator[None]:
    """The block is refused. Afterwards clients see the same as before."""
    before = endpoints.visible_state()
    yield
    assert endpoints.visible_state() == before


def check_p8_repeating_converges(endpoints: Endpoints, repository: str, pushed: Image, tag: str) -> None:
    """After any interruption of a push, it can be repeated at either endpoint, also twice."""
    for _ in range(2):
        upload_blobs(endpoints.ecr, repository, pushed.blobs)
        endpoints.docker.push(repository, pushed, tag)
    pulled = endpoints.manifest(repository, tag)
    assert (pulled.status, pulled.body) == (200, pushed.manifest.content), pulled
    for blob in pushed.blobs:
        _check_layer(endpoints, repository, blob.digest, blob.content)


def check_p10_bounded(server: Server) -> None:
    """Memory, open files and threads of each process are within limits."""
    for pid in server.processes():
        status = Path(f"/proc/{pid}/status").read_text()
        assert _number(status, "VmRSS") * 1024 < _PROCESS_BYTES, f"process {pid}: {status}"
        assert _number(status, "Threads") < _PROCESS_THREADS, f"process {pid}: {status}"
        assert len(list(Path(f"/proc/{pid}/fd").iterdir())) < _PROCESS_FILES, pid


def check_p11_starts_without_a_scan(server: Server, **options: Any) -> list[float]:
    """After a kill the server starts without a manual step and does not read the folders of blobs.

    One of three starts has to show it: a sweep that was killed is repeated at one start, and reads the folders.
    `options` are those of `Server.start`. Returns the seconds that each start took.
    """
    seconds: list[float] = []
    has_read = True
    while has_read and len(seconds) < 3:
        if server.process is not None:
            server.kill()
        folders = [path for path in (server.data / "blobs").rglob("*") if path.is_dir()]
        for folder in folders:
            os.utime(folder, ns=(_OLD, folder.stat().st_mtime_ns))
        started = time.monotonic()
        server.start(**options)
        seconds.append(time.monotonic() - started)
        has_read = any(folder.stat().st_atime_ns != _OLD for folder in folders)
    assert not has_read, "the start read folders of blobs"
    return seconds


_HOLLOW = 1 << 30
"""Files of at least this size are read without their holes."""


def check_p12_secrets_stay_secret(server: Server, secrets: Collection[str]) -> None:
    """The log, the database, other files and the output of `ps` contain none of the secrets.

    Except `credentials`, which holds the root access key for its owner.
    """
    expected = [form for secret in secrets for form in (secret.encode(), base64.b64encode(secret.encode()))]
    places = [server.log, *(path for path in server.data.rglob("*") if path.is_file())]
    places += [Path(f"/proc/{pid}/{name}") for pid in server.processes() for name in ("cmdline", "environ")]
    for place in places:
        if place == server.data / "credentials":
            assert place.stat().st_mode & 0o077 == 0
            continue
        try:
            content = _written(place)
        except (FileNotFoundError, ProcessLookupError):
            continue  # The server goes on, and has removed it.
        assert [form for form in expected if form in content] == [], place


def _written(place: Path) -> bytes:
    """The bytes of a file without its holes. A test of the largest layer leaves a file of 52,000 MiB."""
    size = place.stat().st_size
    if size < _HOLLOW:
        return place.read_bytes()
    pieces, end = [], 0
    with place.open("rb") as file:
        while end < size:
            try:
                start = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError:  # ENXIO: only a hole from here on.
                break
            end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            file.seek(start)
            pieces.append(file.read(end - start))
    return b"".join(pieces)


def check_database_is_whole(server: Server) -> None:
    """SQLite's integrity check passes, every reference has its row, and the file of every blob has the right bytes."""
    if not ON_POSTGRESQL:
        assert _rows(server, "PRAGMA integrity_check") == [("ok",)]
        assert _rows(server, "PRAGMA foreign_key_check") == []
    blobs = _rows(server, "SELECT digest, size, storage_key FROM blob")
    for name, size, key in [(str(name), size, str(key)) for name, size, key in blobs]:
        content = (server.data / key).read_bytes()
        assert (len(content), digest_by(name, content)) == (size, name), key


def _rows(server: Server, sql: str) -> list[tuple[Any, ...]]:
    """Rows of the database, whether the server runs or not. On SQLite without Moorage's own code."""
    if ON_POSTGRESQL:
        return engine_of(server.data).transact(lambda tx: tx.all(sql))
    with closing(apsw.Connection(str(server.data / "moorage.db"), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
        return connection.execute(sql).fetchall()


def check_all(endpoints: Endpoints, journal: Journal) -> None:
    """The promises that hold at any time."""
    check_p1_acknowledged_is_durable(endpoints, journal)
    check_p2_never_wrong_bytes(endpoints, journal)
    check_p3_no_dangling_image(endpoints)
    check_p4_a_tag_names_one_manifest(endpoints)
    check_database_is_whole(endpoints.server)


def check_tag_names_one_of(endpoints: Endpoints, tag: Named, digests: Collection[str]) -> None:
    """The tag names one of the manifests. "" among them stands for no tag."""
    pulled = endpoints.manifest(tag.repository, tag.name)
    named = pulled.headers.get("Docker-Content-Digest", "") if pulled.status == 200 else ""
    assert named in digests, (tag, named, digests, pulled.status)


def upload_size(endpoints: Endpoints, repository: str, upload: str) -> int:
    """The recorded size of an upload."""
    answer = endpoints.docker.get(f"/v2/{repository}/blobs/uploads/{upload}")
    assert answer.status == 204, (repository, upload, answer)
    last = int(answer.headers["Range"].removeprefix("0-"))
    return last + 1 if last else 0


def digest_by(name: str, content: bytes) -> str:
    """The digest of some bytes, with the algorithm of the digest `name`."""
    return digest(content, name.partition(":")[0])


def _check_layer(endpoints: Endpoints, repository: str, name: str, content: bytes) -> None:
    pulled = endpoints.layer(repository, name)
    assert pulled.status == 200, (repository, name, pulled.status)
    assert hashlib.sha256(pulled.body).digest() == hashlib.sha256(content).digest(), (repository, name)
    checked = endpoints.ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[name])["layers"]
    assert [(row["layerAvailability"], row["layerSize"]) for row in checked] == [("AVAILABLE", len(content))], checked


def _layers_named_by(manifest: dict[str, Any]) -> set[str]:
    return {row["digest"] for row in [*manifest.get("layers", []), *filter(None, [manifest.get("config")])]}


def _number(status: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+)", status, re.MULTILINE)
    assert found is not None, status
    return int(found[1])
