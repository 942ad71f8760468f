"""A registry of a few lines for tests of the load generator: Docker's requests and some of ECR, in memory."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pybase64


@dataclass
class StubRequest:
    """A received request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answer = tuple[int, dict[str, str], bytes]
Handler = Callable[[StubRequest], Answer | bytes]


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    pieces = []
    while size := int(await reader.readline(), 16):
        pieces.append(await reader.readexactly(size))
        assert await reader.readline() == b"\r\n"
    assert await reader.readline() == b"\r\n"
    return b"".join(pieces)


async def _read_request(reader: asyncio.StreamReader) -> StubRequest:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
    return StubRequest(method, path, headers, await _body(reader, headers))


def _wire(answer: Answer | bytes, method: str) -> bytes:
    """The response as bytes. A handler that returns bytes decides about each of them."""
    if isinstance(answer, bytes):
        return answer
    status, headers, body = answer
    lines = "".join(f"{name}: {value}\r\n" for name, value in {"Content-Length": str(len(body)), **headers}.items())
    return f"HTTP/1.1 {status} Reason\r\n{lines}\r\n".encode() + (b"" if method == "HEAD" else body)


@contextmanager
def serving(handler: Handler) -> Iterator[tuple[str, int]]:
    """Serve the handler on a free loopback port, in its own thread. b"" closes the connection."""
    loop = asyncio.new_event_loop()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await _read_request(reader)
                wire = _wire(handler(request), request.method)
                if not wire:
                    break
                writer.write(wire)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(connected, "127.0.0.1", 0)

    server = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _stop(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _whole_or_range(stored: bytes, range_header: str | None) -> Answer:
    if range_header is None:
        return 200, {}, stored
    first, last = map(int, range_header.removeprefix("bytes=").split("-"))
    return 206, {}, stored[first : last + 1]


@dataclass
class RegistryStub:
    """Stores what it receives and rejects what is inconsistent, so that requests are really tested."""

    authorization: str | None = None
    blobs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], bytes] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    repositories: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)

    def __call__(self, request: StubRequest) -> Answer:
        target = request.headers.get("x-amz-target")
        self.requests.append(
            target.partition(".")[2] if target else f"{request.method} {request.path.partition('?')[0]}"
        )
        if target:
            return self._operation(self.requests[-1], request)
        if self.authorization is not None and request.headers.get("authorization") != self.authorization:
            return 401, {}, b'{"errors":[{"code":"UNAUTHORIZED"}]}'
        path, _, query = request.path.removeprefix("/v2/").partition("?")
        if not path:
            return 200, {"Server": "stub"}, b"{}"
        repository, _, rest = path.partition("/blobs/uploads/")
        if rest or path.endswith("/blobs/uploads/"):
            return self._upload(repository, rest, query, request)
        table, kind = (self.blobs, "/blobs/") if "/blobs/" in path else (self.manifests, "/manifests/")
        repository, _, name = path.partition(kind)
        if request.method == "PUT":
            for each in [name, *re.findall(r"\btag=([^&]+)", query)]:
                table[repository, each] = request.body
            return 201, {}, b""
        if path.endswith("/tags/list"):
            return self._tags(path.removesuffix("/tags/list"), query)
        stored = table.get((repository, name))
        return (404, {}, b"{}") if stored is None else _whole_or_range(stored, request.headers.get("range"))

    def _tags(self, repository: str, query: str) -> Answer:
        size, last = re.findall(r"\bn=(\d+)(?:&last=([^&]+))?", query)[0]
        held = sorted(name for place, name in self.manifests if place == repository and ":" not in name and name > last)
        return 200, {}, msgspec.json.encode({"name": repository, "tags": held[: int(size)]})

    def _upload(self, repository: str, upload: str, query: str, request: StubRequest) -> Answer:
        if request.method == "POST":
            upload = str(uuid.uuid4())
        self.uploads[upload] = self.uploads.get(upload, b"") + request.body
        if request.method == "PUT":
            digest = query.rpartition("digest=")[2]
            return self._finish(repository, upload, digest, 201)
        location = f"http://{request.headers['host']}/v2/{repository}/blobs/uploads/{upload}?state=1"
        return 202, {"Location": location}, b""

    def _finish(self, repository: str, upload: str, digest: str, status: int) -> Answer:
        data = self.uploads.pop(upload)
        if digest != "sha256:" + hashlib.sha256(data).hexdigest():
            return 400, {}, b'{"errors":[{"code":"DIGEST_INVALID"}]}'
        self.blobs[repository, digest] = data
        return status, {}, msgspec.json.encode({"layerDigest": digest})

    def _operation(self, name: str, request: StubRequest) -> Answer:
        assert "Signature=" in request.headers["authorization"]
        parameters: dict[str, Any] = msgspec.json.decode(request.body)
        repository = parameters.get("repositoryName", "")
        if name == "CreateRepository" and repository in self.repositories:
            return 400, {}, b'{"__type":"RepositoryAlreadyExistsException"}'
        if name == "CompleteLayerUpload":
            return self._finish(repository, parameters["uploadId"], parameters["layerDigests"][0], 200)
        answer: dict[str, Any] = self._answer(name, repository, parameters) or {}
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, msgspec.json.encode(answer)

    def _answer(self, name: str, repository: str, parameters: dict[str, Any]) -> Any:
        snake_case = re.sub("(?<!^)(?=[A-Z])", "_", name).lower()
        return getattr(self, f"_{snake_case}")(repository, parameters)

    def _get_authorization_token(self, _: str, __: Any) -> Any:
        return {"authorizationData": [{"authorizationToken": "dG9rZW4="}]}

    def _create_repository(self, repository: str, _: Any) -> Any:
        self.repositories.add(repository)

    def _delete_repository(self, repository: str, _: Any) -> Any:
        self.repositories.remove(repository)

    def _describe_repositories(self, _: str, parameters: Any) -> Any:
        assert set(parameters["repositoryNames"]) <= self.repositories

    def _put_image(self, repository: str, parameters: Any) -> Any:
        self.manifests[repository, parameters["imageTag"]] = parameters["imageManifest"].encode()

    def _list_images(self, repository: str, _: Any) -> Any:
        return {"imageIds": [{"imageTag": tag} for place, tag in self.manifests if place == repository]}

    def _batch_get_image(self, repository: str, parameters: Any) -> Any:
        image = self.manifests[repository, parameters["imageIds"][0]["imageTag"]]
        return {"images": [{"imageManifest": image.decode()}]}

    def _initiate_layer_upload(self, _: str, __: Any) -> Any:
        upload = str(uuid.uuid4())
        self.uploads[upload] = b""
        return {"uploadId": upload, "partSize": 10485760}

    def _upload_layer_part(self, _: str, parameters: Any) -> Any:
        data = pybase64.b64decode(parameters["layerPartBlob"], validate=True)
        assert parameters["partFirstByte"] == len(self.uploads[parameters["uploadId"]])
        assert parameters["partLastByte"] - parameters["partFirstByte"] + 1 == len(data)
        self.uploads[parameters["uploadId"]] += data

    def _batch_check_layer_availability(self, repository: str, parameters: Any) -> Any:
        held = [(repository, digest) in self.blobs for digest in parameters["layerDigests"]]
        return {"layers": [{"layerAvailability": "AVAILABLE" if each else "UNAVAILABLE"} for each in held]}
