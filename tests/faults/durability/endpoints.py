"""Both endpoints of one server, and the journal of what they acknowledged."""

from __future__ import annotations

import hashlib
import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from botocore.exceptions import ConnectionError as NotConnected
from botocore.exceptions import HTTPClientError

from tests.support.aws import aws_client, docker_password
from tests.support.http_client import Answer, Docker
from tests.support.images import Blob
from tests.support.server import Server


class Crashed(Exception):
    """The server disconnected before it responded."""


class Named(NamedTuple):
    """A layer, a manifest, a tag or an upload of a repository."""

    repository: str
    name: str


@dataclass
class Journal:
    """What was acknowledged to a client and must survive a crash. Written only after the complete response arrived."""

    layers: dict[Named, bytes] = field(default_factory=dict)
    manifests: dict[Named, Blob] = field(default_factory=dict)
    tags: dict[Named, set[str]] = field(default_factory=dict)
    """The digests that a tag may name: the acknowledged one, and those of pushes without a response."""
    uploads: dict[Named, set[int]] = field(default_factory=dict)
    """The sizes that an upload may have, in the same way."""

    @property
    def acknowledged(self) -> int:
        """How many layers, manifests, tags and parts were acknowledged. Others may exist or not."""
        tags = [digests for digests in self.tags.values() if len(digests) == 1]
        parts = [sizes for sizes in self.uploads.values() if len(sizes) == 1]
        return len(self.layers) + len(self.manifests) + len(tags) + len(parts)

    def add(self, other: Journal) -> None:
        """Add what another journal has. Both are about different tags and uploads."""
        self.layers |= other.layers
        self.manifests |= other.manifests
        self.tags |= other.tags
        self.uploads |= other.uploads

    def layer(self, repository: str, blob: Blob) -> None:
        self.layers[Named(repository, blob.digest)] = blob.content

    @contextmanager
    def tagging(self, repository: str, tag: str, manifest: Blob) -> Iterator[None]:
        """Around a push of a manifest by tag: until the response, the tag may name the old or the new manifest."""
        allowed = self.tags.setdefault(Named(repository, tag), {""})
        allowed.add(manifest.digest)
        yield
        self.tags[Named(repository, tag)] = {manifest.digest}
        self.manifests[Named(repository, manifest.digest)] = manifest

    @contextmanager
    def growing(self, repository: str, upload: str, size: int) -> Iterator[None]:
        """Around an append after which the upload has `size` bytes."""
        self.uploads.setdefault(Named(repository, upload), {0}).add(size)
        yield
        self.uploads[Named(repository, upload)] = {size}

    @contextmanager
    def finishing(self, repository: str, upload: str, blob: Blob) -> Iterator[None]:
        """Around the completion of an upload: until the response, the upload may exist or not."""
        self.uploads.pop(Named(repository, upload), None)
        yield
        self.layer(repository, blob)


class Endpoints:
    """The ECR endpoint and the registry endpoint of a server, for its root user. They work again after a restart."""

    def __init__(self, server: Server, ecr: Any) -> None:
        self.server = server
        self.ecr = ecr
        self.password = docker_password(ecr)
        self.docker = Docker(server.host, server.port, self.password)

    def repositories(self) -> list[str]:
        found = self.ecr.get_paginator("describe_repositories").paginate()
        return [row["repositoryName"] for page in found for row in page["repositories"]]

    def image_ids(self, repository: str) -> list[dict[str, str]]:
        """The rows of ListImages: a digest each, with the tag if there is one."""
        found = self.ecr.get_paginator("list_images").paginate(repositoryName=repository)
        return [each for page in found for each in page["imageIds"]]

    def tags(self, repository: str) -> list[str]:
        answer = self.docker.get(f"/v2/{repository}/tags/list")
        assert answer.status == 200, answer
        return list(answer.json()["tags"])

    def manifest(self, repository: str, reference: str) -> Answer:
        return self.docker.get(f"/v2/{repository}/manifests/{reference}")

    def layer(self, repository: str, digest: str) -> Answer:
        return self.docker.get(f"/v2/{repository}/blobs/{digest}")

    def download(self, repository: str, digest: str) -> bytes:
        """A layer through GetDownloadUrlForLayer."""
        url = urlsplit(
            self.ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digest)["downloadUrl"]
        )
        answer = Docker(self.server.host, self.server.port, None).get(f"{url.path}?{url.query}")
        assert answer.status == 200, answer
        return answer.body

    def visible_state(self) -> dict[str, Any]:
        """What a client can see through both endpoints: repositories, images and tags. Uploads are not included."""
        return {
            name: (
                sorted(json.dumps(each, sort_keys=True) for each in self.image_ids(name)),
                self.tags(name),
                [
                    hashlib.sha256(self.manifest(name, row["imageDigest"]).body).hexdigest()
                    for row in self.image_ids(name)
                ],
            )
            for name in self.repositories()
        }


@contextmanager
def endpoints_of(server: Server) -> Iterator[Endpoints]:
    with aws_client(server) as ecr:
        yield Endpoints(server, ecr)


@contextmanager
def crash_of_the_server() -> Iterator[None]:
    """The block must end without a response. Raises AssertionError if the server responds."""
    try:
        with unanswered_as_crash():
            yield
    except Crashed:
        return
    raise AssertionError("the server answered instead of crashing")


@contextmanager
def unanswered_as_crash() -> Iterator[None]:
    """Turn every way in which a connection fails, or ends without a response, into Crashed."""
    try:
        yield
    except (OSError, http.client.HTTPException, HTTPClientError, NotConnected) as error:
        raise Crashed from error
