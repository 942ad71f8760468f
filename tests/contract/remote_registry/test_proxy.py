"""Registries that are reached through a proxy: which requests it gets, and what it is never asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from moorage.adapters.remote_registry.registries import Deadlines, DistributionRegistries
from moorage.domain.remote_registries import RemoteAddress, RemoteDenied, RemoteUnavailable
from tests.contract.remote_registry.hostile import HOST, IMAGE, LAYER, REPOSITORY, HostileRegistry, content, running

Scenario = Callable[[DistributionRegistries], Awaitable[None]]


def through(proxy: str, scenario: Scenario) -> None:
    async def run() -> None:
        remotes = DistributionRegistries(Deadlines(connect=30.0), proxy)
        try:
            await scenario(remotes)
        finally:
            await remotes.close()

    asyncio.run(run())


def test_a_registry_on_a_public_address_is_reached_through_the_proxy() -> None:
    """The proxy is the hostile registry itself: it answers requests for any host."""

    async def run() -> None:
        async with running(HostileRegistry(scheme="")) as proxy:
            proxy.answers[LAYER.digest] = proxy.answer_elsewhere
            remotes = DistributionRegistries(Deadlines(connect=30.0), f"http://{HOST}:{proxy.port}")
            registry = remotes.at(RemoteAddress("http://registry.invalid:5000"))
            assert (await registry.manifest(REPOSITORY, "v1")).body == IMAGE.manifest.content
            assert await content(registry, len(LAYER.content)) == LAYER.content
            await remotes.close()

    asyncio.run(run())


def test_a_registry_that_may_be_in_a_private_network_is_reached_directly() -> None:
    async def run() -> None:
        async with running(HostileRegistry(scheme="")) as hostile:
            remotes = DistributionRegistries(Deadlines(connect=30.0), "http://127.0.0.1:1")
            registry = remotes.at(RemoteAddress(hostile.url, private_networks=True))
            assert (await registry.manifest(REPOSITORY, "v1")).body == IMAGE.manifest.content
            await remotes.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "a.localhost",
        "[::ffff:127.0.0.1]",
        "10.0.0.1",
        "169.254.169.254",
        "2852039166",
        "0x7f.1",
    ],
)
def test_a_proxy_is_not_asked_for_private_addresses(host: str) -> None:
    async def scenario(remotes: DistributionRegistries) -> None:
        with pytest.raises(RemoteDenied, match="private network"):
            await remotes.at(RemoteAddress(f"https://{host}")).manifest(REPOSITORY, "v1")

    through("http://127.0.0.1:1", scenario)


def test_https_goes_through_a_tunnel_with_the_credentials_of_the_proxy_alone() -> None:
    async def run() -> None:
        seen: list[bytes] = []
        async with refusing_proxy(seen) as port:
            remotes = DistributionRegistries(Deadlines(connect=30.0), f"http://user:secret@{HOST}:{port}")
            with pytest.raises(RemoteUnavailable, match="the proxy answered 407 for quay") as refused:
                await remotes.at(RemoteAddress("https://quay.io")).manifest(REPOSITORY, "v1")
            await remotes.close()
        head = seen[0].decode().lower()
        assert head.startswith("connect quay.io:443 ")
        assert "proxy-authorization: basic dxnlcjpzzwnyzxq=" in head
        assert "secret" not in str(refused.value)

    asyncio.run(run())


def test_a_proxy_that_is_down_makes_registries_unavailable() -> None:
    async def scenario(remotes: DistributionRegistries) -> None:
        with pytest.raises(RemoteUnavailable, match="no connection to quay"):
            await remotes.at(RemoteAddress("https://quay.io")).manifest(REPOSITORY, "v1")

    through("http://127.0.0.1:1", scenario)


@asynccontextmanager
async def refusing_proxy(seen: list[bytes]) -> AsyncIterator[int]:
    """A proxy that wants other credentials. It keeps the heads of requests."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
