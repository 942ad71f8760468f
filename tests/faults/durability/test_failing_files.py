"""Files that cannot be opened now: 503 at every endpoint, logged once, and success when they can be opened again."""

from __future__ import annotations

import http.client
import json
import os
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.api.ecr.pushing import begin, push, send_part
from tests.api.ecr.wire import Refusal, refusal
from tests.conftest import StartServer
from tests.faults.durability.endpoints import Endpoints, endpoints_of
from tests.faults.durability.test_full_disk import MIB, layer_of
from tests.support.databases import engine_of
from tests.support.disks import LoopDisk, loop_disk
from tests.support.http_client import Answer, Body, Docker
from tests.support.images import Blob, Image, image
from tests.support.server import Server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="limits of a running process need Linux")

REPOSITORY = "team/app"


class KeptOpen(Docker):
    """A client with one connection for all requests: a server without file descriptors accepts no other."""

    def __init__(self, endpoints: Endpoints) -> None:
        super().__init__(endpoints.server.host, endpoints.server.port, endpoints.password)
        self.connection = http.client.HTTPConnection(self.host, self.port, timeout=60)

    def request(
        self, method: str, path: str, body: Body | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        sent = {"Authorization": str(self.authorization), **(headers or {})}
        self.connection.request(method, path.removeprefix(f"http://{self.host}:{self.port}"), body, sent)
        response = self.connection.getresponse()
        return Answer(response.status, response.headers, response.read())


def settled(worker: int) -> set[int]:
    """The file descriptors of an idle process, once it has closed those of its last requests."""

    def look() -> set[int]:
        time.sleep(0.05)
        return {int(entry.name) for entry in Path(f"/proc/{worker}/fd").iterdir()}

    wait_until(lambda: look() == look() == look())
    return look()


@contextmanager
def without_file_descriptors(server: Server) -> Iterator[None]:
    """The worker process can open no further file meanwhile."""
    (worker,) = server.workers()
    used = settled(worker)
    limits = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (min(set(range(len(used) + 1)) - used), limits[1]))
    yield
    resource.prlimit(worker, resource.RLIMIT_NOFILE, limits)


def events(server: Server) -> Counter[str]:
    """How often each event is in the log, by name and reason. Other lines are not counted."""
    lines = (json.loads(line) for line in server.output().splitlines() if line.startswith("{"))
    return Counter(f"{line['event']}: {line.get('reason', '')}" for line in lines if "event" in line)


def check_refused(answer: Answer) -> None:
    assert (answer.status, answer.error_codes()) == (503, ["UNAVAILABLE"]), answer
    assert int(answer.headers["Retry-After"]) > 0


def check_link_refused(answer: Answer) -> None:
    assert answer.status == 503, answer
    assert b"<Code>ServiceUnavailable</Code>" in answer.body


def refused_part(ecr: Any, upload: str, content: bytes) -> Refusal:
    """The refusal of the first part of an upload."""
    last = len(content) - 1
    return refusal(
        ecr.upload_layer_part,
        repositoryName=REPOSITORY,
        uploadId=upload,
        partFirstByte=0,
        partLastByte=last,
        layerPartBlob=content,
    )


def pushed_to(endpoints: Endpoints) -> Image:
    endpoints.ecr.create_repository(repositoryName=REPOSITORY)
    return push(endpoints.ecr, REPOSITORY, image([layer_of(MIB, 1)]), "v1")


def link_of(endpoints: Endpoints, blob: Blob) -> str:
    found = endpoints.ecr.get_download_url_for_layer(repositoryName=REPOSITORY, layerDigest=blob.digest)
    return str(found["downloadUrl"]).replace("localhost", endpoints.server.host)


def blob_file(folder: Path, blob: Blob) -> Path:
    (found,) = folder.rglob(f"{blob.digest.removeprefix('sha256:')}-*")
    return found


def test_without_file_descriptors_layers_and_uploads_are_unavailable(fresh_server: StartServer) -> None:
    server = fresh_server(extra_args=["--workers", "1"])
    with endpoints_of(server) as endpoints:
        pushed = pushed_to(endpoints)
        client, part = KeptOpen(endpoints), layer_of(MIB, 2)
        paths = [f"/v2/{REPOSITORY}/blobs/{blob.digest}" for blob in pushed.blobs]
        link, by_api = link_of(endpoints, pushed.blobs[1]), begin(endpoints.ecr, REPOSITORY)
        upload = client.post(f"/v2/{REPOSITORY}/blobs/uploads/").headers["Location"]

        with without_file_descriptors(server), closing(client.connection):
            for _ in range(3):
                for path in paths:
                    check_refused(client.get(path))
                check_refused(client.get(paths[1], {"Range": "bytes=7-"}))
                check_link_refused(client.get(link))
                refused = refused_part(endpoints.ecr, by_api, part.content)
                assert (refused.status, refused.code) == (503, "UnavailableException")
            assert client.get(f"/v2/{REPOSITORY}/manifests/v1").body == pushed.manifest.content
            check_refused(client.patch(upload, part.content))

        assert [endpoints.docker.get(path).body for path in paths] == [blob.content for blob in pushed.blobs]
        send_part(endpoints.ecr, REPOSITORY, by_api, 0, part.content)
        assert endpoints.docker.patch(upload, part.content).status == 202
        assert endpoints.docker.put(f"{upload}?digest={part.digest}").status == 201
    assert events(server)["unavailable: The server cannot read or write its files now: Too many open files"] == 1
    assert "Traceback" not in server.output()


