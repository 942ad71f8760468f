"""Forwarded headers of reverse proxies (`X-Forwarded-For`, `-Proto`, `-Host`), accepted from trusted proxies only.

The head of the request is rewritten as if there were no proxy, so other code need not know about it: the client's
address, the scheme, and the host header, which signatures cover and which may name a registry.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from moorage.bounds import bounded_cache
from moorage.http.messages import RequestHead

HOST: Final = re.compile(rb"(?:[A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")
"""A host with or without a port, as a Host header has it."""

_NAMES: Final = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")


class TrustedProxies:
    """The networks of trusted proxies, and their number if it is known. Raises ValueError for an invalid network.

    With a number, a request passes that many trusted proxies, of which at least the last is in the networks.
    """

    def __init__(self, networks: Iterable[str], hops: int = 0) -> None:
        self._hops = hops
        self._networks = [ipaddress.ip_network(network) for network in networks]
        self.trusts = bounded_cache(entries=1024, size=1 << 17)(self._is_in_networks)

    def apply(self, head: RequestHead) -> None:
        """Rewrite the head of a request from a trusted proxy; leave all others unchanged."""
        if not self._networks or not self.trusts(head.client):
            return
        head.is_from_proxy = True
        forwarded = {name: _values(head, name) for name in _NAMES}
        clients = forwarded[b"x-forwarded-for"]
        if clients:
            head.client = self._client_of(clients)
        proto, host = (_last(forwarded[name]) for name in _NAMES[1:])
        if proto in {b"http", b"https"}:
            head.scheme = proto.decode()
        if host is not None and HOST.fullmatch(host):
            head.headers = [(b"host", host), *(pair for pair in head.headers if pair[0] != b"host")]
        hosts = [value for name, value in head.headers if name == b"host"]
        if (proto or host) and len(hosts) == 1 and HOST.fullmatch(hosts[0]):
            head.reached_at = (head.scheme, hosts[0].decode())

    def _client_of(self, clients: list[bytes]) -> str:
        """The client's address in a list to which each proxy appends the address that it was called from.

        It is the one that the first of our proxies appended: by their number, else the first untrusted address from the
        right. If there is none, the leftmost one. What is before it may come from the client.
        """
        if self._hops:
            return _address(clients[-min(self._hops, len(clients))])
        texts = [_address(client) for client in reversed(clients)]
        return next((text for text in texts if not self.trusts(text)), texts[-1])

    def _is_in_networks(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return any((mapped or address) in network for network in self._networks)


def _values(head: RequestHead, name: bytes) -> list[bytes]:
    """The members of a list header, from all its lines."""
    lines = [value for found, value in head.headers if found == name]
    return [part.strip() for line in lines for part in line.split(b",") if part.strip()]


def _last(values: list[bytes]) -> bytes | None:
    """The value of the nearest proxy. Values before it may come from the client."""
    return values[-1] if values else None


def _address(text: bytes) -> str:
    """An address without the port or brackets that some proxies add, for the log: at most 45 characters."""
    plain = text.decode("latin-1")
    if plain.startswith("["):
        plain = plain[1:].partition("]")[0]
    elif plain.count(":") == 1:
        plain = plain.partition(":")[0]
    return plain[:45]
