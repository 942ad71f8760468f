"""A registry under measurement: where it is, how to speak to it as docker and as an AWS client do."""

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

JOINED = 64 * 1024
"""Bodies up to this many bytes go out in one call with their head."""

ACCEPT = (
    f"application/vnd.docker.distribution.manifest.v2+json, {OCI_MANIFEST}, application/vnd.oci.image.index.v1+json"
)
SERVICE = "AmazonEC2ContainerRegistry_V20150921"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a target is spoken to with: a user name and password for docker, an access key for the ECR API, or both."""

    username: str | None = None
    password: str = field(default="", repr=False)
    key: SigningKey | None = None


class Target:
    """One registry. Makes requests as bytes; sends none but in `greet`, `call` and `ensure_repository`."""

    def __init__(self, url: str, credentials: Credentials, process: int | None = None) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme != "http" or not parts.hostname or parts.path not in {"", "/"}:
            raise BenchmarkError(f"{url}: a target is http://HOST:PORT (plain HTTP: the benchmark measures no TLS)")
        self.name = parts.netloc.rpartition("@")[2]
        self.address = (parts.hostname, parts.port or 80)
        self.key = credentials.key
        self.server = ""
        self._process = process
        self._common = f"Host: {self.name}\r\nUser-Agent: moorage-bench\r\n"
        self._authorization = ""
        if credentials.username is not None:
            pair = f"{credentials.username}:{credentials.password}"
            self._authorization = f"Authorization: Basic {pybase64.b64encode(pair.encode()).decode()}\r\n"

    def greet(self) -> None:
        """Log in as docker does and note what the server calls itself. Raises BenchmarkError where it refuses."""
        if self.key is not None and not self._authorization:
            data = self.call("GetAuthorizationToken", {}, "authorizationData")
            self._authorization = f"Authorization: Basic {data[0]['authorizationToken']}\r\n"
        response = exchange(self.address, self.request("GET", "/v2/"))
        self.server = response.header("server") or response.header("docker-distribution-api-version") or ""

    def request(self, method: str, path: str, *expected: int, headers: str = "", body: bytes = b"") -> Request:
        """A docker request with a small body or none; 200 is expected where nothing else is said."""
        if body or method in {"POST", "PUT", "PATCH"}:
            headers += f"Content-Length: {len(body)}\r\n"
        head = f"{method} {path} HTTP/1.1\r\n{self._common}{self._authorization}{headers}\r\n"
        return Request(head.encode() + body, expected or (200,))

    def upload(self, path: str, layer: Layer) -> Request:
        """The PATCH that streams a layer."""
        headers = f"{layer.header}Content-Type: application/octet-stream\r\n"
        head = f"PATCH {path} HTTP/1.1\r\n{self._common}{self._authorization}{headers}\r\n".encode()
        if layer.size <= JOINED:
            return Request(head + b"".join(layer.body), (202,))
        return Request(head, (202,), layer.body)

    def location(self, response: Response) -> str:
        """Path and query of the upload's Location, which may be relative or name this server in full."""
        location = response.header("location")
        if not location:
            raise BenchmarkError(f"{self.name}: an upload was answered without a Location")
        if location.startswith("/"):
            return location
        parts = urlsplit(location)
        if parts.netloc != self.name:
            raise BenchmarkError(f"{self.name}: the upload's Location is on another host: {location}")
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    def operation(self, name: str, *body: bytes | memoryview, expected: tuple[int, ...] = (200,)) -> Request:
        """A signed ECR request; the body may come in pieces, which are hashed here and sent as they are."""
        if self.key is None:
            raise BenchmarkError(f"{self.name}: the ECR API needs an access key")
        digest = hashlib.sha256()
        for piece in body:
            digest.update(piece)
        headers = {"content-type": "application/x-amz-json-1.1", "host": self.name, "x-amz-target": f"{SERVICE}.{name}"}
        headers = signed_headers(self.key, RequestLine("POST", "/"), headers, digest.hexdigest(), int(time.time()))
        length = sum(len(piece) for piece in body)
        lines = "".join(f"{header}: {value}\r\n" for header, value in headers.items())
        head = f"POST / HTTP/1.1\r\nUser-Agent: moorage-bench\r\n{lines}Content-Length: {length}\r\n\r\n".encode()
        if length <= JOINED:
            return Request(head + b"".join(body), expected)
        return Request(head, expected, [memoryview(piece) for piece in body])

    def call(self, name: str, parameters: dict[str, Any], member: str) -> Any:
        """Send an ECR request outside any measurement and return one member of the answer.

        Raises BenchmarkError for every answer but 200, and for one without the member.
        """
        answer = exchange(self.address, self.operation(name, msgspec.json.encode(parameters)))
        try:
            return msgspec.json.decode(answer.body, type=dict[str, Any])[member]
        except (msgspec.DecodeError, KeyError) as error:
            text = answer.body[:200].decode(errors="replace")
            message = (
                f"{self.name}: {name} was answered without {member} ({text!r}); a registry that is no ECR gets no key"
            )
            raise BenchmarkError(message) from error

    def ensure_repository(self, name: str) -> None:
        """Create the repository where the ECR API is there to do it; elsewhere the first push does."""
        if self.key is None:
            return
        body = msgspec.json.encode({"repositoryName": name})
        answer = exchange(self.address, self.operation("CreateRepository", body, expected=(200, 400)))
        if answer.status == 400 and b"RepositoryAlreadyExistsException" not in answer.body:
            raise BenchmarkError(f"{self.name}: CreateRepository {name}: {answer.body.decode(errors='replace')}")

    def processes(self) -> frozenset[int]:
        """Roots of the server's process trees: the one given, or who listens on the port on this machine."""
        if self._process is not None:
            return frozenset({self._process})
        try:
            loopback = self.address[0] == "localhost" or ipaddress.ip_address(self.address[0]).is_loopback
        except ValueError:
            loopback = False
        return listeners(self.address[1]) if loopback else frozenset()
