"""kill -9 at every failpoint, through both endpoints: acknowledged changes exist, and the client's next step succeeds.

Each test kills one server twice. Its worker dies while the API is used, is replaced, and dies again while the registry
endpoint is used. Then the whole process tree is killed and started again.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.api.ecr.pushing import MINIMUM, begin, complete, put, send_part, upload_layer
from tests.api.ecr.wire import refusal
from tests.conftest import StartServer
from tests.faults.durability.endpoints import Endpoints, Journal, Named, crash_of_the_server, endpoints_of
from tests.faults.durability.promises import (
    check_all,
    check_p8_repeating_converges,
    check_p11_starts_without_a_scan,
    upload_size,
)
from tests.nodes.moving import test_interruptions
from tests.operations.backup import test_backup
from tests.operations.garbage import test_crashes, test_deletions
from tests.support.images import OCI_LAYER, Blob, Image, image
from tests.support.server import Server
from tests.support.waiting import wait_until

WRONG = "sha256:" + 64 * "0"


@dataclass
class Push:
    """A client in the middle of a push: a layer in two parts, then the manifest that names it."""

    endpoints: Endpoints
    journal: Journal
    repository: str
    layer: Blob
    split: int
    upload: str = ""

    @property
    def parts(self) -> tuple[bytes, bytes]:
        return self.layer.content[: self.split], self.layer.content[self.split :]

    @property
    def image(self) -> Image:
        return image([self.layer])

    @property
    def size(self) -> int:
        return len(self.layer.content)


class ApiPush(Push):
    """A push through the ECR API. Its methods do what a client does and record what was acknowledged."""

    def begin(self) -> None:
        self.upload = begin(self.endpoints.ecr, self.repository)
        with self.journal.growing(self.repository, self.upload, 0):
            pass

    def send(self, number: int) -> None:
        first = number * self.split
        with self.journal.growing(self.repository, self.upload, first + len(self.parts[number])):
            send_part(self.endpoints.ecr, self.repository, self.upload, first, self.parts[number])

    def complete(self, digest: str | None = None) -> None:
        with self.journal.finishing(self.repository, self.upload, self.layer):
            complete(self.endpoints.ecr, self.repository, self.upload, digest or self.layer.digest)

    def put(self) -> None:
        with self.journal.tagging(self.repository, "v1", self.image.manifest):
            put(self.endpoints.ecr, self.repository, self.image, "v1")

    def push_config(self) -> None:
        upload_layer(self.endpoints.ecr, self.repository, self.image.blobs[0].content)

    def next_offset(self) -> int:
        """The offset in the refusal of a repeated part."""
        with pytest.raises(self.endpoints.ecr.exceptions.InvalidLayerPartException) as refused:
            self.send(1)
        return int(refused.value.response["lastValidByteReceived"]) + 1

    def completes(self) -> bool:
        """Whether the upload can be completed. Otherwise it is unknown."""
        try:
            self.complete()
        except self.endpoints.ecr.exceptions.UploadNotFoundException:
            return False
        return True

    def wrong_digest_is_refused(self) -> bool:
        refused = refusal(
            self.endpoints.ecr.complete_layer_upload,
            repositoryName=self.repository,
            uploadId=self.upload,
            layerDigests=[WRONG],
        )
        return refused.code == "InvalidLayerException"

    def put_again(self) -> None:
        """ECR's own response to an image that exists."""
        refused = refusal(
            self.endpoints.ecr.put_image,
            repositoryName=self.repository,
            imageManifest=self.image.manifest.content.decode(),
            imageTag="v1",
        )
        assert refused.code == "ImageAlreadyExistsException"


