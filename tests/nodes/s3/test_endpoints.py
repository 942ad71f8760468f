"""Pushes and pulls at both endpoints with layers in an object store."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from botocore.exceptions import ClientError

from tests.api.ecr.pushing import begin, complete, push, send_part
from tests.nodes.s3.conftest import S3Server
from tests.support.aws import aws_client, docker_password
from tests.support.clients import require_client, run
from tests.support.http_client import Docker
from tests.support.images import digest, image, layer, write_layout
from tests.support.object_store import ObjectStore

MIB = 1 << 20
OCTETS = {"Content-Type": "application/octet-stream"}


def fetched(url: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """The response to an anonymous GET of a URL, after all redirects."""
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {})) as answer:
        return answer.status, answer.read()


def rows(server: S3Server, statement: str) -> list[Any]:
    database = apsw.Connection(str(server.data / "moorage.db"))
    try:
        return list(database.execute(statement))
    finally:
        database.close()


def test_an_image_pushed_through_the_api_is_pulled_by_docker_from_the_store(
    s3_server: S3Server, ecr: Any, http: Docker, new_repository: Any
) -> None:
    repository = new_repository()
    pushed = image([layer(12 * MIB, seed=1), layer(seed=2)])
    content = pushed.blobs[1].content
    upload = begin(ecr, repository)
    for start in range(0, len(content), 5 * MIB):
        send_part(ecr, repository, upload, start, content[start : start + 5 * MIB])
    complete(ecr, repository, upload, digest(content))
    push(ecr, repository, pushed, "v1")

    answer = http.get(f"/v2/{repository}/blobs/{digest(content)}")

    assert (answer.status, answer.body) == (307, b"")
    location = answer.headers["Location"]
    assert location.startswith(f"{s3_server.store.endpoint}/{s3_server.store.bucket}/{s3_server.prefix}/blobs/")
    assert "X-Amz-Expires=3600" in location
    assert fetched(location) == (200, content)
    assert fetched(location, {"Range": "bytes=5-9"}) == (206, content[5:10])
    small = http.get(f"/v2/{repository}/blobs/{pushed.blobs[0].digest}")
    assert (small.status, small.body) == (200, pushed.blobs[0].content)


def test_an_image_pushed_by_docker_is_read_through_the_api(ecr: Any, http: Docker, new_repository: Any) -> None:
    repository = new_repository()
    pushed = image([layer(6 * MIB, seed=3)])
    http.push(repository, pushed, "v1")

    found = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])["images"][0]
    link = ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=pushed.blobs[1].digest)["downloadUrl"]

    assert found["imageManifest"].encode() == pushed.manifest.content
    assert fetched(link) == (200, pushed.blobs[1].content)


def test_a_changed_link_is_rejected(http: Docker, new_repository: Any) -> None:
    repository, blobs = new_repository(), [layer(100_000, seed=seed) for seed in (4, 5)]
    locations = []
    for blob in blobs:
        http.push_blob(repository, blob)
        locations.append(http.get(f"/v2/{repository}/blobs/{blob.digest}").headers["Location"])
    path, other = (location.partition("?")[0] for location in locations)

    with pytest.raises(urllib.error.HTTPError, match="403"):
        fetched(locations[0].replace(path, other))


def test_a_push_leaves_one_object_for_each_blob_and_nothing_else(
    s3_server: S3Server, ecr: Any, http: Docker, new_repository: Any
) -> None:
    repository = new_repository()
    blob = layer(11 * MIB, seed=6)
    location = http.post(f"/v2/{repository}/blobs/uploads/").headers["Location"]
    for start in range(0, len(blob.content), MIB):
        piece = blob.content[start : start + MIB]
        sent = http.patch(location, piece, {**OCTETS, "Content-Range": f"{start}-{start + len(piece) - 1}"})
        assert sent.status == 202, sent
        location = sent.headers["Location"]
    assert http.put(f"{location}{'&' if '?' in location else '?'}digest={blob.digest}").status == 201
    http.push_blob(repository, blob)  # Again. This time the layer exists.

    keys = {f"{s3_server.prefix}/{key}" for (key,) in rows(s3_server, "SELECT storage_key FROM blob")}
    assert set(s3_server.store.keys(s3_server.prefix)) == keys
    assert s3_server.store.uploads(s3_server.prefix) == []
    assert rows(s3_server, "SELECT * FROM upload_state") == []


def test_a_cancelled_or_wrong_upload_leaves_nothing(s3_server: S3Server, http: Docker, new_repository: Any) -> None:
    repository, before = new_repository(), s3_server.store.keys(s3_server.prefix)
    for end in ("cancel", "wrong digest"):
        location = http.post(f"/v2/{repository}/blobs/uploads/").headers["Location"]
        location = http.patch(location, layer(11 * MIB, seed=7).content, OCTETS).headers["Location"]
        if end == "cancel":
            assert http.delete(location).status == 204
        else:
            assert http.put(f"{location}{'&' if '?' in location else '?'}digest={digest(b'')}").status == 400

    assert s3_server.store.keys(s3_server.prefix) == before
    assert s3_server.store.uploads(s3_server.prefix) == []
    assert rows(s3_server, "SELECT * FROM upload_state") == []


@pytest.fixture
def own_server(tmp_path: Path, object_store: ObjectStore) -> Iterator[S3Server]:
    """A separate server without redirects."""
    server = S3Server(tmp_path / "data", object_store, redirect=False)
    try:
        server.serve()
        yield server
    finally:
        if server.process is not None:
            server.stop()


@pytest.fixture
def own_ecr(own_server: S3Server) -> Iterator[Any]:
    with aws_client(own_server) as client:
        client.create_repository(repositoryName="app")
        yield client


def test_without_redirects_the_server_sends_the_bytes(own_server: S3Server, own_ecr: Any) -> None:
    docker = Docker(own_server.host, own_server.port, docker_password(own_ecr))
    blob = layer(3 * MIB, seed=8)
    docker.push_blob("app", blob)
    path = f"/v2/app/blobs/{blob.digest}"

    assert docker.get(path)[::2] == (200, blob.content)
    assert docker.get(path, {"Range": f"bytes=100-{2 * MIB}"})[::2] == (206, blob.content[100 : 2 * MIB + 1])
    assert docker.head(path).headers["Content-Length"] == str(len(blob.content))


def test_an_upload_continues_after_the_server_was_killed(own_server: S3Server, own_ecr: Any) -> None:
    """Its parts and hash state are not in the memory of the killed process."""
    docker = Docker(own_server.host, own_server.port, docker_password(own_ecr))
    blob = layer(18 * MIB, seed=9)
    location = docker.post("/v2/app/blobs/uploads/").headers["Location"]
    for start, stop in ((0, 11 * MIB), (11 * MIB, 12 * MIB), (12 * MIB, len(blob.content))):
        piece = blob.content[start:stop]
        sent = docker.patch(location, piece, {**OCTETS, "Content-Range": f"{start}-{start + len(piece) - 1}"})
        assert sent.status == 202, sent
        location = sent.headers["Location"]
        own_server.kill()
        own_server.serve()
    assert docker.put(f"{location}{'&' if '?' in location else '?'}digest={blob.digest}").status == 201

    assert docker.get(f"/v2/app/blobs/{blob.digest}").body == blob.content
    assert len(own_server.store.keys(own_server.prefix)) == 1


def test_a_blob_that_the_store_lost_is_an_error_and_never_a_short_response(own_server: S3Server, own_ecr: Any) -> None:
    docker = Docker(own_server.host, own_server.port, docker_password(own_ecr))
    blob = layer(100_000, seed=10)
    docker.push_blob("app", blob)
    (key,) = own_server.store.keys(own_server.prefix)
    path = f"/v2/app/blobs/{blob.digest}"

    own_server.store.client().put_object(Bucket=own_server.store.bucket, Key=key, Body=blob.content[:-1])
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        docker.get(path)
    own_server.store.client().delete_object(Bucket=own_server.store.bucket, Key=key)
    assert docker.get(path).status == 500
    own_server.kill()  # A clean stop would find the error in the log.


def test_a_store_that_rejects_the_key_is_an_unavailable_registry_at_both_endpoints(
    own_server: S3Server, own_ecr: Any
) -> None:
    """No response contains what was signed with the wrong secret."""
    docker = Docker(own_server.host, own_server.port, docker_password(own_ecr))
    own_server.stop()
    own_server.serve_unready({"MOORAGE_S3_SECRET_ACCESS_KEY": "not the secret"})
    location = docker.post("/v2/app/blobs/uploads/").headers["Location"]

    by_docker = docker.patch(location, b"content", OCTETS)
    with pytest.raises(ClientError, match="SignatureDoesNotMatch") as by_api:
        send_part(own_ecr, "app", begin(own_ecr, "app"), 0, b"content")

    assert (by_docker.status, by_docker.error_codes()) == (503, ["UNAVAILABLE"])
    assert by_docker.headers["Retry-After"]
    assert by_api.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert "SignatureDoesNotMatch" in by_docker.body.decode()
    assert b"not the secret" not in by_docker.body


@pytest.mark.client
def test_crane_pushes_and_pulls(s3_server: S3Server, ecr: Any, new_repository: Any, tmp_path: Path) -> None:
    crane, name = require_client("crane"), f"localhost:{s3_server.port}/{new_repository()}:v1"
    environment = s3_server.client_environment(tmp_path)
    pushed = image([layer(12 * MIB, seed=11), layer(seed=12)])
    write_layout(tmp_path / "pushed", pushed)
    login = [crane, "auth", "login", f"localhost:{s3_server.port}", "-u", "AWS", "--password-stdin"]
    run(login, environment, stdin=docker_password(ecr))

    run([crane, "push", tmp_path / "pushed", name], environment)
    run([crane, "pull", "--format=oci", name, tmp_path / "pulled"], environment)

    for blob in (pushed.manifest, *pushed.blobs):
        path = tmp_path / "pulled" / "blobs" / blob.digest.replace(":", "/")
        assert path.read_bytes() == blob.content
