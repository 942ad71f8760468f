"""All remote registries of a process, over two pools of connections: to the internet, and to private networks, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import aiohttp

from moorage.adapters.remote_registry.exchange import Exchange
from moorage.adapters.remote_registry.origins import ProxiedConnector, home_of, socket_factory
from moorage.adapters.remote_registry.reading import Reading
from moorage.adapters.remote_registry.silences import Silences
from moorage.adapters.remote_registry.tokens import Tokens
from moorage.adapters.remote_registry.writing import Writing
from moorage.domain.ports import CHUNK_BYTES
from moorage.domain.remote_registries import RemoteAddress


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Time limits in seconds: for a connection with its name and TLS, and for each wait for bytes."""

    connect: float = 5.0
    idle: float = 30.0


DEFAULT_DEADLINES: Final = Deadlines()


class DistributionRegistry(Reading, Writing):
    """One remote registry: see `RemoteRegistry`."""


class DistributionRegistries:
    """Registries that are reached over the OCI distribution protocol: see `RemoteRegistries`.

    With `proxy`, an http URL, those that may not be in a private network are reached through it.
    """

    def __init__(self, deadlines: Deadlines = DEFAULT_DEADLINES, proxy: str | None = None) -> None:
        self._deadlines = deadlines
        self._proxy = proxy
        self._tokens = Tokens()
        self._silences = Silences()
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    def at(self, address: RemoteAddress) -> DistributionRegistry:
        """See `RemoteRegistries.at`."""
        home_of(address)
        session = self._session(private_networks=address.private_networks)
        return DistributionRegistry(Exchange(address, session, self._tokens, self._silences))

    async def close(self) -> None:
        """See `RemoteRegistries.close`."""
        sessions = list(self._sessions.values())
        self._sessions.clear()
        for session in sessions:
            await session.close()

    def _session(self, *, private_networks: bool) -> aiohttp.ClientSession:
        """The session; created at the first use, in the event loop that serves."""
        session = self._sessions.get(private_networks)
        if session is None:
            proxy = None if private_networks else self._proxy
            connector = aiohttp.TCPConnector if proxy is None else ProxiedConnector
            sockets = socket_factory(private_networks=private_networks or proxy is not None)
            session = self._sessions[private_networks] = aiohttp.ClientSession(
                # No limit: the time that a request waits for another's connection would be unlimited.
                connector=connector(limit=0, socket_factory=sockets),
                proxy=proxy,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                read_bufsize=CHUNK_BYTES // 2,
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=self._deadlines.connect, sock_read=self._deadlines.idle
                ),
                headers={"User-Agent": "moorage", "Accept-Encoding": "identity"},
                skip_auto_headers=["content-type"],
            )
        return session