class DockerPush(Push):
    """A push to the registry endpoint, in chunks."""

    @property
    def location(self) -> str:
        return f"/v2/{self.repository}/blobs/uploads/{self.upload}"

    def begin(self) -> None:
        answer = self.endpoints.docker.post(f"/v2/{self.repository}/blobs/uploads/")
        assert answer.status == 202, answer
        self.upload = answer.headers["Docker-Upload-UUID"]
        with self.journal.growing(self.repository, self.upload, 0):
            pass

    def _send(self, number: int) -> Any:
        first, part = number * self.split, self.parts[number]
        return self.endpoints.docker.patch(self.location, part, {"Content-Range": f"{first}-{first + len(part) - 1}"})

    def send(self, number: int) -> None:
        with self.journal.growing(self.repository, self.upload, number * self.split + len(self.parts[number])):
            answer = self._send(number)
            assert answer.status == 202, answer

    def _complete(self, digest: str) -> Any:
        return self.endpoints.docker.put(f"{self.location}?digest={digest}")

    def complete(self, digest: str | None = None) -> None:
        with self.journal.finishing(self.repository, self.upload, self.layer):
            answer = self._complete(digest or self.layer.digest)
            assert answer.status == 201, answer

    def put(self) -> None:
        with self.journal.tagging(self.repository, "v1", self.image.manifest):
            manifest = self.image.manifest
            answer = self.endpoints.docker.put(
                f"/v2/{self.repository}/manifests/v1", manifest.content, {"Content-Type": manifest.media_type}
            )
            assert answer.status == 201, answer

    def push_config(self) -> None:
        self.endpoints.docker.push_blob(self.repository, self.image.blobs[0])

    def next_offset(self) -> int:
        answer = self._send(1)
        assert (answer.status, answer.error_codes()) == (416, ["BLOB_UPLOAD_INVALID"]), answer
        return int(answer.headers["Range"].removeprefix("0-")) + 1

    def completes(self) -> bool:
        """Whether the upload can be completed. Otherwise it is unknown."""
        answer = self._complete(self.layer.digest)
        assert answer.status == 201 or answer.error_codes() == ["BLOB_UPLOAD_UNKNOWN"], answer
        return bool(answer.status == 201)

    def wrong_digest_is_refused(self) -> bool:
        answer = self._complete(WRONG)
        return (answer.status, answer.error_codes()) == (400, ["DIGEST_INVALID"])

    def put_again(self) -> None:
        """Repeating a push returns the response that was lost, which is better than an error."""
        self.put()


AnyPush = ApiPush | DockerPush


def layer_of(size: int, seed: int) -> Blob:
    return Blob(random.Random(seed).randbytes(size), OCI_LAYER)


@contextmanager
def two_pushes(server: Server) -> Iterator[tuple[Endpoints, Journal, list[AnyPush]]]:
    """A push at each endpoint, into repositories that are otherwise empty."""
    journal = Journal()
    with endpoints_of(server) as endpoints:
        for name in ("crash/api", "crash/docker"):
            endpoints.ecr.create_repository(repositoryName=name)
        api = ApiPush(endpoints, journal, "crash/api", layer_of(MINIMUM + 70_000, 1), MINIMUM)
        docker = DockerPush(endpoints, journal, "crash/docker", layer_of(700_000, 2), 300_000)
        yield endpoints, journal, [api, docker]


def die(server: Server, step: Callable[[], None]) -> None:
    """Take the step at which the only worker dies, and wait for another worker, which dies at the same step."""
    with crash_of_the_server():
        step()
    wait_until(server.is_ready)


def crash_at(server: Server, endpoints: Endpoints, pushes: list[AnyPush], until: Callable[[AnyPush], None]) -> None:
    """Bring each push to its crash, then kill the rest and start the server without failpoints."""
    for push in pushes:
        die(server, lambda push=push: until(push))  # type: ignore[misc]  # a default binds the loop's value
    check_p11_starts_without_a_scan(server)


def in_the_beginning(push: AnyPush) -> None:
    push.begin()


def in_the_second_part(push: AnyPush) -> None:
    push.begin()
    push.send(0)
    push.send(1)


def in_the_completion(push: AnyPush) -> None:
    push.begin()
    push.send(0)
    push.send(1)
    push.complete()


def in_the_completion_with_a_wrong_digest(push: AnyPush) -> None:
    push.begin()
    push.send(0)
    push.send(1)
    push.complete(WRONG)


