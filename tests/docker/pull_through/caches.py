"""A server with a pull-through cache rule, and what tests ask of it."""

from __future__ import annotations

import http.client
from typing import Any, NamedTuple
from urllib.parse import quote

from tests.conftest import StartServer
from tests.docker.pull_through.upstream import Upstream
from tests.support.aws import aws_client, docker_password
from tests.support.http_client import Answer, Docker
from tests.support.images import Image
from tests.support.server import Server
from tests.support.waiting import wait_until

HOST = "upstream.test"
PREFIX = "hub"


class Cache(NamedTuple):
    """A server whose repositories `hub/…` are caches of the upstream registry. `docker` has a token of the root key."""

    server: Server
    docker: Docker
    ecr: Any

    def pull(self, name: str, reference: str, method: str = "GET") -> Answer:
        """Request a manifest of a cached repository."""
        return self.docker.request(method, f"/v2/{PREFIX}/{name}/manifests/{quote(reference, safe=':')}")

    def blob(self, name: str, digest: str, method: str = "GET", **headers: str) -> Answer:
        return self.docker.request(method, f"/v2/{PREFIX}/{name}/blobs/{digest}", None, headers)

    def open_blob(self, name: str, digest: str) -> http.client.HTTPResponse:
        """A response whose body the test reads piece by piece. Closing it closes the connection."""
        connection = http.client.HTTPConnection(self.docker.host, self.docker.port, timeout=60)
        headers = {"Authorization": self.docker.authorization or "", "Connection": "close"}
        connection.request("GET", f"/v2/{PREFIX}/{name}/blobs/{digest}", None, headers)
        return connection.getresponse()

    def pull_whole(self, name: str, tag: str, one: Image) -> None:
        """Pull an image as a client does, and compare all bytes."""
        assert self.pull(name, tag).body == one.manifest.content
        for blob in one.blobs:
            assert self.blob(name, blob.digest).body == blob.content

    def wait_for_pull(self, name: str, reference: str, manifest: bytes) -> None:
        wait_until(lambda: self.pull(name, reference).body == manifest)

    def images(self, name: str) -> dict[str, list[str]]:
        """The complete images of a cached repository with their tags."""
        found = self.ecr.describe_images(repositoryName=f"{PREFIX}/{name}")["imageDetails"]
        return {one["imageDigest"]: one.get("imageTags", []) for one in found}

    def wait_for_image(self, name: str, digest: str) -> None:
        wait_until(lambda: digest in self.images(name))


def start_cache(start: StartServer, upstream: Upstream | Server, *args: str) -> Cache:
    """A server for one test with a rule for an upstream registry on this machine."""
    return with_rule(start(extra_args=[*setting(upstream), *args]))


def new_cache(server: Server, upstream: Upstream, *args: str) -> Cache:
    """Start a server with such a rule."""
    server.start(extra_args=[*setting(upstream), *args])
    return with_rule(server)


def setting(upstream: Upstream | Server) -> list[str]:
    """The options of a server that may use the upstream registry."""
    return ["--upstream", f"{HOST}=http://127.0.0.1:{upstream.port}"]


def with_rule(server: Server) -> Cache:
    """The cache that a server becomes by a rule for the upstream registry."""
    with aws_client(server, "ecr") as ecr:
        ecr.create_pull_through_cache_rule(ecrRepositoryPrefix=PREFIX, upstreamRegistryUrl=HOST)
        return Cache(server, Docker(server.host, server.port, docker_password(ecr)), ecr)
