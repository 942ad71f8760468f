"""Where requests may go: origins of URLs, hosts of tokens, and addresses, which are checked when a socket connects."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

import aiohttp
from aiohttp.connector import AddrInfoType, Connection
from aiohttp.tracing import Trace

from moorage.domain.hosts import may_connect, names_loopback
from moorage.domain.remote_registries import RemoteAddress

_PORTS: Final = {"http": 80, "https": 443}

_KNOWN_REALMS: Final[Mapping[str, str]] = {
    "registry-1.docker.io": "auth.docker.io",
    "registry.gitlab.com": "gitlab.com",
}
"""Public registries whose tokens another host issues."""


class AddressRefused(OSError):
    """A name resolved to an address that the server must not connect to."""

    def __init__(self) -> None:
        # The text is the same for every address, so that it survives when a name has several.
        super().__init__("its address is on a private network")


class Origin(NamedTuple):
    """Scheme, host and port of a URL. Credentials stay at one origin."""

    scheme: str
    host: str
    port: int


def origin_of(url: str) -> Origin:
    """The origin of a URL. Raises ValueError if it is not an http or https URL, or has credentials in it."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        raise ValueError(f"{_shown(parts)!r} is not an http or https URL without credentials")
    return Origin(parts.scheme, parts.hostname.lower(), parts.port or _PORTS[parts.scheme])


def home_of(address: RemoteAddress) -> Origin:
    """The origin of a registry. Raises ValueError if its URL is not http(s)://HOST[:PORT]."""
    parts = urlsplit(address.url)
    home = origin_of(address.url)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"{_shown(parts)!r} is not http://HOST[:PORT] or https://HOST[:PORT]")
    return home


def may_issue_tokens(address: RemoteAddress, realm: Origin) -> bool:
    """Whether a host may be sent the credentials of a registry, to get a token for it."""
    home = home_of(address)
    if realm.scheme != "https" and home.scheme == "https":
        return False
    return realm.host == home.host or realm.host == _KNOWN_REALMS.get(home.host) or realm.host in address.realms


def socket_factory(*, private_networks: bool) -> Callable[[AddrInfoType], socket.socket]:
    """Creates the sockets of connections, and refuses addresses that may not be connected to.

    The address is the one that is connected to, so a name cannot change its meaning after the check.
    """

    def create(info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, destination = info
        host: Any = destination[0]
        if not may_connect(str(host), private_networks=private_networks):
            raise AddressRefused
        return socket.socket(family, kind, protocol)

    return create


def may_ask_proxy_for(host: str) -> bool:
    """Whether a proxy may be asked for a host. The proxy resolves names, so only addresses can be checked here.

    A host that ends in a number is an address for some resolvers, such as 2852039166 and 0xa9fea9fe.
    """
    last = host.rstrip(".").rpartition(".")[2].lower()
    if ":" in host or last.isdecimal() or last.startswith("0x"):
        return may_connect(host, private_networks=False)
    return not names_loopback(host)


class ProxiedConnector(aiohttp.TCPConnector):
    """Connects to a proxy, which may be in a private network, for requests to hosts that it may be asked for."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the parameter is aiohttp's
    ) -> Connection:
        """See `aiohttp.BaseConnector.connect`. Raises ClientConnectorError."""
        if not may_ask_proxy_for(req.url.raw_host or ""):
            raise aiohttp.ClientConnectorError(req.connection_key, AddressRefused())
        return await super().connect(req, traces, timeout)


def _shown(parts: SplitResult) -> str:
    """A URL without what may be secret in it."""
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    return (shown if parts.netloc else shown.rpartition("@")[2])[:300]
