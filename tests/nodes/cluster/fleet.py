"""Nodes that come and go, and clients that ask another node when one does not answer, as they do behind a balancer."""

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
    """A node of a fleet with its clients."""

    def __init__(self, folder: Path, settings: Settings, *options: str) -> None:
        self.node = Node(folder, settings, *options)
        self._stack = ExitStack()
        self.ecr = self._stack.enter_context(aws_client(self.node.server))
        self.door = Docker(self.node.server.host, self.node.server.port, docker_password(self.ecr))

    def close(self) -> None:
        self._stack.close()


class Fleet:
    """`members` are those that are asked, the first one first. `requests` counts what was asked, `lost` what failed."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        self._asked = threading.Condition()
        self.settings = settings
        self.members: list[Member] = []
        self.requests = 0
        self.lost = 0

    def start_one(self, *options: str) -> Member:
        """One more node, with a data folder of its own."""
        member = Member(self._folder / str(next(self._numbers)), self.settings, *options)
        self.members.append(member)
        return member

    def kill(self, member: Member) -> None:
        """kill -9; it is asked no more a moment later, when somebody has noticed."""
        member.node.server.kill()
        self.members.remove(member)

    def stop(self) -> None:
        for member in self.members:
            member.close()
            member.node.server.stop()

    def wait_for_requests(self, number: int) -> None:
        """Until so many were asked."""
        with self._asked:
            assert self._asked.wait_for(lambda: self.requests >= number, timeout=PATIENCE_SECONDS)

    def attempts(self) -> Iterator[Member]:
        """Whom to ask, one after the other. Raises AssertionError when it takes too long."""
        end = time.monotonic() + PATIENCE_SECONDS
        for number in itertools.count():
            assert time.monotonic() < end, "nobody answers"
            with self._asked:
                self.requests += 1
                self._asked.notify_all()
            yield self.members[number % len(self.members)]
            self.lost += 1
            time.sleep(0.01 * number)

    def ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        """The docker door's answer, of the first node that gives one."""
        for member in self.attempts():
            try:
                answer = member.door.request(method, path, body, headers)
            except (OSError, http.client.HTTPException):
                continue
            if answer.status != 503:
                return answer
        raise AssertionError("unreachable: there is no end of attempts")

    def call(self, operation: str, **members: Any) -> Any:
        """The API's answer, of the first node that gives one; its refusals are raised."""
        for member in self.attempts():
            try:
                return getattr(member.ecr, operation)(**members)
            except (ConnectionError, HTTPClientError):
                continue
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != 503:
                    raise
        raise AssertionError("unreachable: there is no end of attempts")


# --- A push in which every request may be repeated ---------------------------------------------------------------


def push_by_docker(fleet: Fleet, repository: str, one: Image, tag: str) -> None:
    """In chunks; where an answer was lost, the client asks how far the upload is and goes on there."""
    for blob in one.blobs:
        _send_by_docker(fleet, repository, blob)
    headers = {"Content-Type": one.manifest.media_type}
    answer = fleet.ask("PUT", f"/v2/{repository}/manifests/{tag}", one.manifest.content, headers)
    assert answer.status == 201, answer


def _send_by_docker(fleet: Fleet, repository: str, blob: Blob) -> None:
    if fleet.ask("HEAD", f"/v2/{repository}/blobs/{blob.digest}").status == 200:
        return
    location, offset = path_of(fleet.ask("POST", f"/v2/{repository}/blobs/uploads/")), 0
    while offset < len(blob.content):
        chunk = blob.content[offset : offset + _CHUNK]
        answer = fleet.ask("PATCH", location, chunk, {"Content-Range": f"{offset}-{offset + len(chunk) - 1}"})
        assert answer.status in {202, 416}, answer
        told = answer if answer.status == 202 else fleet.ask("GET", location)
        location, offset = path_of(told), int(told.headers["Range"].partition("-")[2] or -1) + 1
    joint = "&" if "?" in location else "?"
    answer = fleet.ask("PUT", f"{location}{joint}digest={blob.digest}")
    assert answer.status == 201, answer


def push_by_api(fleet: Fleet, repository: str, one: Image, tag: str) -> None:
    """A refusal that says that something is done already is what a repeated request may get."""
    for blob in one.blobs:
        _send_by_api(fleet, repository, blob)
    manifest = one.manifest.content.decode()
    with bearing("ImageAlreadyExistsException"):
        fleet.call("put_image", repositoryName=repository, imageManifest=manifest, imageTag=tag)


def _send_by_api(fleet: Fleet, repository: str, blob: Blob) -> None:
    if _is_available(fleet, repository, blob):
        return
    upload = fleet.call("initiate_layer_upload", repositoryName=repository)["uploadId"]
    offset = 0
    while offset < len(blob.content):
        offset = _send_part(fleet, repository, upload, offset, blob.content[offset : offset + _PART])
    with bearing("LayerAlreadyExistsException", "UploadNotFoundException"):
        fleet.call("complete_layer_upload", repositoryName=repository, uploadId=upload, layerDigests=[blob.digest])
    assert _is_available(fleet, repository, blob)


def _send_part(fleet: Fleet, repository: str, upload: str, first: int, part: bytes) -> int:
    """Where the next part begins."""
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
    return [one["layerAvailability"] for one in checked["layers"]] == ["AVAILABLE"]


@contextmanager
def bearing(*codes: str) -> Iterator[None]:
    """Let the API refuse what is in the block with one of these codes."""
    try:
        yield
    except ClientError as refused:
        if refused.response["Error"]["Code"] not in codes:
            raise


def path_of(answer: Answer) -> str:
    """Where an upload goes on, whichever node said so."""
    assert answer.status in {202, 204}, answer
    parts = urlsplit(re.sub(r"^/", "//host/", answer.headers["Location"]))
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
