"""Nodes that start and stop, and clients that retry at another node, as they do behind a load balancer."""

from __future__ import annotations

import http.client
import itertools
import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004 - botocore's own

from tests.nodes.cluster.conftest import Node, Settings
from tests.support.aws import aws_client, docker_password
from tests.support.http_client import Answer, Docker
from tests.support.images import Blob, Image
from tests.support.waiting import PATIENCE_SECONDS

_CHUNK = 2_000_000
_PART = 5_242_880


class Member:
    """A node of a fleet, with its clients."""

    def __init__(self, folder: Path, settings: Settings, *options: str) -> None:
        self.node = Node(folder, settings, *options)
        self._stack = ExitStack()
        self.ecr = self._stack.enter_context(aws_client(self.node.server))
        self.docker = Docker(self.node.server.host, self.node.server.port, docker_password(self.ecr))

    def close(self) -> None:
        self._stack.close()


class Fleet:
    """`members` in the order in which they are used. `requests` counts all requests, and `lost` those without a
    response.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        self._new_request = threading.Condition()
        self.settings = settings
        self.members: list[Member] = []
        self.requests = 0
        self.lost = 0

    def start_member(self, *options: str) -> Member:
        """Start another node, with its own data folder."""
        member = Member(self._folder / str(next(self._numbers)), self.settings, *options)
        self.members.append(member)
        return member

    def kill(self, member: Member) -> None:
        """kill -9. Clients use the other nodes as soon as one of them notices."""
        member.node.server.kill()
        self.members.remove(member)

    def stop(self) -> None:
        for member in self.members:
            member.close()
            member.node.server.stop()

    def wait_for_requests(self, number: int) -> None:
        """Wait until so many requests were sent."""
        with self._new_request:
            assert self._new_request.wait_for(lambda: self.requests >= number, timeout=PATIENCE_SECONDS)

    def attempts(self) -> Iterator[Member]:
        """The members to try, one after the other. Raises AssertionError after PATIENCE_SECONDS."""
        end = time.monotonic() + PATIENCE_SECONDS
        for number in itertools.count():
            assert time.monotonic() < end, "no node responds"
            with self._new_request:
                self.requests += 1
                self._new_request.notify_all()
            yield self.members[number % len(self.members)]
            self.lost += 1
            time.sleep(0.01 * number)

    def request(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        """The response of the registry endpoint, from the first node that responds."""
        for member in self.attempts():
            try:
                answer = member.docker.request(method, path, body, headers)
            except (OSError, http.client.HTTPException):
                continue
            if answer.status != 503:
                return answer
        raise AssertionError("unreachable: there is no end of attempts")

    def call(self, operation: str, **members: Any) -> Any:
        """The response of the API, from the first node that responds. Refusals are raised."""
        for member in self.attempts():
            try:
                return getattr(member.ecr, operation)(**members)
            except (ConnectionError, HTTPClientError):
                continue
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != 503:
                    raise
        raise AssertionError("unreachable: there is no end of attempts")


# --- A push whose requests may all be repeated -------------------------------------------------------------------


def push_by_docker(fleet: Fleet, repository: str, pushed: Image, tag: str) -> None:
    """Push in chunks. After a lost response the client asks for the state of the upload and continues there."""
    for blob in pushed.blobs:
        _send_by_docker(fleet, repository, blob)
    headers = {"Content-Type": pushed.manifest.media_type}
    answer = fleet.request("PUT", f"/v2/{repository}/manifests/{tag}", pushed.manifest.content, headers)
    assert answer.status == 201, answer


def _send_by_docker(fleet: Fleet, repository: str, blob: Blob) -> None:
    if fleet.request("HEAD", f"/v2/{repository}/blobs/{blob.digest}").status == 200:
        return
    location, offset = path_of(fleet.request("POST", f"/v2/{repository}/blobs/uploads/")), 0
    while offset < len(blob.content):
        chunk = blob.content[offset : offset + _CHUNK]
        answer = fleet.request("PATCH", location, chunk, {"Content-Range": f"{offset}-{offset + len(chunk) - 1}"})
        assert answer.status in {202, 416}, answer
        reported = answer if answer.status == 202 else fleet.request("GET", location)
        location, offset = path_of(reported), int(reported.headers["Range"].partition("-")[2] or -1) + 1
    joint = "&" if "?" in location else "?"
    answer = fleet.request("PUT", f"{location}{joint}digest={blob.digest}")
    assert answer.status == 201, answer


def push_by_api(fleet: Fleet, repository: str, pushed: Image, tag: str) -> None:
    """Push in parts. A repeated request may get the refusal that the change was made already."""
    for blob in pushed.blobs:
        _send_by_api(fleet, repository, blob)
    manifest = pushed.manifest.content.decode()
    with ignoring("ImageAlreadyExistsException"):
        fleet.call("put_image", repositoryName=repository, imageManifest=manifest, imageTag=tag)


def _send_by_api(fleet: Fleet, repository: str, blob: Blob) -> None:
    if _is_available(fleet, repository, blob):
        return
    upload = fleet.call("initiate_layer_upload", repositoryName=repository)["uploadId"]
    offset = 0
    while offset < len(blob.content):
        offset = _send_part(fleet, repository, upload, offset, blob.content[offset : offset + _PART])
    with ignoring("LayerAlreadyExistsException", "UploadNotFoundException"):
        fleet.call("complete_layer_upload", repositoryName=repository, uploadId=upload, layerDigests=[blob.digest])
    assert _is_available(fleet, repository, blob)


def _send_part(fleet: Fleet, repository: str, upload: str, first: int, part: bytes) -> int:
    """The offset of the next part."""
    members = {"partFirstByte": first, "partLastByte": first + len(part) - 1, "layerPartBlob": part}
    try:
        answer = fleet.call("upload_layer_part", repositoryName=repository, uploadId=upload, **members)
    except ClientError as refused:
        if refused.response["Error"]["Code"] != "InvalidLayerPartException":
            raise
        return int(refused.response["lastValidByteReceived"]) + 1
    return int(answer["lastByteReceived"]) + 1


def _is_available(fleet: Fleet, repository: str, blob: Blob) -> bool:
    checked = fleet.call("batch_check_layer_availability", repositoryName=repository, layerDigests=[blob.digest])
    return [row["layerAvailability"] for row in checked["layers"]] == ["AVAILABLE"]


@contextmanager
def ignoring(*codes: str) -> Iterator[None]:
    """Ignore these error codes of the API in the block."""
    try:
        yield
    except ClientError as refused:
        if refused.response["Error"]["Code"] not in codes:
            raise


def path_of(answer: Answer) -> str:
    """The path at which an upload continues, on any node."""
    assert answer.status in {202, 204}, answer
    parts = urlsplit(re.sub(r"^/", "//host/", answer.headers["Location"]))
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
