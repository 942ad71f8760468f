"""Changes at one node are visible at the other at once, and rules hold across both."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.api.ecr.pushing import MINIMUM, begin, complete, send_part
from tests.api.ecr.wire import refusal
from tests.nodes.cluster.conftest import Node, Settings, command, layer_of
from tests.support.aws import aws_client
from tests.support.http_client import Docker
from tests.support.images import Blob, digest, image, layer
from tests.support.postgres import Cluster


def test_an_image_pushed_to_one_node_is_pulled_from_the_other_at_once(ecr: Any, nodes: list[Node]) -> None:
    ecr.create_repository(repositoryName="team/shared")
    here, there = (node.docker() for node in nodes)

    for number in range(10):
        pushed = image(seed=number)
        here.push("team/shared", pushed, "latest")
        assert there.get("/v2/team/shared/manifests/latest").body == pushed.manifest.content
        for blob in pushed.blobs:
            assert layer_of(there, "team/shared", blob.digest) == blob.content
        here, there = there, here


def test_each_request_of_an_upload_may_go_to_another_node(ecr: Any, nodes: list[Node]) -> None:
    ecr.create_repository(repositoryName="team/upload")
    here, there = (node.docker() for node in nodes)
    blob = Blob(bytes(range(256)) * 100, "application/octet-stream")

    location = _path(here.post("/v2/team/upload/blobs/uploads/").headers["Location"])
    for first in range(0, len(blob.content), 5000):
        here, there = there, here
        answer = here.patch(location, blob.content[first : first + 5000], {"Content-Range": _range(first, blob)})
        assert answer.status == 202, answer
        location = _path(answer.headers["Location"])
    joint = "&" if "?" in location else "?"
    assert there.put(f"{location}{joint}digest={blob.digest}").status == 201

    assert layer_of(here, "team/upload", blob.digest) == blob.content


def test_each_part_of_an_upload_through_the_api_may_go_to_another_node(nodes: list[Node]) -> None:
    content = layer(3 * MINIMUM + 1_000, seed=1).content
    with aws_client(nodes[0].server) as here, aws_client(nodes[1].server) as there:
        here.create_repository(repositoryName="team/parts")
        upload = begin(here, "team/parts")
        for number, first in enumerate(range(0, len(content), MINIMUM)):
            send_part((there, here)[number % 2], "team/parts", upload, first, content[first : first + MINIMUM])

        assert complete(here, "team/parts", upload, digest(content))["layerDigest"] == digest(content)

    assert [layer_of(node.docker(), "team/parts", digest(content)) for node in nodes] == [content, content]


def test_nodes_may_share_a_folder_instead_of_a_bucket(
    nodes: list[Node], settings: Settings, database: Cluster, tmp_path: Path
) -> None:
    """With a new database, because a row names a key of one store."""
    database.execute("CREATE DATABASE folder")
    (tmp_path / "blobs").mkdir()
    other = {"MOORAGE_DATABASE": database.url("folder"), "MOORAGE_BLOBS": str(tmp_path / "blobs")}
    command({**settings, **other}, tmp_path, "migrate")
    sharing = [Node(tmp_path / name, {**settings, **other}) for name in ("one", "two")]
    try:
        with aws_client(sharing[0].server) as ecr:
            ecr.create_repository(repositoryName="team/folder")
        here, there = (node.docker() for node in sharing)
        for number in range(4):
            pushed = image(seed=number)
            here.push("team/folder", pushed, "latest")
            assert there.get("/v2/team/folder/manifests/latest").body == pushed.manifest.content
            assert [layer_of(there, "team/folder", blob.digest) for blob in pushed.blobs] == [
                blob.content for blob in pushed.blobs
            ]
            here, there = there, here
    finally:
        for node in sharing:
            node.server.stop()


def test_one_of_several_concurrent_pushes_to_both_nodes_gets_an_immutable_tag(ecr: Any, nodes: list[Node]) -> None:
    ecr.create_repository(repositoryName="team/immutable", imageTagMutability="IMMUTABLE")
    clients = [node.docker() for node in nodes]
    racing = [image(seed=number) for number in range(12)]
    for each in racing:
        clients[0].push("team/immutable", each)

    def tag(number: int) -> int:
        path, manifest = "/v2/team/immutable/manifests/v1", racing[number].manifest
        return clients[number % 2].put(path, manifest.content, {"Content-Type": manifest.media_type}).status

    with ThreadPoolExecutor(12) as threads:
        statuses = list(threads.map(tag, range(12)))

    assert sorted(statuses) == [201, *[400] * 11]
    there = clients[1].get("/v2/team/immutable/manifests/v1").body
    assert there == racing[statuses.index(201)].manifest.content


def test_concurrent_indexes_and_deletions_never_leave_an_index_without_an_image(ecr: Any, nodes: list[Node]) -> None:
    """Either the index is pushed first and its image stays, or the image is deleted first and the index is refused."""
    ecr.create_repository(repositoryName="team/index")
    clients = [node.docker() for node in nodes]

    def race(number: int) -> tuple[int, int, bool]:
        child, index = image(seed=number), _index_of(number)
        clients[0].push("team/index", child)
        with ThreadPoolExecutor(2) as threads:
            put = threads.submit(clients[0].put, f"/v2/team/index/manifests/{index.digest}", index.content, _TYPE)
            gone = threads.submit(clients[1].delete, f"/v2/team/index/manifests/{child.manifest.digest}")
        is_there = clients[0].get(f"/v2/team/index/manifests/{child.manifest.digest}").status == 200
        return put.result().status, gone.result().status, is_there

    for number in range(20, 30):
        assert race(number) in {
            (201, 400, True),
            (201, 405, True),
            (201, 409, True),
            (404, 202, False),
            (400, 202, False),
        }


def test_a_key_works_on_both_nodes_from_its_creation_to_its_deletion(
    ecr: Any, nodes: list[Node], settings: Settings, tmp_path: Path
) -> None:
    elsewhere = {name: value for name, value in settings.items() if name != "MOORAGE_DATABASE"}
    where = ("--database", settings["MOORAGE_DATABASE"])
    command(elsewhere, tmp_path, "user", "create", "ann", "--policy", "AmazonEC2ContainerRegistryReadOnly", *where)
    printed = command(elsewhere, tmp_path, "key", "create", "--user", "ann", *where)
    key, secret = re.findall(r"=(\S+)", printed)

    clients = [Docker(node.server.host, node.server.port, secret, user=key) for node in nodes]
    assert [client.get("/v2/").status for client in clients] == [200, 200]
    command(settings, tmp_path, "key", "deactivate", key)
    assert [client.get("/v2/").status for client in clients] == [401, 401]


def test_a_repository_is_created_once_by_two_nodes(nodes: list[Node]) -> None:
    with aws_client(nodes[0].server) as first, aws_client(nodes[1].server) as second, ThreadPoolExecutor(2) as threads:
        for number in range(5):
            name = f"team/once-{number}"
            done = [threads.submit(client.create_repository, repositoryName=name) for client in (first, second)]
            failed = [refusal(future.result)[1] for future in done if future.exception() is not None]
            assert failed == ["RepositoryAlreadyExistsException"]


_TYPE = {"Content-Type": "application/vnd.oci.image.index.v1+json"}


def _index_of(seed: int) -> Blob:
    child = image(seed=seed).manifest
    entry = f'{{"mediaType":"{child.media_type}","digest":"{child.digest}","size":{len(child.content)}}}'
    text = f'{{"schemaVersion":2,"mediaType":"{_TYPE["Content-Type"]}","manifests":[{entry}]}}'
    return Blob(text.encode(), _TYPE["Content-Type"])


def _path(location: str) -> str:
    parts = urlsplit(location)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _range(first: int, blob: Blob) -> str:
    return f"{first}-{min(first + 5000, len(blob.content)) - 1}"