def test_an_upload_in_one_request_that_cannot_be_stored_is_not_left_open(fresh_server: StartServer) -> None:
    """It would count as an open upload of the caller for a week."""
    server = fresh_server(extra_args=["--workers", "1"])
    with endpoints_of(server) as endpoints:
        endpoints.ecr.create_repository(repositoryName=REPOSITORY)
        client, layer = KeptOpen(endpoints), layer_of(MIB, 2)
        assert client.get("/v2/").status == 200

        with without_file_descriptors(server), closing(client.connection):
            path = f"/v2/{REPOSITORY}/blobs/uploads/?digest={layer.digest}"
            check_refused(client.request("POST", path, layer.content))

    assert engine_of(server.data).transact(lambda tx: tx.one("SELECT count(*) FROM upload")) == (0,)


def forbid(path: Path) -> None:
    path.chmod(0)


def replace_by_a_loop(path: Path) -> None:
    """A name whose target is itself: ELOOP, as after a careless `ln -s`."""
    path.unlink()
    path.symlink_to(path)


@pytest.mark.parametrize("spoil", [forbid, replace_by_a_loop])
def test_a_layer_whose_file_cannot_be_opened_is_unavailable(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """The server is root without the capability to ignore the modes of files, so it is refused as any other user."""
    server = Server(tmp_path / "data")
    if os.geteuid() == 0:
        server.launcher = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    server.start(extra_args=["--workers", "1"])
    with endpoints_of(server) as endpoints:
        pushed = pushed_to(endpoints)
        link = link_of(endpoints, pushed.blobs[1])
        for blob in pushed.blobs:
            spoil(blob_file(server.data / "blobs", blob))

        for _ in range(3):
            for blob in pushed.blobs:
                check_refused(endpoints.layer(REPOSITORY, blob.digest))
            check_link_refused(endpoints.docker.get(link))
        assert endpoints.manifest(REPOSITORY, "v1").body == pushed.manifest.content
    (reason,) = (name for name in events(server) if name.startswith("unavailable: "))
    assert events(server)[reason] == 1
    server.stop()


def test_a_layer_whose_file_is_lost_is_an_internal_error_that_is_logged_once(fresh_server: StartServer) -> None:
    """It is not a 404: the registry has that layer, and clients must not believe otherwise."""
    server = fresh_server(extra_args=["--workers", "1"])
    with endpoints_of(server) as endpoints:
        pushed = pushed_to(endpoints)
        link = link_of(endpoints, pushed.blobs[1])
        for blob in pushed.blobs:
            blob_file(server.data / "blobs", blob).unlink()

        for _ in range(3):
            for blob in pushed.blobs:
                lost = endpoints.layer(REPOSITORY, blob.digest)
                assert (lost.status, lost.error_codes()) == (500, ["UNKNOWN"])
            assert endpoints.docker.get(link).status == 500
    assert events(server)["layer-missing: "] == len(pushed.blobs)
    assert "Traceback" not in server.output()


@pytest.fixture
def disk() -> Iterator[LoopDisk]:
    with loop_disk("ext4", 64) as place:
        yield place


def test_while_the_disk_of_the_layers_fails_everything_else_is_served(
    fresh_server: StartServer, disk: LoopDisk
) -> None:
    server = fresh_server(extra_args=["--blobs", str(disk.place), "--workers", "1"])
    with endpoints_of(server) as endpoints:
        pushed = pushed_to(endpoints)
        upload = endpoints.docker.post(f"/v2/{REPOSITORY}/blobs/uploads/").headers["Location"]
        assert endpoints.docker.patch(upload, bytes(MIB)).status == 202
        by_api = begin(endpoints.ecr, REPOSITORY)
        disk.cut()

        for _ in range(3):
            for blob in pushed.blobs:
                check_refused(endpoints.layer(REPOSITORY, blob.digest))
            check_refused(endpoints.docker.patch(upload, bytes(MIB)))
            refused = refused_part(endpoints.ecr, by_api, bytes(MIB))
            assert (refused.status, refused.code) == (503, "UnavailableException")
        assert endpoints.docker.delete(upload).status == 204, "the collector removes the bytes later"
        assert endpoints.manifest(REPOSITORY, "v1").body == pushed.manifest.content
        assert server.is_ready()
        assert not server.is_ready("/readyz/writing")
    assert events(server)["unavailable: The server cannot read or write its files now: Input/output error"] == 1
    assert "Traceback" not in server.output()
