"""`/readyz` with layers in an object store: a node waits for the store at its start, and stays ready when it fails
later.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.api.ecr.pushing import begin, push
from tests.api.ecr.wire import Refusal, refusal
from tests.nodes.s3.conftest import S3Server
from tests.support import proxy
from tests.support.aws import aws_client, docker_password
from tests.support.http_client import Docker
from tests.support.images import digest, image, layer
from tests.support.object_store import ObjectStore
from tests.support.proxy import Proxy, proxy_before

METHODS = ("GET", "HEAD", "PUT", "POST")


@pytest.fixture
def store_proxy(object_store: ObjectStore) -> Iterator[Proxy]:
    with proxy_before(object_store.port) as started:
        yield started


@pytest.fixture
def server(tmp_path: Path, object_store: ObjectStore, store_proxy: Proxy) -> Iterator[S3Server]:
    """A server that reaches the store through a proxy, and is not started yet."""
    started = S3Server(tmp_path / "data", object_store, port=store_proxy.port)
    yield started
    if started.process is not None:
        started.kill()


def readiness(server: S3Server) -> int:
    """The response of `/readyz`."""
    return Docker(server.host, server.port, None).get("/readyz").status


def reasons(server: S3Server) -> list[str]:
    """The logged reasons why the server was not ready."""
    lines = [json.loads(line) for line in server.output().splitlines() if line.startswith("{")]
    return [line["reason"] for line in lines if line.get("event") == "not-ready"]


def test_a_node_is_ready_once_it_has_reached_its_store_and_stays_ready_while_the_store_is_down(
    server: S3Server, store_proxy: Proxy
) -> None:
    store_proxy.fail("GET", "no-such-object", proxy.answer(503, "SlowDown"))
    server.serve_unready()
    assert [readiness(server), readiness(server)] == [503, 503]
    assert reasons(server) == ["The blob store does not answer"]
    store_proxy.heal()
    server.wait_until_ready()

    with aws_client(server) as ecr:
        ecr.create_repository(repositoryName="team/a")
        client = Docker(server.host, server.port, docker_password(ecr))
    pushed = image(seed=1)
    client.push("team/a", pushed, "v1")
    for method in METHODS:
        store_proxy.fail(method, "", proxy.answer(403, "AccessDenied"))

    assert readiness(server) == 200
    assert client.get("/v2/team/a/manifests/v1").body == pushed.manifest.content
    started = client.post("/v2/team/a/blobs/uploads/").headers["Location"]
    refused = client.patch(started, b"content")
    assert (refused.status, refused.error_codes(), refused.headers["Retry-After"]) == (503, ["UNAVAILABLE"], "10")


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (500, "InternalError"), (507, "")])
def test_while_the_store_answers_errors_layers_are_unavailable_at_both_endpoints(
    tmp_path: Path, object_store: ObjectStore, store_proxy: Proxy, status: int, code: str
) -> None:
    """Passing errors are retried for 12 seconds, others are answered at once. Nothing is an internal error."""
    server = S3Server(tmp_path / "data", object_store, port=store_proxy.port, redirect=False)
    server.serve()
    with aws_client(server) as ecr:
        ecr.create_repository(repositoryName="team/a")
        client = Docker(server.host, server.port, docker_password(ecr))
        pushed = push(ecr, "team/a", image([layer(100_000, seed=2)]), "v1")
        found = ecr.get_download_url_for_layer(repositoryName="team/a", layerDigest=pushed.blobs[1].digest)
        link = str(found["downloadUrl"]).replace("localhost", server.host)
        by_api, by_docker = begin(ecr, "team/a"), begin(ecr, "team/a")
        for method in METHODS:
            store_proxy.fail(method, "", proxy.answer(status, code))

        with ThreadPoolExecutor() as at_once:  # Each waits as long as its retries take.
            answers = [at_once.submit(client.get, f"/v2/team/a/blobs/{blob.digest}") for blob in pushed.blobs]
            put = f"/v2/team/a/blobs/uploads/{by_docker}?digest={digest(b'a')}"
            answers.append(at_once.submit(client.put, put, b"a"))
            by_link = at_once.submit(client.get, link)
            refused = at_once.submit(put_part_refused, ecr, by_api).result()
        assert (refused.status, refused.code) == (503, "UnavailableException")
        for answer in (each.result() for each in answers):
            assert (answer.status, answer.error_codes(), "Retry-After" in answer.headers) == (
                503,
                ["UNAVAILABLE"],
                True,
            )
        assert (by_link.result().status, b"<Code>ServiceUnavailable</Code>" in by_link.result().body) == (503, True)
        assert client.get("/v2/team/a/manifests/v1").body == pushed.manifest.content
    server.stop()
    assert 1 <= server.output().count('"unavailable"') <= 4


def put_part_refused(ecr: Any, upload: str) -> Refusal:
    part = {"partFirstByte": 0, "partLastByte": 0, "layerPartBlob": b"a"}
    return refusal(ecr.upload_layer_part, repositoryName="team/a", uploadId=upload, **part)


@pytest.mark.parametrize(("code", "status"), [("InvalidAccessKeyId", 403), ("NoSuchBucket", 404)])
def test_a_node_that_its_store_rejects_is_never_ready_and_reports_why(
    server: S3Server, store_proxy: Proxy, code: str, status: int
) -> None:
    store_proxy.fail("GET", "no-such-object", proxy.answer(status, code))
    server.serve_unready()

    assert [readiness(server) for _ in range(3)] == [503, 503, 503]
    assert reasons(server) == [f"The object store rejects requests ({code})"]
