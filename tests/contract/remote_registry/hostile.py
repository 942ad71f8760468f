"""A registry of the tests that can misbehave in every way, and a second origin to which it redirects."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from aiohttp import web

from moorage.adapters.remote_registry.registries import Deadlines, DistributionRegistries
from moorage.domain.remote_registries import RemoteAddress, RemoteRegistry, UserCredentials
from tests.support.images import Image, digest, image, layer
from tests.support.waiting import PATIENCE_SECONDS

HOST = "127.0.0.1"
REPOSITORY = "library/app"
LAYER = layer(700_000)
IMAGE: Image = image([LAYER])
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Seen(NamedTuple):
    """One request: which server received it, and what is of interest in it."""

    server: str
    method: str
    path: str
    authorization: str | None
    query: dict[str, str]


@dataclass
class HostileRegistry:
    """`answers` are handlers that take the place of the usual one, by path or by the end of it."""

    port: int = 0
    cdn_port: int = 0
    token: str = "T1"
    realm: str = ""
    scheme: str = "Bearer"
    token_body: bytes | None = None
    blob: bytes = LAYER.content
    manifest: bytes = IMAGE.manifest.content
    manifest_headers: dict[str, str] = field(default_factory=dict)
    status: int = 0
    answers: dict[str, Handler] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def cdn(self) -> str:
        return f"http://{HOST}:{self.cdn_port}"

    @property
    def methods(self) -> list[str]:
        """What was received, in short: `GET token` or `HEAD registry`."""
        return [f"{one.method} {one.server}" for one in self.seen]

    async def issue_token(self, request: web.Request) -> web.StreamResponse:
        self._note("token", request)
        body = self.token_body or json.dumps({"token": self.token, "expires_in": 300}).encode()
        return web.Response(body=body, content_type="application/json")

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self._note("registry", request)
        for end, handler in self.answers.items():
            if request.path.endswith(end):
                return await handler(request)
        if self.status:
            return web.Response(status=self.status, headers={"Retry-After": "7"} if self.status == 429 else {})
        if self.scheme and request.headers.get("Authorization") not in {f"Bearer {self.token}", "Basic dTpw"}:
            return self.challenge()
        if "/blobs/" in request.path:
            return web.Response(status=307, headers={"Location": f"{self.cdn}/blob?signature=1"})
        if request.path.endswith("/gone"):
            return web.Response(status=404, text=json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN"}]}))
        return self.as_manifest(request, self.manifest)

    async def answer_elsewhere(self, request: web.Request) -> web.StreamResponse:
        self._note("cdn", request)
        if request.path in self.answers:
            return await self.answers[request.path](request)
        return web.Response(body=self.blob)

    def challenge(self) -> web.Response:
        realm = self.realm or f"{self.url}/token"
        value = f'{self.scheme} realm="{realm}",service="tests",scope="repository:{REPOSITORY}:pull"'
        return web.Response(status=401, headers={"WWW-Authenticate": value})

    def as_manifest(self, request: web.Request, body: bytes) -> web.Response:
        headers = {
            "Content-Type": IMAGE.manifest.media_type,
            "Docker-Content-Digest": digest(body),
            **self.manifest_headers,
        }
        return web.Response(body=None if request.method == "HEAD" else body, headers=headers)

    def _note(self, server: str, request: web.Request) -> None:
        authorization = request.headers.get("Authorization")
        self.seen.append(Seen(server, request.method, request.path, authorization, dict(request.query)))


Scenario = Callable[[HostileRegistry, RemoteRegistry], Awaitable[None]]


def against(scenario: Scenario, **behaviour: Any) -> HostileRegistry:
    """Run a scenario against a hostile registry, with credentials and idle for half a second at most."""

    async def run() -> HostileRegistry:
        async with running(HostileRegistry(**behaviour)) as hostile, registries() as remotes:
            address = RemoteAddress(hostile.url, UserCredentials("u", "p"), private_networks=True)
            await scenario(hostile, remotes.at(address))
            return hostile

    return asyncio.run(run())


@asynccontextmanager
async def registries() -> AsyncIterator[DistributionRegistries]:
    remotes = DistributionRegistries(Deadlines(connect=30.0, idle=0.5))
    try:
        yield remotes
    finally:
        await remotes.close()


@asynccontextmanager
async def running(hostile: HostileRegistry) -> AsyncIterator[HostileRegistry]:
    """Serve a hostile registry and its second origin, until the end of the context."""
    registry, cdn = web.Application(), web.Application()
    registry.router.add_get("/token", hostile.issue_token)
    registry.router.add_route("*", "/{rest:.*}", hostile.answer)
    cdn.router.add_route("*", "/{rest:.*}", hostile.answer_elsewhere)
    runners = [web.AppRunner(each, shutdown_timeout=0.1) for each in (registry, cdn)]
    try:
        ports = []
        for runner in runners:
            await runner.setup()
            await web.TCPSite(runner, HOST, 0).start()
            ports.append(runner.addresses[0][1])
        hostile.port, hostile.cdn_port = ports
        yield hostile
    finally:
        for runner in runners:
            await runner.cleanup()


@contextmanager
def served(hostile: HostileRegistry) -> Iterator[HostileRegistry]:
    """Serve it in a thread of its own, until the end of the context."""
    started: Future[Callable[[], object]] = Future()

    async def serve() -> None:
        ended = asyncio.Event()
        async with running(hostile):
            started.set_result(partial(asyncio.get_running_loop().call_soon_threadsafe, ended.set))
            await ended.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    end = started.result(PATIENCE_SECONDS)
    try:
        yield hostile
    finally:
        end()
        thread.join()


async def content(registry: RemoteRegistry, size: int | None = None, received: bytearray | None = None) -> bytes:
    """Read the layer. `received` shows what arrived before a failure."""
    whole = bytearray() if received is None else received
    async with registry.blob(REPOSITORY, LAYER.digest, size) as blob:
        async for chunk in blob.chunks:
            whole += chunk
    return bytes(whole)
