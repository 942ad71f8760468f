"""Clients that push until a server is stopped under them, and keep a journal of what was acknowledged."""

from __future__ import annotations

import random
from collections.abc import Iterable

from tests.api.ecr.pushing import begin, complete, put, send_part
from tests.faults.durability.endpoints import Endpoints, Journal, unanswered_as_crash
from tests.support.images import OCI_LAYER, Blob, Image, digest, image

SIZES = (100, 40_000, 300_000, 1_500_000)


class Client:
    """Pushes images with new layers to one repository, under a tag of its own, and keeps a journal.

    A client with an odd number uses the registry endpoint, one with an even number the ECR endpoint.
    """

    def __init__(self, endpoints: Endpoints, repository: str, number: int) -> None:
        self.endpoints = endpoints
        self.repository = repository
        self.journal = Journal()
        self.random = random.Random(number)
        self.tag = f"client-{number}"
        self.pushed = 0
        self._push = self._push_by_docker if number % 2 else self._push_by_api

    def new_image(self) -> Image:
        """An image with blobs that no other image has: ECR refuses to complete the upload of a layer that exists."""
        layers = [self.random.randbytes(self.random.choice(SIZES)) for _ in range(self.random.randint(1, 2))]
        return image([Blob(content, OCI_LAYER, digest(content)) for content in layers])

    def push(self) -> None:
        """Push a new image. Raises Crashed if the server disconnects, AssertionError or ClientError if it refuses."""
        with unanswered_as_crash():
            self._push(self.new_image())
        self.pushed += 1

    def _push_by_docker(self, pushed: Image) -> None:
        """Push layers in two chunks, the second one with the completion."""
        docker, journal = self.endpoints.docker, self.journal
        for blob in pushed.blobs:
            half = len(blob.content) // 2
            started = docker.post(f"/v2/{self.repository}/blobs/uploads/")
            assert started.status == 202, started
            location, upload = started.headers["Location"], started.headers["Docker-Upload-UUID"]
            with journal.growing(self.repository, upload, half):
                assert docker.patch(location, blob.content[:half]).status == 202
            with journal.finishing(self.repository, upload, blob):
                assert docker.put(f"{location}?digest={blob.digest}", blob.content[half:]).status == 201
        with journal.tagging(self.repository, self.tag, pushed.manifest):
            path = f"/v2/{self.repository}/manifests/{self.tag}"
            answer = docker.put(path, pushed.manifest.content, {"Content-Type": pushed.manifest.media_type})
            assert answer.status == 201, answer

    def _push_by_api(self, pushed: Image) -> None:
        ecr, journal = self.endpoints.ecr, self.journal
        for blob in pushed.blobs:
            upload = begin(ecr, self.repository)
            with journal.growing(self.repository, upload, len(blob.content)):
                send_part(ecr, self.repository, upload, 0, blob.content)
            with journal.finishing(self.repository, upload, blob):
                complete(ecr, self.repository, upload, blob.digest)
        with journal.tagging(self.repository, self.tag, pushed.manifest):
            put(ecr, self.repository, pushed, self.tag)


def joined(clients: Iterable[Client]) -> Journal:
    """The journal of several clients, which have different tags."""
    everything = Journal()
    for client in clients:
        everything.add(client.journal)
    return everything


def forget_images(endpoints: Endpoints, repository: str) -> None:
    """Delete all images, so that later checks stay short: they read everything that exists."""
    for name in {row["imageDigest"] for row in endpoints.image_ids(repository)}:
        assert endpoints.docker.delete(f"/v2/{repository}/manifests/{name}").status == 202