def in_the_manifest(push: AnyPush) -> None:
    in_the_completion(push)
    push.push_config()
    push.put()


def begins_again(push: AnyPush) -> None:
    in_the_completion(push)


def sends_the_part_again(push: AnyPush) -> None:
    size = upload_size(push.endpoints, push.repository, push.upload)
    for number in range(1 if size else 0, 2):
        push.send(number)
    push.complete()


def continues_at_the_reported_offset(push: AnyPush) -> None:
    assert push.next_offset() == push.size
    assert upload_size(push.endpoints, push.repository, push.upload) == push.size
    push.complete()


def completes_again(push: AnyPush) -> None:
    push.complete()


def is_refused_again(push: AnyPush) -> None:
    assert push.wrong_digest_is_refused()
    assert not push.completes()
    begins_again(push)


def finds_the_layer(push: AnyPush) -> None:
    """The registry endpoint remembers completed uploads and repeats its response. For the API the upload is unknown, as
    in ECR.
    """
    assert push.completes() is isinstance(push, DockerPush)
    push.journal.layer(push.repository, push.layer)


def sends_the_manifest_again(push: AnyPush) -> None:
    push.put()


def finds_that_it_exists(push: AnyPush) -> None:
    push.put_again()
    push.journal.manifests[Named(push.repository, push.image.manifest.digest)] = push.image.manifest


# docs/promises.md: where the server is killed, and what the client does next.
TABLE: list[tuple[str, Callable[[AnyPush], None], Callable[[AnyPush], None]]] = [
    ("U1", in_the_beginning, begins_again),
    ("U2:2", in_the_second_part, sends_the_part_again),
    ("U3:2", in_the_second_part, sends_the_part_again),
    ("U4:2", in_the_second_part, continues_at_the_reported_offset),
    ("U5", in_the_completion, completes_again),
    ("U6", in_the_completion_with_a_wrong_digest, is_refused_again),
    ("U7", in_the_completion, completes_again),
    ("U8", in_the_completion, completes_again),
    ("U9", in_the_completion, completes_again),
    ("U10", in_the_completion, finds_the_layer),
    ("U11", in_the_completion, finds_the_layer),
    ("M1", in_the_manifest, sends_the_manifest_again),
    ("M2", in_the_manifest, sends_the_manifest_again),
    ("M3", in_the_manifest, finds_that_it_exists),
]


@pytest.mark.parametrize(("point", "until", "retry"), TABLE, ids=[point.partition(":")[0] for point, _, _ in TABLE])
def test_a_crash_loses_nothing_acknowledged_and_the_documented_retry_converges(
    fresh_server: StartServer, point: str, until: Callable[[AnyPush], None], retry: Callable[[AnyPush], None]
) -> None:
    name, _, passing = point.partition(":")
    armed = {"MOORAGE_FAILPOINTS": f"{name}=kill:{passing or 1}"}
    server = fresh_server(extra_env=armed, extra_args=["--workers", "1"])
    with two_pushes(server) as (endpoints, journal, pushes):
        crash_at(server, endpoints, pushes, until)

        check_all(endpoints, journal)
        for push in pushes:
            retry(push)
        check_all(endpoints, journal)
        for push in pushes:
            check_p8_repeating_converges(endpoints, push.repository, push.image, "v1")
        check_all(endpoints, journal)


def test_a_test_kills_the_program_at_every_failpoint(pytestconfig: pytest.Config) -> None:
    source = pytestconfig.rootpath / "src" / "moorage"
    passed = {
        name for path in source.rglob("*.py") for name in re.findall(r'failpoints\.hit\("(\w+)"\)', path.read_text())
    }

    killed = [*(point for point, _, _ in TABLE), *test_crashes.POINTS, *test_deletions.POINTS, "V1", "V2", "S1"]
    killed += [*test_interruptions.POINTS, *test_interruptions.ABANDON_POINTS, *test_backup.POINTS]
    assert passed == {point.partition(":")[0] for point in killed}
