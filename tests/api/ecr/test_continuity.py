"""Uploads and pages continue after a restart or in another worker process; concurrent requests do not interfere."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from botocore.exceptions import ClientError

from tests.api.ecr.pushing import MINIMUM, begin, complete, push, put, send_part, upload_blobs, variants
from tests.api.ecr.wire import TARGET_PREFIX, Wire, client_of
from tests.conftest import StartServer
from tests.support.images import digest, image
from tests.support.server import Server
from tests.support.waiting import wait_until


def call_on_new_connection(server: Server, work: Callable[[Any], Any]) -> Any:
    """Run `work` with a client on a new connection, so that any worker process may serve it."""
    client = client_of(server)
    try:
        return work(client)
    finally:
        client.close()


def test_an_upload_continues_after_a_restart(fresh_server: StartServer) -> None:
    server = fresh_server()
    first, second = b"1" * MINIMUM, b"2" * 100
    ecr = client_of(server)
    ecr.create_repository(repositoryName="kept")
    pushed = push(ecr, "kept", image(), "v1")
    upload = begin(ecr, "kept")
    send_part(ecr, "kept", upload, 0, first)

    server.restart(extra_args=["--workers", "1"])

    send_part(ecr, "kept", upload, MINIMUM, second)
    assert complete(ecr, "kept", upload, digest(first + second))["layerDigest"] == digest(first + second)
    found = ecr.batch_get_image(repositoryName="kept", imageIds=[{"imageTag": "v1"}])["images"]
    assert [row["imageId"]["imageDigest"] for row in found] == [pushed.manifest.digest]


def test_an_upload_continues_in_another_worker_process(fresh_server: StartServer) -> None:
    """Each part, the digest and the completion may be handled by a different process."""
    server = fresh_server(extra_args=["--workers", "2"])
    call_on_new_connection(server, lambda ecr: ecr.create_repository(repositoryName="shared"))
    upload = call_on_new_connection(server, lambda ecr: begin(ecr, "shared"))
    parts = [bytes([number]) * MINIMUM for number in range(3)]
    name = digest(b"".join(parts))

    def send(number: int) -> Any:
        return call_on_new_connection(
            server, lambda ecr: send_part(ecr, "shared", upload, number * MINIMUM, parts[number])
        )

    for number in range(3):
        send(number)
    completed = call_on_new_connection(server, lambda ecr: complete(ecr, "shared", upload, name))

    assert completed["layerDigest"] == name
    availability = availability_by_worker(server, name)
    assert len(availability) == 2
    assert set(availability.values()) == {"AVAILABLE"}


def availability_by_worker(server: Server, layer: str) -> dict[str, str]:
    """The availability of the layer in both worker processes, by the part of the request id that identifies each.

    The connections stay open, because the process with fewer of them accepts the next one.
    """
    found: dict[str, str] = {}
    with ExitStack() as stack:

        def both_answered() -> bool:
            wire = Wire(server)
            stack.callback(wire.close)
            answer = wire.call("BatchCheckLayerAvailability", {"repositoryName": "shared", "layerDigests": [layer]})
            found[answer.headers["x-amzn-RequestId"][:23]] = answer.json()["layers"][0]["layerAvailability"]
            return len(found) == 2

        wait_until(both_answered)
    return found


def test_a_list_continues_in_another_worker_process(server: Server, ecr: Any, repository: str) -> None:
    push(ecr, repository, image(), *(f"t{number:02}" for number in range(10)))

    def page(**token: str) -> Any:
        return call_on_new_connection(
            server, lambda client: client.list_images(repositoryName=repository, maxResults=1, **token)
        )

    pages = [page()]
    while "nextToken" in pages[-1]:
        pages.append(page(nextToken=pages[-1]["nextToken"]))

    tags = [row["imageTag"] for found in pages for row in found["imageIds"]]
    assert tags == [f"t{number:02}" for number in range(10)]


def outcomes(count: int, work: Callable[[int], Any]) -> list[str]:
    """The error code, or `ok`, of each of several concurrent calls."""

    def outcome(number: int) -> str:
        try:
            work(number)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "ok"

    with ThreadPoolExecutor(count) as pool:
        return sorted(pool.map(outcome, range(count)))


def test_one_of_several_equal_concurrent_parts_is_stored(server: Server, repository: str) -> None:
    ecr = client_of(server)
    upload = begin(ecr, repository)
    parts = [bytes([number]) * 2_000_000 for number in range(8)]

    found = outcomes(8, lambda number: send_part(ecr, repository, upload, 0, parts[number]))

    assert found == ["InvalidLayerPartException"] * 7 + ["ok"]
    complete(ecr, repository, upload, *(digest(part) for part in parts))


def test_concurrent_uploads_of_one_layer_store_it_once(server: Server, repository: str) -> None:
    ecr = client_of(server)
    content = b"the same" * 100_000
    uploads = [begin(ecr, repository) for _ in range(8)]
    for upload in uploads:
        send_part(ecr, repository, upload, 0, content)

    found = outcomes(8, lambda number: complete(ecr, repository, uploads[number], digest(content)))

    assert "ok" in found
    assert set(found) <= {"ok", "LayerAlreadyExistsException"}
    layers = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest(content)])["layers"]
    assert [(layer["layerAvailability"], layer["layerSize"]) for layer in layers] == [("AVAILABLE", len(content))]


def test_concurrent_completions_complete_an_upload_once(server: Server, repository: str) -> None:
    ecr = client_of(server)
    upload = begin(ecr, repository)
    send_part(ecr, repository, upload, 0, b"once")

    found = outcomes(8, lambda _: complete(ecr, repository, upload, digest(b"once")))

    assert found.count("ok") == 1
    assert set(found) <= {"ok", "UploadNotFoundException", "LayerAlreadyExistsException"}


def test_one_of_several_images_gets_an_immutable_tag(server: Server, repository: str) -> None:
    ecr = client_of(server)
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")
    images = [each for each, _ in zip(variants(), range(8), strict=False)]
    upload_blobs(ecr, repository, images[0].blobs)

    found = outcomes(8, lambda number: put(ecr, repository, images[number], "latest"))

    assert found == ["ImageTagAlreadyExistsException"] * 7 + ["ok"]
    assert len(ecr.list_images(repositoryName=repository)["imageIds"]) == 1


def test_all_images_pushed_to_a_mutable_tag_are_stored(server: Server, repository: str) -> None:
    ecr = client_of(server)
    images = [each for each, _ in zip(variants(), range(8), strict=False)]
    upload_blobs(ecr, repository, images[0].blobs)

    assert outcomes(8, lambda number: put(ecr, repository, images[number], "latest")) == ["ok"] * 8

    rows = ecr.list_images(repositoryName=repository)["imageIds"]
    assert len(rows) == 8
    assert sum("imageTag" in row for row in rows) == 1


def test_concurrent_creations_of_a_name_create_one_repository(server: Server) -> None:
    ecr = client_of(server)

    found = outcomes(8, lambda _: ecr.create_repository(repositoryName="tests/made-once"))

    assert found == ["RepositoryAlreadyExistsException"] * 7 + ["ok"]


def test_a_connection_serves_any_number_of_requests(wire: Wire) -> None:
    headers = wire.signer.headers(TARGET_PREFIX + "DescribeRegistry", b"{}")

    assert {wire.send(headers, b"{}").status for _ in range(200)} == {200}
