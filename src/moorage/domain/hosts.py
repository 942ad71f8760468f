"""Hosts: names and addresses with or without a port, and which of them are this machine's own."""

from __future__ import annotations

import ipaddress


def names_loopback(host: str) -> bool:
    """Whether a host, with or without a port, always means the client's own machine (RFC 6761, section 6.3)."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name == "localhost" or name.endswith(".localhost") or is_loopback(name)


def is_loopback(text: str) -> bool:
    """Whether a text is a loopback address, in IPv4's form or in IPv6's, without brackets."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SHARED = ipaddress.ip_network("100.64.0.0/10")
"""Carrier-grade NAT (RFC 6598)."""


def may_connect(text: str, *, private_networks: bool) -> bool:
    """Whether the server may connect to an address that a client or another server can influence.

    Addresses of the internet always; loopback and private ones only with `private_networks`; link-local (which is where
    clouds have their metadata), multicast and reserved ones never. An IPv4 address inside an IPv6 one counts as itself.
    """
    try:
        address = _unwrapped(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return False
    if address.is_multicast or address.is_link_local or address.is_unspecified or _is_obsolete(address):
        return False
    if address.is_loopback or (address.is_private and not address.is_reserved) or _is_shared(address):
        return private_networks
    return address.is_global and not address.is_reserved


def _unwrapped(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address


def _is_obsolete(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Forms that nothing uses any more, but that may lead to an IPv4 address: 6to4, Teredo, site-local; 0.0.0.0/8."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.packed[0] == 0
    return address.sixtofour is not None or address.teredo is not None or address.is_site_local


def _is_shared(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return isinstance(address, ipaddress.IPv4Address) and address in _SHARED
