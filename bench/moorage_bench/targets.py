"""The registry to measure: its address, and requests to it as docker and AWS clients send them."""

from __future__ import annotations

import hashlib
import ipaddress
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pybase64

from moorage.aws.signing import RequestLine, SigningKey, signed_headers
from moorage_bench.connections import BenchmarkError, Request, Response, exchange
from moorage_bench.content import OCI_MANIFEST, Layer
from moorage_bench.memory import listeners

SMALL_BODY = 64 * 1024
"""Bodies up to this many bytes are sent in one call with their head."""

ACCEPT = (
    f"application/vnd.docker.distribution.manifest.v2+json, {OCI_MANIFEST}, application/vnd.oci.image.index.v1+json"
)
SERVICE = "AmazonEC2ContainerRegistry_V20150921"


DOCKER, ECR = "docker", "ecr"


@dataclass(frozen=True, slots=True)
class Abilities:
    """The protocols of a registry, and the measured operations of the ECR API that it has; None stands for all."""

    protocols: frozenset[str] = frozenset({DOCKER, ECR})
    operations: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and a password for docker, an access key for the ECR API, or both."""

    username: str | None = None
    password: str = field(default="", repr=False)
    key: SigningKey | None = None


class Target:
    """One registry. It makes requests as bytes; only `log_in`, `call` and `ensure_repository` send some.

    `process` is the root of the server's processes, if its port does not identify them.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        process: int | None = None,
        *,
        label: str = "",
        abilities: Abilities = Abilities(),
    ) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme != "http" or not parts.hostname or parts.path not in {"", "/"}:
            raise BenchmarkError(f"{url}: a target must be http://HOST:PORT (the benchmark does not support TLS)")
        self._host = parts.netloc.rpartition("@")[2]
        self.name = label or self._host
        self.address = (parts.hostname, parts.port or 80)
        self.key = credentials.key
        self.server = ""
        self.abilities = abilities
        self.process = process
        self._common = f"Host: {self._host}\r\nUser-Agent: moorage-bench\r\n"
        self._authorization = ""
        if credentials.username is not None:
            pair = f"{credentials.username}:{credentials.password}"
            self._authorization = f"Authorization: Basic {pybase64.b64encode(pair.encode()).decode()}\r\n"

    def use_key(self, key: SigningKey) -> None:
        """Replace the credentials by an access key; the next `log_in` gets a token for it."""
        self.key = key
        self._authorization = ""

    def log_in(self) -> None:
        """Log in as docker does, and keep the name of the server. Raises BenchmarkError if the server rejects it."""
        if self.key is not None and not self._authorization:
            data = self.call("GetAuthorizationToken", {}, "authorizationData")
            self._authorization = f"Authorization: Basic {data[0]['authorizationToken']}\r\n"
        if DOCKER not in self.abilities.protocols:
            return
        response = exchange(self.address, self.request("GET", "/v2/"))
        self.server = (
            self.server or response.header("server") or response.header("docker-distribution-api-version") or ""
        )

    def request(self, method: str, path: str, *expected: int, headers: str = "", body: bytes = b"") -> Request:
        """A docker request with a small body or none; by default it expects the status 200."""
        if body or method in {"POST", "PUT", "PATCH"}:
            headers += f"Content-Length: {len(body)}\r\n"
        head = f"{method} {path} HTTP/1.1\r\n{self._common}{self._authorization}{headers}\r\n"
        return Request(head.encode() + body, expected or (200,))

    def upload(self, path: str, layer: Layer, method: str = "PATCH") -> Request:
        """The request that sends a layer: a PATCH, or a PUT that also ends the upload."""
        expected = (202,) if method == "PATCH" else (201,)
        headers = f"{layer.header}Content-Type: application/octet-stream\r\n"
        head = f"{method} {path} HTTP/1.1\r\n{self._common}{self._authorization}{headers}\r\n".encode()
        if layer.size <= SMALL_BODY:
            return Request(head + b"".join(layer.body), expected)
        return Request(head, expected, layer.body)

    def location(self, response: Response) -> str:
        """The path and query of an upload's Location, which may be relative or a full URL of this server."""
        location = response.header("location")
        if not location:
            raise BenchmarkError(f"{self.name}: the response to an upload has no Location")
        if location.startswith("/"):
            return location
        parts = urlsplit(location)
        if parts.netloc != self._host:
            raise BenchmarkError(f"{self.name}: the upload's Location is on another host: {location}")
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    def operation(self, name: str, *body: bytes | memoryview, expected: tuple[int, ...] = (200,)) -> Request:
        """A signed ECR request. The body may have several pieces, which are sent without a copy."""
        if self.key is None:
            raise BenchmarkError(f"{self.name}: the ECR API needs an access key")
        digest = hashlib.sha256()
        for piece in body:
            digest.update(piece)
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "host": self._host,
            "x-amz-target": f"{SERVICE}.{name}",
        }
        headers = signed_headers(self.key, RequestLine("POST", "/"), headers, digest.hexdigest(), int(time.time()))
        length = sum(len(piece) for piece in body)
        lines = "".join(f"{header}: {value}\r\n" for header, value in headers.items())
        head = f"POST / HTTP/1.1\r\nUser-Agent: moorage-bench\r\n{lines}Content-Length: {length}\r\n\r\n".encode()
        if length <= SMALL_BODY:
            return Request(head + b"".join(body), expected)
        return Request(head, expected, [memoryview(piece) for piece in body])

    def call(self, name: str, parameters: dict[str, Any], member: str) -> Any:
        """Send an ECR request outside any measurement and return one member of the response.

        Raises BenchmarkError if the status is not 200, and if the member is missing.
        """
        response = exchange(self.address, self.operation(name, msgspec.json.encode(parameters)))
        try:
            return msgspec.json.decode(response.body, type=dict[str, Any])[member]
        except (msgspec.DecodeError, KeyError) as error:
            text = response.body[:200].decode(errors="replace")
            message = (
                f"{self.name}: the response to {name} has no {member} ({text!r}); "
                "do not pass an access key for a registry without the ECR API"
            )
            raise BenchmarkError(message) from error

    def ensure_repository(self, name: str) -> None:
        """Create the repository if the target has the ECR API. Elsewhere the first push creates it."""
        if self.key is None:
            return
        body = msgspec.json.encode({"repositoryName": name})
        response = exchange(self.address, self.operation("CreateRepository", body, expected=(200, 400)))
        if response.status == 400 and b"RepositoryAlreadyExistsException" not in response.body:
            raise BenchmarkError(f"{self.name}: CreateRepository {name}: {response.body.decode(errors='replace')}")

    def processes(self) -> frozenset[int]:
        """The roots of the server's process trees: the given process, or those that listen on the port here."""
        if self.process is not None:
            return frozenset({self.process})
        try:
            loopback = self.address[0] == "localhost" or ipaddress.ip_address(self.address[0]).is_loopback
        except ValueError:
            loopback = False
        return listeners(self.address[1]) if loopback else frozenset()
